"""Each call has the time that is left of its request's, and ends with its last caller."""

import asyncio
import time
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.service.gateway_process import Gateway
from tests.service.model_server.gateways import (
    MARK,
    eventually,
    marked,
    marked_calls,
    plain,
    play,
    predict,
)
from tests.service.pictures import encoded, noise
from tests.serving_double.process import ServingDoubleProcess

pytestmark = pytest.mark.usefixtures("no_hurry")

# Longer than any test waits: what ends sooner was not ended by this.
_AGES_MS = 600_000
_FOR_AGES: dict[str, Any] = {"request_timeout_ms": _AGES_MS, "max_request_timeout_ms": _AGES_MS}
_GIVEN_UP = "Predict, given up"


@pytest.mark.parametrize(("asked", "given"), [("20000", 20), ("25000", 25), ("9999999", 30)])
def test_the_server_is_told_the_time_that_is_left(
    double: ServingDoubleProcess, asked: str, given: float
) -> None:
    """Up to what the gateway allows at most."""

    async def scenario(client: httpx.AsyncClient) -> None:
        double.take_calls()
        for route in ("/predict", "/warp?theta=1,0,0,0,1,0"):
            start = time.monotonic()
            answer = await client.post(
                route, content=marked(), headers={"x-request-timeout-ms": asked}
            )
            spent = time.monotonic() - start
            assert answer.status_code == 200
            (call,) = marked_calls(double)
            assert call["method"] == "Predict"
            # gRPC rounds what it sends up, by 1 % at the most.
            assert given - spent < call["seconds_left"] <= 1.01 * given

    play(double.address, scenario, poll_seconds=60, max_request_timeout_ms=30_000)


@pytest.mark.parametrize("route", ["/predict", "/warp?theta=1,0,0,0,1,0"])
def test_a_server_that_hangs_is_a_504_in_time_and_leaves_no_task(
    double: ServingDoubleProcess, route: str
) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        # After a first answer the gateway's own tasks have begun, too.
        assert (await client.post(route, content=marked())).status_code == 200
        before = asyncio.all_tasks()
        double.take_calls()
        double.fault("hang", first_pixel=MARK)
        start = time.monotonic()
        answer = await client.post(route, content=marked(), headers={"x-request-timeout-ms": "300"})
        assert time.monotonic() - start >= 0.3
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
        await eventually_no_tasks_but(before)
        # On a machine so slow that the call never left, there is none to give up.
        calls: Counter[str] = Counter()

        def as_many_given_up() -> bool:
            calls.update(call["method"] for call in marked_calls(double))
            return calls["Predict"] == calls[_GIVEN_UP]

        await eventually(as_many_given_up)
        double.clear_faults()
        assert (await client.post(route, content=marked())).status_code == 200

    play(double.address, scenario, poll_seconds=3600, **_FOR_AGES)


def test_who_shares_a_call_with_a_patient_caller_need_not_be_patient(
    double: ServingDoubleProcess,
) -> None:
    """A batch has the time of its most patient caller; each caller has his own."""

    async def scenario(client: httpx.AsyncClient) -> None:
        double.fault("hang", first_pixel=MARK)
        hasty, patient = await share_a_call(client, double, 2000, _AGES_MS)
        assert (await hasty).status_code == 504
        double.release()
        assert (await patient).status_code == 200

    play(double.address, scenario, poll_seconds=60, **_FOR_AGES)


@pytest.mark.parametrize("route", ["/predict", "/warp?theta=1,0,0,0,1,0", "/predict/batch"])
def test_a_caller_that_hangs_up_ends_the_call(
    gateway: Gateway, double: ServingDoubleProcess, route: str
) -> None:
    """The server is told at once, not when the time is up."""
    double.fault("hang", first_pixel=MARK, times=1)

    async def scenario() -> None:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
            files = [("image", ("x.png", marked()))]
            headers = {"x-request-timeout-ms": str(_AGES_MS)}
            post = client.post(route, files=files, headers=headers)
            caller = asyncio.ensure_future(post)
            await eventually(lambda: marked_calls(double))
            await leave(caller)
            await eventually(lambda: given_up(double))
            answer = await client.post(route, files=files)
            assert answer.status_code == 200

    asyncio.run(scenario())


def test_a_call_goes_on_when_only_one_of_its_callers_leaves(double: ServingDoubleProcess) -> None:
    """The other one gets the answer to the call that they shared."""

    async def scenario(client: httpx.AsyncClient) -> None:
        double.fault("hang", first_pixel=MARK)
        leaver, stayer = await share_a_call(client, double, _AGES_MS, _AGES_MS)
        await leave(leaver)
        double.release()
        assert (await stayer).status_code == 200
        assert not marked_calls(double)

    play(double.address, scenario, poll_seconds=60, **_FOR_AGES)


def test_a_call_ends_when_the_last_of_its_callers_has_gone(double: ServingDoubleProcess) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        double.fault("hang", first_pixel=MARK)
        await leave(*await share_a_call(client, double, _AGES_MS, _AGES_MS))
        await eventually(lambda: given_up(double))
        double.clear_faults()
        assert (await predict(client, marked())).status_code == 200

    play(double.address, scenario, poll_seconds=60, **_FOR_AGES)


def test_hanging_up_while_the_body_comes_or_after_the_answer_harms_nobody(
    gateway: Gateway, double: ServingDoubleProcess
) -> None:
    """Many callers who leave at odd moments; the one who stays gets his answer."""
    large = encoded(noise(300, 400))

    async def scenario() -> None:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
            double.fault("slow", milliseconds=80)
            for wait in (0.0, 0.01, 0.05, 0.06, 0.1):
                callers = [
                    asyncio.ensure_future(predict(client, large)),
                    asyncio.ensure_future(predict(client, plain())),
                ]
                await asyncio.sleep(wait)
                await leave(*callers)
            assert (await predict(client, plain())).status_code == 200

    asyncio.run(scenario())


async def share_a_call(
    client: httpx.AsyncClient, double: ServingDoubleProcess, *timeouts_ms: int
) -> "list[asyncio.Task[httpx.Response]]":
    """Return callers with these patiences, when the server has them all in one call."""
    double.take_calls()
    callers = [
        asyncio.ensure_future(
            client.post("/predict", content=marked(), headers={"x-request-timeout-ms": str(ms)})
        )
        for ms in timeouts_ms
    ]
    calls: list[dict[str, Any]] = []

    def have_called() -> bool:
        calls.extend(marked_calls(double))
        return bool(calls)

    await eventually(have_called)
    assert [call["batch"] for call in calls] == [len(timeouts_ms)]
    return callers


async def leave(*callers: "asyncio.Task[httpx.Response]") -> None:
    """Let callers hang up."""
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)


async def eventually_no_tasks_but(allowed: "set[asyncio.Task[Any]]") -> None:
    """Wait until the event loop has no tasks but these."""
    async with asyncio.timeout(60):
        while asyncio.all_tasks() - allowed:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def given_up(double: ServingDoubleProcess) -> bool:
    """Tell whether nobody waits for one of them any more."""
    return any(call["method"] == _GIVEN_UP for call in marked_calls(double))
