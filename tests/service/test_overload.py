"""More than the gateway can do: what was begun is finished, the rest is refused at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from service.backend import Arrays, Call
from tests.service.fakes import FakeBackend, gateway_on, until_ready
from tests.service.pictures import encoded, noise

SMALL = encoded(np.full((4, 6), 255, np.uint8))
LARGE = encoded(noise(200, 300))
IDENTITY = "1,0,0,0,1,0"
# One call at a time, one picture each: three are taken on.
TIGHT: dict[str, Any] = {"max_batch_size": 1, "decode_threads": 1, "poll_seconds": 60}

Scenario = Callable[[httpx.AsyncClient, FastAPI, "Stuck"], Awaitable[None]]


class Stuck(FakeBackend):
    """Answers when it is let go.

    Attributes:
        go: for what it waits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.go.set()

    async def run(self, call: Call, deadline: float) -> Arrays:
        await self.go.wait()
        return await super().run(call, deadline)


def play(scenario: Scenario) -> None:
    async def run() -> None:
        backend = Stuck()
        async with gateway_on(backend, **TIGHT) as (client, app):
            await until_ready(client)
            backend.go.clear()
            client.headers["x-request-timeout-ms"] = "30000"
            await scenario(client, app, backend)

    asyncio.run(run())


async def in_progress(app: FastAPI, model: str, count: int) -> None:
    """Wait until so many requests are."""
    async with asyncio.timeout(30):
        while app.state.admission.traffics[model].lane.load != count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("model", "other", "route", "content"),
    [
        ("stn", f"/warp?theta={IDENTITY}", "/predict", SMALL),
        ("warp", "/predict", f"/warp?theta={IDENTITY}", SMALL),
        ("stn", f"/warp?theta={IDENTITY}", "/predict/batch", SMALL),
    ],
)
def test_three_are_finished_the_fourth_is_refused_and_other_work_goes_on(
    model: str, other: str, route: str, content: bytes
) -> None:
    async def scenario(client: httpx.AsyncClient, app: FastAPI, backend: Stuck) -> None:
        taken = [asyncio.ensure_future(client.post(route, content=content)) for _ in range(3)]
        await in_progress(app, model, 3)

        refused = await client.post(route, content=content)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await client.get(path)).status_code == 200
        different = asyncio.ensure_future(client.post(other, content=SMALL))
        await in_progress(app, "stn" if model == "warp" else "warp", 1)

        backend.go.set()
        answers = await asyncio.gather(*taken, different)
        assert [answer.status_code for answer in answers] == [200] * 4
        assert (await client.post(route, content=content)).status_code == 200

    play(scenario)


def test_who_hangs_up_while_waiting_makes_room() -> None:
    async def scenario(client: httpx.AsyncClient, app: FastAPI, backend: Stuck) -> None:
        taken = [asyncio.ensure_future(client.post("/predict", content=SMALL)) for _ in range(3)]
        await in_progress(app, "stn", 3)
        taken[1].cancel()
        await in_progress(app, "stn", 2)
        taken[1] = asyncio.ensure_future(client.post("/predict", content=SMALL))
        await in_progress(app, "stn", 3)
        backend.go.set()
        assert [answer.status_code for answer in await asyncio.gather(*taken)] == [200] * 3

    play(scenario)


def test_another_caller_finds_room_and_the_greedy_one_is_told_so() -> None:
    async def scenario(client: httpx.AsyncClient, app: FastAPI, backend: Stuck) -> None:
        lane = app.state.admission.traffics["stn"].lane
        lane.full = 4
        taken = [asyncio.ensure_future(client.post("/predict", content=SMALL)) for _ in range(12)]
        await in_progress(app, "stn", 12)
        transport = httpx.ASGITransport(app, client=("10.1.2.3", 4))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as other:
            taken.append(asyncio.ensure_future(other.post("/predict", content=SMALL)))
            await in_progress(app, "stn", 13)
            refused = await client.post("/predict", content=SMALL)
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
            assert "retry-after" in refused.headers
            backend.go.set()
            assert {answer.status_code for answer in await asyncio.gather(*taken)} == {200}

    play(scenario)


def test_a_batch_of_large_pictures_is_not_too_many_for_itself() -> None:
    async def scenario(client: httpx.AsyncClient, app: FastAPI, backend: Stuck) -> None:
        backend.go.set()
        files = [("image", ("x.png", LARGE)) for _ in range(20)]
        answer = await client.post("/predict/batch", files=files)
        assert answer.status_code == 200
        assert len(answer.json()["predictions"]) == 20

    play(scenario)


def test_the_refusal_comes_before_the_body() -> None:
    async def scenario(client: httpx.AsyncClient, app: FastAPI, backend: Stuck) -> None:
        taken = [asyncio.ensure_future(client.post("/predict", content=SMALL)) for _ in range(3)]
        await in_progress(app, "stn", 3)
        pieces: list[bytes] = []

        async def body() -> AsyncIterator[bytes]:
            pieces.append(SMALL)
            yield SMALL

        refused = await client.post("/predict", content=body())
        assert refused.status_code == 503
        assert pieces == []
        backend.go.set()
        await asyncio.gather(*taken)
        assert (await client.post("/predict", content=body())).status_code == 200
        assert pieces == [SMALL]

    play(scenario)


def test_large_pictures_are_bounded_by_themselves() -> None:
    """Two for the one thread; small ones pass them by."""

    async def scenario(client: httpx.AsyncClient, app: FastAPI, backend: Stuck) -> None:
        route = f"/warp?theta={IDENTITY}"
        traffic = app.state.admission.traffics["warp"]
        traffic.lane.full = 100
        taken = [asyncio.ensure_future(client.post(route, content=LARGE)) for _ in range(2)]
        async with asyncio.timeout(30):
            while traffic.pictures.count < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        refused = await client.post(route, content=LARGE)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        taken.append(asyncio.ensure_future(client.post(route, content=SMALL)))
        await in_progress(app, "warp", 3)
        backend.go.set()
        assert {answer.status_code for answer in await asyncio.gather(*taken)} == {200}
        assert traffic.pictures.count == 0

    play(scenario)
