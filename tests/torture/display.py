"""What a person sees while it runs, and the table in the end."""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.torture.bench import Bench
from tests.torture.table import Row


class Display:
    """Shows progress and rows.

    Args:
        console: where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextlib.contextmanager
    def scenario(self, name: str, bench: Bench) -> Iterator[Callable[[list[Row]], None]]:
        """Show a bar while a scenario runs; give what shows its rows."""
        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        start = time.monotonic()
        with progress:
            task = progress.add_task(f"{bench.backend} {name}", total=None)
            bench.progress = lambda done, of: progress.update(task, completed=done, total=of)

            def show(rows: list[Row]) -> None:
                seconds = time.monotonic() - start
                progress.print(f"[bold]{bench.backend} {name}[/] {seconds:.0f} s")
                for row in rows:
                    colour = "green" if row.passed else "red"
                    progress.print(f"  [{colour}]{row.verdict}[/] {row.thrown}: ", end="")
                    progress.print(row.observed, markup=False, highlight=False)

            yield show

    def table(self, rows: list[Row]) -> None:
        """Show the whole table."""
        table = Table("scenario", "backend", "thrown", "expected", "observed", "")
        for row in rows:
            verdict = "[green]pass[/]" if row.passed else "[red]miss[/]"
            cells = (row.scenario, row.backend, row.thrown, row.expected, row.observed)
            table.add_row(*(cell.replace("[", "\\[") for cell in cells), verdict)
        self._console.print(table)
