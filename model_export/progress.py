"""What a person sees while a model trains: a live bar, or a line for each epoch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

Row = dict[str, float]


class LineProgress:
    """A line for each epoch: for log files and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._num_epochs = 0

    def start(self, num_epochs: int, num_steps: int) -> None:
        """Remember how many epochs there will be."""
        self._num_epochs = num_epochs

    def step(self) -> None:
        """Say nothing."""

    def epoch(self, row: Row) -> None:
        """Say how the epoch went."""
        self._console.print(
            f"epoch {row['epoch']:.0f} of {self._num_epochs}: {figures(row)}",
            soft_wrap=True,
            highlight=False,
        )

    def __enter__(self) -> "LineProgress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


class BarProgress(LineProgress):
    """A live bar with the last epoch's figures: for a person at a terminal."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
        )
        self._task = TaskID(0)

    def start(self, num_epochs: int, num_steps: int) -> None:
        """Draw the empty bar."""
        super().start(num_epochs, num_steps)
        self._task = self._progress.add_task("training", total=num_steps, figures="")

    def step(self) -> None:
        """Move the bar."""
        self._progress.advance(self._task)

    def epoch(self, row: Row) -> None:
        """Show the epoch's figures beside the bar."""
        self._progress.update(self._task, figures=figures(row))

    def __enter__(self) -> "BarProgress":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()


def training_progress(console: Console) -> LineProgress:
    """Return a bar where there is a terminal, and lines where there is none."""
    return BarProgress(console) if console.is_terminal else LineProgress(console)


@contextmanager
def reading_progress(console: Console, num_files: int) -> Iterator[Callable[[], None]]:
    """Draw a bar where there is a terminal; gives what is to be called for each file."""
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=num_files)
        yield lambda: progress.advance(task)


def figures(row: Row) -> str:
    """Return an epoch's figures in words."""
    # Only of digits is it known where they lie.
    follows = "centre_correlation" in row
    theta = (
        f"theta follows the digit {row['centre_correlation']:.2f}"
        if follows
        else f"spread of theta {row['theta_spread']:.2f}"
    )
    return (
        f"loss {row['loss']:.4f}, validation error {row['validation_error_percent']:.2f} %, "
        f"{theta}, {row['cpu_minutes']:.1f} CPU minutes"
    )
