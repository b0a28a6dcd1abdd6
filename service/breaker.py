"""A circuit breaker: no calls to a model server that does not answer, until a trial one comes back.

Source: Nygard, Release It! (2007), chapter 5, "Circuit Breaker".
"""

import logging
from collections.abc import Callable

from service.errors import ModelServerUnavailable

log = logging.getLogger("stn_serving")

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half open"
# In a row. Opening in error costs little: the next trial request, sent at once, closes it again.
_FAILURES = 3


class Breaker:
    """Counts failures in a row of one servable's calls.

    Callers' requests never serve as trials: the canaries, which are sent anyway, do. So it needs no
    clock. It is told when a canary sets out (`trying`) and what became of it.

    Args:
        name: of the servable.
        on_open: called when it opens: time for a trial.

    Attributes:
        state: `closed`: calls go through; `open`: none do; `half open`: a trial is on its way.
        times_opened: since the start.
        num_refused: calls that it has not let through, since the start.
    """

    def __init__(self, name: str, on_open: Callable[[], None] = lambda: None) -> None:
        self.state = CLOSED
        self.times_opened = 0
        self.num_refused = 0
        self._name = name
        self._on_open = on_open
        self._failures = 0

    def check(self) -> None:
        """Let a call through, or not.

        Raises:
            ModelServerUnavailable: the last calls failed, and no trial has come back since.
        """
        if self.state is not CLOSED:
            self.num_refused += 1
            raise ModelServerUnavailable(
                f"the model server did not answer the last calls of {self._name}; trial requests "
                "are on their way"
            )

    def failed(self) -> None:
        """Count a call, or a trial, that was not answered."""
        self._failures += 1
        if self.state is HALF_OPEN:
            self.state = OPEN
        elif self.state is CLOSED and self._failures >= _FAILURES:
            self.state = OPEN
            self.times_opened += 1
            log.warning("%s: %d calls failed in a row; no more for now", self._name, _FAILURES)
            self._on_open()

    def answered(self) -> None:
        """Forget the failures: a call came back, whatever it said.

        While open, that is a call from before, and proves nothing about the next one.
        """
        if self.state is CLOSED:
            self._failures = 0

    def trying(self) -> None:
        """Take note that a trial sets out."""
        if self.state is OPEN:
            self.state = HALF_OPEN

    def recovered(self) -> None:
        """Let calls through again: a trial came back well."""
        if self.state is not CLOSED:
            log.info("%s: a trial request came back; calls go through again", self._name)
        self.state, self._failures = CLOSED, 0
