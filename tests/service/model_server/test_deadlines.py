"""Each call has the time that is left of its request's, and ends with its last caller."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from tests.service.gateway_process import Gateway
from tests.service.model_server.gateways import (
    MARK,
    eventually,
    marked,
    plain,
    play,
    predict,
)
from tests.service.pictures import encoded, noise
from tests.serving_double.process import ServingDoubleProcess

_MARGIN_SECONDS = 1.0
_GIVEN_UP = "Predict, given up"


@pytest.mark.parametrize(("asked", "given"), [("700", 0.7), ("25000", 25), ("9999999", 30)])
def test_the_server_is_told_the_time_that_is_left(
    double: ServingDoubleProcess, asked: str, given: float
) -> None:
    """Up to what the gateway allows at most."""

    async def scenario(client: httpx.AsyncClient) -> None:
        double.take_calls()
        for route, params in (("/predict", {}), ("/warp", {"theta": "1,0,0,0,1,0"})):
            answer = await client.post(
                route, content=plain(), params=params, headers={"x-request-timeout-ms": asked}
            )
            assert answer.status_code == 200
            (call,) = double.take_calls()
            # gRPC rounds what it sends up, by 1 % at the most.
            assert given - _MARGIN_SECONDS < call["seconds_left"] <= 1.01 * given

    play(double.address, scenario, poll_seconds=60)


@pytest.mark.parametrize("route", ["/predict", "/warp?theta=1,0,0,0,1,0"])
def test_a_server_that_hangs_is_a_504_in_time_and_leaves_no_task(
    double: ServingDoubleProcess, route: str
) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        before = asyncio.all_tasks()
        double.fault("hang", first_pixel=MARK, times=1)
        start = time.monotonic()
        answer = await client.post(route, content=marked(), headers={"x-request-timeout-ms": "300"})
        assert 0.3 <= time.monotonic() - start < 0.3 + _MARGIN_SECONDS
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
        await eventually(lambda: given_up(double))
        await eventually(lambda: True)
        assert {task for task in asyncio.all_tasks() if not task.done()} == before
        assert (await client.post(route, content=marked())).status_code == 200

    play(double.address, scenario, poll_seconds=60)


def test_who_shares_a_call_with_a_patient_caller_need_not_be_patient(
    double: ServingDoubleProcess,
) -> None:
    """A batch has the time of its most patient caller; each caller has his own."""

    async def scenario(client: httpx.AsyncClient) -> None:
        double.fault("hang", first_pixel=MARK, times=1)

        async def seconds(timeout_ms: int) -> float:
            start = time.monotonic()
            headers = {"x-request-timeout-ms": str(timeout_ms)}
            answer = await client.post("/predict", content=marked(), headers=headers)
            assert answer.status_code == 504
            return time.monotonic() - start

        double.take_calls()
        hasty, patient = await asyncio.gather(seconds(300), seconds(2500))
        assert double.take_calls()[0]["batch"] == 2
        assert hasty < 0.3 + _MARGIN_SECONDS
        assert patient >= 2.5

    play(double.address, scenario, poll_seconds=60)


@pytest.mark.parametrize("route", ["/predict", "/warp?theta=1,0,0,0,1,0", "/predict/batch"])
def test_a_caller_that_hangs_up_ends_the_call(
    gateway: Gateway, double: ServingDoubleProcess, route: str
) -> None:
    """The server is told at once, not when the time is up."""
    double.fault("hang", first_pixel=MARK, times=1)

    async def scenario() -> None:
        async with httpx.AsyncClient(base_url=gateway.url) as client:
            files = [("image", ("x.png", marked()))]
            headers = {"x-request-timeout-ms": "25000"}
            post = client.post(route, files=files, headers=headers)
            caller = asyncio.ensure_future(post)
            await eventually(lambda: called(double, 1))
            caller.cancel()
            await asyncio.gather(caller, return_exceptions=True)
            # Canaries have 5 seconds; these had many more left.
            await eventually(lambda: any(seconds > 5 for seconds in given_up(double)))
            answer = await client.post(route, files=files)
            assert answer.status_code == 200

    asyncio.run(scenario())


def test_a_batch_ends_when_the_last_of_its_callers_has_gone(
    gateway: Gateway, double: ServingDoubleProcess
) -> None:
    """Two share a call that hangs; one leaves and nothing happens, the other and it ends."""

    async def scenario() -> None:
        limits = httpx.Limits(max_connections=10)
        async with httpx.AsyncClient(base_url=gateway.url, limits=limits) as client:
            # Both turns of the classifier are taken, so that what comes next goes together.
            double.fault("hang", first_pixel=MARK, times=3)

            def ask(content: bytes) -> "asyncio.Task[httpx.Response]":
                headers = {"x-request-timeout-ms": "25000"}
                return asyncio.ensure_future(
                    client.post("/predict", content=content, headers=headers)
                )

            first = [ask(marked())]
            await eventually(lambda: called(double, 1))
            first.append(ask(marked()))
            await eventually(lambda: called(double, 1))
            pair = [ask(marked()), ask(plain())]
            await asyncio.sleep(0.3)
            for caller in first:
                caller.cancel()
            await eventually(lambda: called(double, 2))

            pair[0].cancel()
            await asyncio.sleep(0.5)
            assert not given_up(double)
            pair[1].cancel()
            await eventually(lambda: given_up(double))
            await asyncio.gather(*first, *pair, return_exceptions=True)
            assert (await predict(client, marked())).status_code == 200

    asyncio.run(scenario())


def test_hanging_up_while_the_body_comes_or_after_the_answer_harms_nobody(
    gateway: Gateway, double: ServingDoubleProcess
) -> None:
    """Many callers who leave at odd moments; the one who stays gets his answer."""
    large = encoded(noise(300, 400))

    async def scenario() -> None:
        async with httpx.AsyncClient(base_url=gateway.url) as client:
            double.fault("slow", milliseconds=80)
            for wait in (0.0, 0.01, 0.05, 0.06, 0.1):
                callers = [
                    asyncio.ensure_future(predict(client, large)),
                    asyncio.ensure_future(predict(client, plain())),
                ]
                await asyncio.sleep(wait)
                for caller in callers:
                    caller.cancel()
                await asyncio.gather(*callers, return_exceptions=True)
            assert (await predict(client, plain())).status_code == 200

    asyncio.run(scenario())


def calls_of_callers(double: ServingDoubleProcess) -> Sequence[dict[str, Any]]:
    """Return the calls taken that are no canaries: those have less time."""
    return [c for c in double.take_calls() if (c["seconds_left"] or 0) > 5.5 or c["batch"] == 2]


def called(double: ServingDoubleProcess, rows: int) -> bool:
    return any(c["batch"] == rows for c in calls_of_callers(double))


def given_up(double: ServingDoubleProcess) -> list[float]:
    """Return the seconds that calls had left when nobody waited for them any more."""
    return [c["seconds_left"] for c in double.take_calls() if c["method"] == _GIVEN_UP]
