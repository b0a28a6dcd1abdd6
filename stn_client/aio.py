"""The client for asyncio: the same methods as `sync.Client`, to be awaited."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from itertools import count
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from stn_client import calls
from stn_client.answers import Model, Prediction, Readiness, Warped
from stn_client.calls import Call, Image, Outcome, connection, lost, read_image
from stn_client.errors import GatewayError
from stn_client.retries import NO_RETRIES, Retries

T = TypeVar("T")


class AsyncClient:
    """A client of the gateway for asyncio; arguments, options and errors are those of `Client`."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        api_key: str | None = None,
        *,
        timeout: float = 10.0,
        retries: Retries | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(**connection(url, api_key, timeout))
        self._retries = retries or Retries()

    async def predict(self, image: Image, **options: Any) -> Prediction:
        """Return what a picture shows, and where the network looked."""
        return await self.send(calls.predict(await _read(image), **options))

    async def predict_many(
        self, images: Iterable[Image], *, concurrency: int = 8, **options: Any
    ) -> AsyncGenerator[Outcome, None]:
        """Yield what becomes of each of many pictures, in order."""
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1; got {concurrency}")
        turns = asyncio.Semaphore(concurrency)
        waiting: deque[asyncio.Task[Outcome]] = deque()
        try:
            for image in images:
                waiting.append(asyncio.create_task(self._outcome(image, options, turns)))
                if len(waiting) >= 2 * concurrency:
                    yield await waiting[0]
                    waiting.popleft()
            while waiting:
                yield await waiting[0]
                waiting.popleft()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def warp(
        self,
        image: Image,
        theta: Sequence[float] | Sequence[Sequence[float]],
        **options: Any,
    ) -> Warped:
        """Return a picture warped by theta; `affine` makes one of words."""
        return await self.send(calls.warp(await _read(image), theta, **options))

    async def models(self) -> tuple[Model, ...]:
        """Return the models, their versions and states."""
        return await self.send(calls.models())

    async def ready(self) -> Readiness:
        """Return whether requests can be answered, and if not, why. It never tries again."""
        return await self.send(calls.ready(), NO_RETRIES)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def send(self, call: Call[T], retries: Retries | None = None) -> T:
        """Send one of `calls`, and again while it may pass; return its answer."""
        retries = retries or self._retries
        for attempt in count(1):
            try:
                return await self._try(call)
            except GatewayError as error:
                seconds = retries.wait_after(error, attempt, random.random)
                if seconds is None:
                    raise
            await asyncio.sleep(seconds)
        raise AssertionError  # count() has no end

    async def _try(self, call: Call[T]) -> T:
        try:
            response = await self._http.request(**call.arguments())
        except httpx.RequestError as error:
            raise lost(error, self._http) from error
        return call.answer(response)

    async def _outcome(
        self, image: Image, options: dict[str, Any], turns: asyncio.Semaphore
    ) -> Outcome:
        async with turns:
            try:
                return Outcome(image, await self.predict(image, **options))
            except (GatewayError, OSError) as error:
                return Outcome(image, error=error)


async def _read(image: Image) -> bytes:
    return image if isinstance(image, bytes) else await asyncio.to_thread(read_image, image)
