"""Whether, and when, a request is sent again. Pure arithmetic."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from stn_client.errors import GatewayError


@dataclass(frozen=True)
class Retries:
    """How often and how patiently to try again what may pass: 429, 503, a broken connection.

    Each wait is what `Retry-After` asks for, and on top of it a backoff that doubles from try to
    try, of which a random half or more is taken, so that those refused together do not come back
    together. Whatever else goes wrong is never sent again: it would go wrong again.

    Attributes:
        attempts: tries in all; 1 never tries again.
        first_wait_seconds: backoff after the first try.
        longest_wait_seconds: of the backoff; and who is asked to wait longer gives up instead.
    """

    attempts: int = 6
    first_wait_seconds: float = 0.25
    longest_wait_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1; got {self.attempts}")
        for name in ("first_wait_seconds", "longest_wait_seconds"):
            if not (math.isfinite(value := getattr(self, name)) and value >= 0):
                raise ValueError(f"{name} must be a time from 0 on; got {value}")

    def wait_after(
        self, error: GatewayError, attempt: int, random: Callable[[], float]
    ) -> float | None:
        """Return for how many seconds to wait before the next try; None to give up.

        Args:
            error: what came of the last try.
            attempt: its number, from 1.
            random: returns a number in [0, 1).
        """
        asked = error.retry_after or 0.0
        if not error.is_passing or attempt >= self.attempts or asked > self.longest_wait_seconds:
            return None
        doubled: float = self.first_wait_seconds * 2.0 ** min(attempt - 1, 60)
        backoff = min(doubled, self.longest_wait_seconds)
        return asked + backoff * (0.5 + random() / 2)


NO_RETRIES = Retries(attempts=1)
