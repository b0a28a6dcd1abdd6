"""The client for ordinary code."""

import random
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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


class Client:
    """A client of the gateway. Threads may share one; it keeps its connections open.

    Args:
        url: of the gateway.
        api_key: where the gateway asks for one.
        timeout: seconds that one answer may take; the gateway is told, and gives up in time.
        retries: how to try again what may pass.

    Raises:
        ValueError: an argument cannot be right.

    Every method raises `GatewayError` when the gateway refuses or does not answer.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        api_key: str | None = None,
        *,
        timeout: float = 10.0,
        retries: Retries | None = None,
    ) -> None:
        self._http = httpx.Client(**connection(url, api_key, timeout))
        self._retries = retries or Retries()

    def predict(self, image: Image, **options: Any) -> Prediction:
        """Return what a picture shows, and where the network looked.

        Args:
            image: bytes or path of a PNG, JPEG or WebP file.
            options: `version` or `label` of the model, `top_k`, `fit` (`pad`, `stretch`, `crop`),
                `invert`, and `warped=True` for what the classifier saw.

        Raises:
            OSError: the file cannot be read.
        """
        return self._send(calls.predict(read_image(image), **options))

    def predict_many(
        self, images: Iterable[Image], *, concurrency: int = 8, **options: Any
    ) -> Iterator[Outcome]:
        """Return what becomes of each of many pictures, in order.

        One that fails stops none of the others. No more than twice `concurrency` pictures are held
        at a time, so that there may be any number of them.

        Args:
            images: bytes or paths; taken one by one.
            concurrency: requests under way at a time.
            options: as for `predict`.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1; got {concurrency}")
        return self._predict_many(images, concurrency, options)

    def warp(
        self,
        image: Image,
        theta: Sequence[float] | Sequence[Sequence[float]],
        **options: Any,
    ) -> Warped:
        """Return a picture warped by theta; `affine` makes one of words.

        Args:
            image: bytes or path of a PNG, JPEG or WebP file.
            theta: six numbers, or two rows of three: from output to input coordinates.
            options: `width`, `height`, `padding` (`zeros`, `border`, `reflection`),
                `interpolation` (`bilinear`, `nearest`), `version`, `label`.

        Raises:
            OSError: the file cannot be read.
        """
        return self._send(calls.warp(read_image(image), theta, **options))

    def models(self) -> tuple[Model, ...]:
        """Return the models, their versions and states."""
        return self._send(calls.models())

    def ready(self) -> Readiness:
        """Return whether requests can be answered, and if not, why. It never tries again."""
        return self._send(calls.ready(), NO_RETRIES)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, call: Call[T], retries: Retries | None = None) -> T:
        retries = retries or self._retries
        for attempt in count(1):
            try:
                return self._try(call)
            except GatewayError as error:
                seconds = retries.wait_after(error, attempt, random.random)
                if seconds is None:
                    raise
            time.sleep(seconds)
        raise AssertionError  # count() has no end

    def _try(self, call: Call[T]) -> T:
        try:
            response = self._http.request(**call.arguments())
        except httpx.RequestError as error:
            raise lost(error, self._http) from error
        return call.answer(response)

    def _predict_many(
        self, images: Iterable[Image], concurrency: int, options: dict[str, Any]
    ) -> Iterator[Outcome]:
        waiting: deque[Future[Outcome]] = deque()
        with ThreadPoolExecutor(concurrency) as pool:
            try:
                for image in images:
                    waiting.append(pool.submit(self._outcome, image, options))
                    if len(waiting) >= 2 * concurrency:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _outcome(self, image: Image, options: dict[str, Any]) -> Outcome:
        try:
            return Outcome(image, self.predict(image, **options))
        except (GatewayError, OSError) as error:
            return Outcome(image, error=error)
