"""Work in progress, bounded by how fast it gets done."""

import math
import random
import time
from collections.abc import Callable

# What is in progress may be as much as keeps everything busy, and twice that waiting.
ROUNDS = 3
_WINDOW_SECONDS = 0.1
_SMOOTHING = 0.3
_KEPT_BUSY = 0.9  # of the time
_LEAST_PACE = 1e-3
_MOST_RETRY_SECONDS = 30


class Lane:
    """One way through the gateway: what is on it, how fast it drains, how much more it takes.

    It takes work while less is on it than keeps it busy three times over, or than it gets done in
    the time that a newcomer may wait. So a wait is at most about twice the service itself, or that
    time, whatever the machine and the model, and nothing needs to be set by hand.

    The pace is measured: units done for each second in which there was something to do. As in BBR,
    a time in which the lane was not kept busy shows a lower bound at most, and can only raise it.
    Work that was not done in its time counts as none, so that less is taken on until it is.

    Args:
        full: units of work that keep everything busy.
        wait_seconds: that a newcomer may wait however long the service takes.
        clock: in seconds.

    Attributes:
        full: units of work that keep everything busy.
        load: units in progress or waiting.
        pace: units done in a second; None as long as that is not known.

    Source: Little's law; Cardwell et al., BBR: Congestion-Based Congestion Control (2016).
    """

    def __init__(
        self, full: float, wait_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.load = 0.0
        self.pace: float | None = None
        self.full = full
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._begun = 0.0
        self._busy_seconds = 0.0
        self._done = 0.0
        self._full_seconds = 0.0
        self._was_late = False

    @property
    def limit(self) -> float:
        """Units at which no more are taken."""
        return max(ROUNDS * self.full, (self.pace or 0.0) * self._wait_seconds)

    def seconds(self, units: float) -> float:
        """Return how long so many units take, as far as that is known."""
        return units / self.pace if self.pace else 0.0

    def enter(self, units: float) -> None:
        """Take work on."""
        if not self.load:
            self._begun = self._clock()
        self.load += units

    def leave(self, units: float, is_done: bool = True, is_late: bool = False) -> None:
        """Let go of work.

        Args:
            units: as many as entered.
            is_done: whether it took the time that such work takes.
            is_late: whether it was not done in its time.
        """
        now = self._clock()
        self._busy_seconds += now - self._begun
        if self.load >= self.full:
            self._full_seconds += now - self._begun
        self._begun = now
        self._was_late |= is_late
        if is_late and self.pace is None:
            # Not even this much gets done; the next windows bring it down.
            self.pace = self.load / max(self._busy_seconds, _WINDOW_SECONDS)
        self.load -= units
        if self.load < 1e-6:  # units may be fractions
            self.load = 0.0
        if is_done:
            self._done += units
        if self._busy_seconds >= _WINDOW_SECONDS:
            self._measure()

    def _measure(self) -> None:
        measured = self._done / self._busy_seconds
        before = measured if self.pace is None else self.pace
        is_known = self._done > 0 or self._was_late
        was_kept_busy = self._full_seconds >= _KEPT_BUSY * self._busy_seconds
        if is_known and (was_kept_busy or measured >= before):
            self.pace = max(before + _SMOOTHING * (measured - before), _LEAST_PACE)
        self._busy_seconds = self._full_seconds = self._done = 0.0
        self._was_late = False


class Jitter:
    """Says when to come again: when what is before is done, but not everybody at once.

    Args:
        rng: spreads them.
    """

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing

    def __call__(self, seconds: float) -> int:
        """Return whole seconds, at least 1, up to twice those given, for `Retry-After`."""
        later = math.ceil(seconds * self._rng.uniform(1.0, 2.0))
        return max(1, min(later, _MOST_RETRY_SECONDS))
