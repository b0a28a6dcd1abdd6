"""Where pictures are worked on: small ones at once, others in threads, a few at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from PIL import Image

from service.images import open_image

Result = TypeVar("Result")

# Up to here decoding takes about 0.1 ms, less than a thread costs, and holds up nobody for longer.
_SMALL_BYTES = 32 * 1024
_SMALL_PIXELS = 128 * 128


class PicturePool:
    """Runs work on pictures where it disturbs nobody else.

    Args:
        num_threads: how many larger pictures are worked on, or held decoded, at the same time.
        max_pixels: the most that a picture may have.
    """

    def __init__(self, num_threads: int, max_pixels: int) -> None:
        self._threads = ThreadPoolExecutor(num_threads, "picture")
        self._max_pixels = max_pixels
        self._slots = asyncio.Semaphore(num_threads)

    def close(self) -> None:
        """Stop the threads; work not begun is dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    @asynccontextmanager
    async def room(self, content: bytes, height: int = 1, width: int = 1) -> AsyncIterator[None]:
        """Wait until there is room to hold a picture decoded; a small one needs no waiting.

        Args:
            content: the file.
            height: of what is to be made from it, in pixels.
            width: likewise.

        Raises:
            RequestError: the header is already wrong, see `images.open_image`.
        """
        if len(content) <= _SMALL_BYTES and is_small(height, width):
            image = open_image(content, self._max_pixels)
            if is_small(image.height, image.width):
                yield
                return
        async with self._slots:
            yield

    async def decode(self, content: bytes, decode: Callable[[Image.Image], Result]) -> Result:
        """Open a picture, check its header and decode it.

        Args:
            content: the file.
            decode: takes the opened picture.

        Raises:
            RequestError: see `images.open_image` and the function given.
        """
        if len(content) <= _SMALL_BYTES:
            image = open_image(content, self._max_pixels)
            if is_small(image.height, image.width):
                return decode(image)
            return await self.run(lambda: decode(image))
        return await self.run(lambda: decode(open_image(content, self._max_pixels)))

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run work in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def is_small(height: int, width: int) -> bool:
    """Whether a picture is worked on at once, on the event loop."""
    return height * width <= _SMALL_PIXELS
