"""A gateway in this process in front of a model server, for a scenario."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import numpy as np

from service.model_server import ModelServerAddress, ModelServerBackend
from service.settings import Settings
from tests.service.fakes import gateway_on, until_ready
from tests.service.pictures import encoded
from tests.serving_double.process import ServingDoubleProcess

Scenario = Callable[[httpx.AsyncClient], Awaitable[None]]

# However slow the machine that runs the tests is, time is not what is tested.
_PATIENT = {"request_timeout_ms": 120_000, "max_request_timeout_ms": 600_000}

SIDE = 42  # of the classifier's input
MARK = 201  # first pixel of a picture that a fault is to find


def play(
    target: str | ModelServerAddress, scenario: Scenario, ready: bool = True, **settings: Any
) -> None:
    """Run a scenario with a client of a gateway in front of a model server."""
    address = target if isinstance(target, ModelServerAddress) else ModelServerAddress(target)
    settings = {"poll_seconds": 0.1, **_PATIENT, **settings}
    max_pixels = Settings(**settings).max_pixels

    async def run() -> None:
        backend = ModelServerBackend(address, max_elements=4 * max_pixels)
        async with gateway_on(backend, **settings) as (client, _):
            client.timeout = httpx.Timeout(60)
            if ready:
                await until_ready(client)
            await scenario(client)

    asyncio.run(run())


def marked(shade: int = 0) -> bytes:
    """Return a picture of the classifier's own size whose first pixel is MARK."""
    picture = np.full((SIDE, SIDE), shade, np.uint8)
    picture[0, 0] = MARK
    return encoded(picture)


def plain(shade: int = 0) -> bytes:
    """Return a picture of the classifier's own size that no fault looks for."""
    picture = np.full((SIDE, SIDE), shade, np.uint8)
    picture[0, 0] = 0
    return encoded(picture)


async def predict(client: httpx.AsyncClient, content: bytes, **params: Any) -> httpx.Response:
    return await client.post("/predict", content=content, params=params)


def marked_calls(double: ServingDoubleProcess) -> list[dict[str, Any]]:
    """Return the calls taken with a marked picture: none of them is a canary."""
    return [call for call in double.take_calls() if MARK in call["first_pixels"]]


async def eventually(holds: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until something holds; what it does may block."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
