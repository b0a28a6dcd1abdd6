"""Larger pictures, which take turns in a few threads: as many as are finished in time."""

import asyncio
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

from service.errors import DeadlineExceeded, Overloaded
from service.lane import Jitter, Lane

# Of pictures, as many as there are threads: one at work, one waiting.
ROUNDS = 2
# A picture costs as much as this many megapixels more than it has.
_EACH = 0.1
# A JPEG of a tenth of a byte for each pixel. Flat pictures have far less, and sent on purpose they
# would else make every photo look hopeless; they are judged when their header has come.
_MOST_MEGAPIXELS_PER_BYTE = 1e-5


class PictureLane:
    """Bounds the larger pictures for one model.

    As soon as a picture's header is known, so is about how long it takes: what cannot be finished
    by its deadline does not begin.

    Args:
        num_threads: that work on them.
        wait_seconds: that a newcomer may wait, however small the picture.
        jitter: spreads the times at which those refused come again.

    Attributes:
        lane: their megapixels, read and made, and how many are done in a second.
        count: of those in progress or waiting.
        num_refused: since the start.
        on_empty: called when the last one has left.
    """

    def __init__(self, num_threads: int, wait_seconds: float, jitter: Jitter) -> None:
        # Even one picture keeps its thread busy, so that its pace is to be believed.
        self.lane = Lane(_EACH, wait_seconds)
        self.count = 0
        self.num_refused = 0
        self.on_empty: Callable[[], None] = lambda: None
        self._most = ROUNDS * num_threads
        self._jitter = jitter
        self._megapixels_per_byte = 0.0

    def expect(self, num_bytes: int, deadline: float) -> None:
        """Refuse a picture before its bytes have come, where those before it leave no hope.

        Args:
            num_bytes: of the file, from which its pixels are guessed.
            deadline: by the event loop's clock, in seconds.

        Raises:
            Overloaded: of late, pictures with so many bytes took too long.
            DeadlineExceeded: likewise, without those before it.
        """
        self._check(num_bytes * self._megapixels_per_byte, deadline)

    def place(self, num_pixels: int, num_bytes: int, deadline: float) -> "Place":
        """Return a place for a picture, or several, to be entered at once.

        Args:
            num_pixels: to be read and to be made.
            num_bytes: of the file.
            deadline: by the event loop's clock, in seconds.

        Raises:
            Overloaded: there is none, or it would be too late.
            DeadlineExceeded: it would be too late even without those before it.
        """
        megapixels = num_pixels / 1e6
        self._check(megapixels, deadline)
        per_byte = min(megapixels / num_bytes, _MOST_MEGAPIXELS_PER_BYTE)
        self._megapixels_per_byte += 0.2 * (per_byte - self._megapixels_per_byte)
        return Place(self, megapixels + _EACH, deadline)

    def check_turn(self, units: float, deadline: float) -> None:
        """Refuse a picture whose turn came too late.

        Raises:
            Overloaded: not enough time is left for it.
        """
        left = deadline - asyncio.get_running_loop().time()
        if self.count > 1 and self.lane.seconds(units) > left:
            self.num_refused += 1
            raise Overloaded(
                "those before this picture took longer than expected, and it cannot be finished in "
                "time any more",
                retry_after_seconds=self._jitter(self.lane.seconds(self.lane.load)),
            )

    def _check(self, megapixels: float, deadline: float) -> None:
        left = deadline - asyncio.get_running_loop().time()
        own = self.lane.seconds(megapixels + _EACH)
        wait = self.lane.seconds(self.lane.load)
        # When nothing is before it, it may show whether it still takes so long.
        if own > left and self.count:
            self.num_refused += 1
            raise DeadlineExceeded(
                f"a picture of this size takes about {own:.2g} seconds, and the request has "
                f"{max(left, 0.0):.2g} left; X-Request-Timeout-Ms may ask for more"
            )
        is_full = self.count >= self._most and self.lane.load >= self.lane.limit
        if is_full or (self.count and wait + own > left):
            self.num_refused += 1
            raise Overloaded(
                f"{self.count} large pictures are in progress or wait; another would wait too long",
                retry_after_seconds=self._jitter(wait),
            )


class Place:
    """A place among the pictures in progress; use it as a context manager.

    No thread can be stopped: one that works past the deadline, or for a caller who has gone, keeps
    the place until it has ended.

    Attributes:
        on_left: called when it is free again.
    """

    def __init__(self, pictures: PictureLane, units: float, deadline: float) -> None:
        self.on_left: Callable[[], None] = lambda: None
        self._pictures = pictures
        self._units = units
        self._deadline = deadline
        self._works: set[asyncio.Future[Any]] = set()

    def keep_until(self, work: "asyncio.Future[Any]") -> None:
        """Keep the place at least until some work in a thread has ended."""
        self._works.add(work)
        work.add_done_callback(self._works.discard)

    def __enter__(self) -> "Place":
        self._pictures.count += 1
        self._pictures.lane.enter(self._units)
        return self

    def check_turn(self) -> None:
        """Refuse the picture if its turn came too late: see `PictureLane.check_turn`."""
        self._pictures.check_turn(self._units, self._deadline)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        is_late = kind is not None and asyncio.get_running_loop().time() >= self._deadline
        leave = partial(self._leave, is_done=kind is None, is_late=is_late)
        if self._works:
            asyncio.gather(*self._works, return_exceptions=True).add_done_callback(leave)
        else:
            leave()

    def _leave(self, _: object = None, *, is_done: bool, is_late: bool) -> None:
        self._pictures.count -= 1
        self._pictures.lane.leave(self._units, is_done=is_done, is_late=is_late)
        self.on_left()
        if not self._pictures.count:
            self._pictures.on_empty()
