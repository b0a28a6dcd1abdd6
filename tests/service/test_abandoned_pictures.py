"""No thread can be stopped: one that nobody waits for any more keeps its place until it ends."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator

import numpy as np
import pytest
from PIL import Image

from service.lane import Jitter
from service.picture_lane import PictureLane
from service.pictures import PicturePool
from tests.service.pictures import encoded

LARGE = encoded(np.zeros((400, 400), np.uint8))


class Threads:
    """Decoding that goes on until it is released, and counts itself."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.released = threading.Event()
        self.now = self.most = 0
        self._lock = threading.Lock()

    def decode(self, image: Image.Image) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.begun.release()
        assert self.released.wait(60)
        with self._lock:
            self.now -= 1


@contextlib.asynccontextmanager
async def pictures() -> AsyncIterator[tuple[PicturePool, PictureLane, Threads]]:
    """One thread for decoding, a lane, and what decodes."""
    pool, lane, threads = PicturePool(1, 10**6), PictureLane(1, 0.25, Jitter()), Threads()
    try:
        yield pool, lane, threads
    finally:
        threads.released.set()
        pool.close()


async def abandoned(work: "asyncio.Task[None]", threads: Threads) -> None:
    """Cancel work when its thread has begun, as its deadline does."""
    assert await asyncio.to_thread(threads.begun.acquire, timeout=60)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


async def all_else() -> None:
    """Let all that waits for nothing but its turn go on."""
    for _ in range(100):
        await asyncio.sleep(0)


async def until_left(lane: PictureLane) -> None:
    async with asyncio.timeout(60):
        while lane.count:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)


def test_a_prediction_counts_until_its_thread_ends() -> None:
    async def run() -> None:
        async with pictures() as (pool, lane, threads):
            await abandoned(asyncio.create_task(pool.decode(LARGE, threads.decode, lane)), threads)
            await all_else()
            assert lane.count == 1
            assert lane.lane.load > 0
            threads.released.set()
            await until_left(lane)
            assert lane.lane.load == 0

    asyncio.run(run())


def test_there_is_no_room_for_another_until_its_thread_ends() -> None:
    """Or more pictures would be held decoded than are allowed for."""

    async def run() -> None:
        async with pictures() as (pool, lane, threads):
            entered = asyncio.Event()

            async def warp() -> None:
                async with pool.room(LARGE, lane, float("inf")) as place:
                    await pool.decode(LARGE, threads.decode, place=place)

            async def other() -> None:
                async with pool.room(LARGE, lane, float("inf")):
                    entered.set()

            await abandoned(asyncio.create_task(warp()), threads)
            waiting = asyncio.create_task(other())
            await all_else()
            assert not entered.is_set()
            threads.released.set()
            await waiting
            assert entered.is_set()
            await until_left(lane)

    asyncio.run(run())


def test_what_had_not_begun_never_does() -> None:
    async def run() -> None:
        async with pictures() as (pool, lane, threads):
            first = asyncio.create_task(pool.decode(LARGE, threads.decode, lane))
            assert await asyncio.to_thread(threads.begun.acquire, timeout=60)
            second = asyncio.create_task(pool.decode(LARGE, threads.decode, lane))
            await all_else()
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            threads.released.set()
            await first
            await until_left(lane)
            # Behind both in the only thread.
            await pool.run(lambda: None)
            assert not threads.begun.acquire(blocking=False)

    asyncio.run(run())


def test_never_are_more_decoded_than_there_are_threads() -> None:
    """However many are abandoned."""

    async def run() -> None:
        async with pictures() as (pool, lane, threads):
            await abandoned(asyncio.create_task(pool.decode(LARGE, threads.decode, lane)), threads)
            others = [asyncio.create_task(pool.decode(LARGE, threads.decode)) for _ in range(8)]
            await all_else()
            threads.released.set()
            await asyncio.gather(*others)
            assert threads.most == 1

    asyncio.run(run())
