"""Failing calls: which are sent again, when no more are sent, and how service returns."""

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from service.backend import SignatureSpec
from service.calls import GuardedCalls
from service.catalogue import Catalogue
from service.errors import DeadlineExceeded
from tests.service.fakes import FakeBackend, until, until_ready
from tests.service.model_server.gateways import MARK, eventually, marked, plain, play, predict
from tests.serving_double.process import ServingDoubleProcess

_QUEUE_FULL = "The batch scheduling queue to which this task was submitted is full"
_PATIENT = {"x-request-timeout-ms": "300000"}


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
@pytest.mark.parametrize("route", ["/predict", "/warp?theta=1,0,0,0,1,0"])
def test_one_lost_call_is_not_noticed(double: ServingDoubleProcess, code: str, route: str) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        double.fault("error", code=code, first_pixel=MARK, times=1)
        assert (await client.post(route, content=marked())).status_code == 200
        double.fault("error", code=code, first_pixel=MARK, times=2)
        assert (await client.post(route, content=marked())).status_code == 503
        assert (await client.post(route, content=marked())).status_code == 200

    play(double.address, scenario, poll_seconds=60)


def test_a_full_batching_queue_is_an_overload_and_opens_no_breaker(
    double: ServingDoubleProcess,
) -> None:
    """Though the server's code is the one of a server that is not there."""

    async def scenario(client: httpx.AsyncClient) -> None:
        double.fault("error", code="UNAVAILABLE", message=_QUEUE_FULL, first_pixel=MARK)
        for _ in range(5):
            answer = await predict(client, marked())
            assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert (await client.get("/readyz")).json()["breakers"]["stn"] == "closed"

    play(double.address, scenario, poll_seconds=60)


def test_calls_stop_when_too_many_went_unanswered_and_go_on_after_a_trial(
    double: ServingDoubleProcess,
) -> None:
    """Meanwhile callers are told at once, /readyz says why, and the other model is in service."""

    async def scenario(client: httpx.AsyncClient) -> None:
        double.fault("error", code="UNAVAILABLE", servable="stn")
        for _ in range(3):
            assert (await predict(client, plain())).status_code == 503
        told = await until(client, "/readyz", lambda d: d["breakers"]["stn"] != "closed")
        assert told["breakers"]["warp"] == "closed"
        assert any(reason.startswith("stn: ") for reason in told["reasons"])

        double.take_calls()
        answer = await predict(client, marked())
        assert (answer.status_code, answer.json()["code"]) == (503, "model_server_unavailable")
        assert not [call for call in double.take_calls() if MARK in call["first_pixels"]]
        warped = await client.post("/warp?theta=1,0,0,0,1,0", content=plain())
        assert warped.status_code == 200

        double.clear_faults()
        await until_ready(client)
        assert (await predict(client, marked())).status_code == 200

    play(double.address, scenario)


def test_calls_that_hang_for_good_are_sent_again_once_the_server_answers_others(
    unwatched_double: ServingDoubleProcess,
) -> None:
    """They would take up every turn until their deadlines, minutes after the server's return."""

    async def scenario(client: httpx.AsyncClient) -> None:
        hanging = Hanging(unwatched_double)
        callers = await hanging.callers(client)
        # Only canaries can be: both turns of callers are taken.
        before = hanging.count(is_marked=False)
        await eventually(lambda: hanging.count(is_marked=False) > before)

        unwatched_double.clear_faults()

        answers = await asyncio.gather(*callers)
        assert [answer.status_code for answer in answers] == [200] * 3

    play(unwatched_double.address, scenario, max_request_timeout_ms=300_000)


def test_a_server_that_hangs_and_has_no_room_for_canaries_is_not_taken_for_busy(
    unwatched_double: ServingDoubleProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its refusals would hide that it hangs: callers would go on waiting, before and after."""
    monkeypatch.setattr("service.servable._PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr("service.servable._ASK_SECONDS", 2.0)

    async def scenario(client: httpx.AsyncClient) -> None:
        hanging = Hanging(unwatched_double)
        callers = await hanging.callers(client)
        await until(client, "/readyz", lambda d: d["breakers"]["stn"] != "closed")
        assert [caller.done() for caller in callers] == [False] * 3

        unwatched_double.clear_faults()

        answers = await asyncio.gather(*callers)
        assert [answer.status_code for answer in answers] == [200] * 3

    play(unwatched_double.address, scenario, max_request_timeout_ms=300_000)


class Hanging:
    """The classifier's calls that a server does not answer, from now on."""

    def __init__(self, double: ServingDoubleProcess) -> None:
        double.fault("hang", servable="stn")
        self._double = double
        self._pixels: list[list[float]] = []

    def count(self, is_marked: bool) -> int:
        """Return how many there are with a marked picture, or how many others."""
        calls = self._double.take_calls()
        self._pixels.extend(call["first_pixels"] for call in calls if call["faults"] == ["hang"])
        return sum((MARK in pixels) == is_marked for pixels in self._pixels)

    async def callers(self, client: httpx.AsyncClient) -> "list[asyncio.Task[httpx.Response]]":
        """Return callers that take both turns, and one that waits for its own."""

        def call(content: bytes) -> "asyncio.Task[httpx.Response]":
            post = client.post("/predict", content=content, headers=_PATIENT)
            return asyncio.ensure_future(post)

        callers = []
        for number in (1, 2):
            callers.append(call(marked()))
            await eventually(lambda n=number: self.count(is_marked=True) == n)  # type: ignore[misc]
        return [*callers, call(plain())]


class HangsInVersion2(FakeBackend):
    """Has a second version, and does not tell its signatures in time."""

    def __init__(self) -> None:
        super().__init__()
        self.states["stn"] = {1: "AVAILABLE", 2: "AVAILABLE"}

    async def signatures(self, servable: str, version: int) -> Mapping[str, SignatureSpec]:
        if version == 2:
            raise DeadlineExceeded("it did not answer in time")
        return await super().signatures(servable, version)


def test_a_new_version_that_hangs_does_not_stop_the_one_in_use() -> None:
    async def scenario() -> None:
        backend = HangsInVersion2()
        calls = GuardedCalls(backend.run, ("stn", "warp"))
        catalogue = Catalogue(backend, "stn", "warp", 60, calls)
        for _ in range(5):
            await catalogue.refresh()
        assert set(catalogue.classifier.models) == {1}
        assert "did not answer" in catalogue.classifier.problems[2]
        assert catalogue.not_ready_because() == []
        assert calls.breakers["stn"].state == "closed"

    asyncio.run(scenario())
