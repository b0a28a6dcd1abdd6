"""Steps that are taken back, the last one first, when a later one fails."""

from collections.abc import Callable
from types import TracebackType


class PromotionError(RuntimeError):
    """A version cannot be promoted or a label not moved; the sentence says why."""


class Undo:
    """Remembers how to take steps back; a context manager that does so after an exception.

    Raises:
        PromotionError: instead of another, when a step could not be taken back.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[str, Callable[[], object]]] = []

    def add(self, what: str, step: Callable[[], object]) -> None:
        """Remember a step back.

        Args:
            what: it does, for the case that it fails: "remove models/stn/2".
            step: does it.
        """
        self._steps.append((what, step))

    def __enter__(self) -> "Undo":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            return
        failed = []
        while self._steps:
            what, step = self._steps.pop()
            try:
                step()
            except (PromotionError, OSError) as trouble:
                failed.append(f"{what} ({trouble})")
        if failed:
            raise PromotionError(
                f"{str(error) or type(error).__name__}. Not everything could be undone. "
                f"Do by hand: {'; '.join(failed)}"
            ) from error
