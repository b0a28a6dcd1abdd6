"""Where pictures are worked on: small ones at once, others in threads, a few at a time."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from PIL import Image

from service.errors import ServiceError
from service.images import open_image
from service.memory import trim
from service.picture_lane import PictureLane, Place

Result = TypeVar("Result")

# Up to here decoding takes about 0.1 ms, less than a thread costs, and holds up nobody for longer.
SMALL_BYTES = 32 * 1024
# After the last picture, so that trimming disturbs none.
_TIDY_SECONDS = 1.0
_SMALL_PIXELS = 128 * 128


class PicturePool:
    """Runs work on pictures where it disturbs nobody else.

    Args:
        num_threads: how many larger pictures are worked on, or held decoded, at the same time.
        max_pixels: the most that a picture may have.
    """

    def __init__(self, num_threads: int, max_pixels: int) -> None:
        self._threads = ThreadPoolExecutor(num_threads, "picture")
        # One for headers alone: to say no at once, one must not wait behind those that go on.
        self._headers = ThreadPoolExecutor(1, "header")
        self._max_pixels = max_pixels
        self._tidying: asyncio.TimerHandle | None = None
        self._slots = asyncio.Semaphore(num_threads)

    def tidy_up_soon(self) -> None:
        """Give back the memory of pictures that are gone, unless more come."""
        if self._tidying is not None:
            self._tidying.cancel()
        loop = asyncio.get_running_loop()
        self._tidying = loop.call_later(
            _TIDY_SECONDS, lambda: loop.run_in_executor(self._headers, trim)
        )

    def close(self) -> None:
        """Stop the threads; work not begun is dropped."""
        if self._tidying is not None:
            self._tidying.cancel()
        self._headers.shutdown(wait=True, cancel_futures=True)
        self._threads.shutdown(wait=True, cancel_futures=True)

    @asynccontextmanager
    async def room(
        self,
        content: bytes,
        lane: PictureLane,
        deadline: float,
        height: int | None = None,
        width: int | None = None,
    ) -> AsyncIterator[Place | None]:
        """Wait until there is room to hold a picture decoded; a small one needs no waiting.

        Gives the place for what is run in there; None for a small picture.

        Args:
            content: the file.
            lane: what it waits in.
            deadline: by the event loop's clock, in seconds.
            height: of what is to be made from it, in pixels; as the picture when left out.
            width: likewise.

        Raises:
            RequestError: the header is already wrong, see `images.open_image`.
            Overloaded: too many wait already, see `picture_lane.PictureLane`.
            DeadlineExceeded: there is not enough time for it.
        """
        image = await self._open(content)
        made = (height or image.height, width or image.width)
        if is_small(image.height, image.width) and is_small(*made):
            yield None
            return
        num_pixels = image.height * image.width + made[0] * made[1]
        with lane.place(num_pixels, len(content), deadline) as place:
            await self._slots.acquire()
            place.on_left = self._slots.release
            place.check_turn()
            yield place

    async def count_pixels(self, contents: Sequence[bytes]) -> int:
        """Return how many pixels the larger files have together.

        Raises:
            RequestError: a header is wrong, see `images.open_image`.
        """
        num_pixels = 0
        for number, content in enumerate(contents):
            if len(content) > SMALL_BYTES:
                try:
                    image = await self._open(content)
                except ServiceError as error:
                    if len(contents) == 1:
                        raise
                    raise error.within(f"image {number}") from error
                num_pixels += image.height * image.width
        return num_pixels

    async def decode(
        self,
        content: bytes,
        decode: Callable[[Image.Image], Result],
        lane: PictureLane | None = None,
        deadline: float = math.inf,
        place: Place | None = None,
    ) -> Result:
        """Open a picture, check its header and decode it.

        Args:
            content: the file.
            decode: takes the opened picture.
            lane: where a larger one waits; None for one that has its place already.
            deadline: by the event loop's clock, in seconds.
            place: that it has already.

        Raises:
            RequestError: see `images.open_image` and the function given.
            Overloaded: too many wait already, see `picture_lane.PictureLane`.
            DeadlineExceeded: there is not enough time for it.
        """
        image = await self._open(content)
        if is_small(image.height, image.width):
            return decode(image)
        if lane is None:
            return await self.run(lambda: decode(image), place)
        with lane.place(image.height * image.width, len(content), deadline) as own:
            return await self.run(lambda: decode(image), own)

    async def run(self, work: Callable[[], Result], place: Place | None = None) -> Result:
        """Run work in one of the threads.

        Args:
            work: begun work goes on when nobody waits for it any more.
            place: is kept until then.
        """
        begun = self._threads.submit(work)
        future = asyncio.wrap_future(begun)
        if place is not None:
            place.keep_until(future)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            begun.cancel()  # if it has not begun
            raise

    async def _open(self, content: bytes) -> Image.Image:
        if len(content) <= SMALL_BYTES:
            return open_image(content, self._max_pixels)
        return await asyncio.get_running_loop().run_in_executor(
            self._headers, open_image, content, self._max_pixels
        )


def is_small(height: int, width: int) -> bool:
    """Whether a picture is worked on at once, on the event loop."""
    return height * width <= _SMALL_PIXELS
