"""What is sent again, when, and how often; over real sockets, with a clock that only notes."""

import asyncio
import itertools
import socket
from typing import Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stn_client import AsyncClient, Client, GatewayError, Retries
from tests.client.conftest import Scripted, Stub, good, problem

GONE = Scripted(None)


class Ask(Protocol):
    def __call__(self, url: str, **options: Any) -> Any: ...


def ask_sync(url: str, **options: Any) -> Any:
    with Client(url, **options) as client:
        return client.predict(b"picture")


def ask_async(url: str, **options: Any) -> Any:
    async def run() -> Any:
        async with AsyncClient(url, **options) as client:
            return await client.predict(b"picture")

    return asyncio.run(run())


@pytest.fixture(params=[ask_sync, ask_async])
def ask(request: pytest.FixtureRequest) -> Ask:
    asked: Ask = request.param
    return asked


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody sleeps; how long they wanted to is noted."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("stn_client.sync.time.sleep", waits.append)
    monkeypatch.setattr("stn_client.aio.asyncio.sleep", sleep)
    return waits


@pytest.mark.parametrize(
    "refusal", [problem(503, "overloaded"), problem(429, "rate_limited"), GONE]
)
def test_what_may_pass_is_sent_again(
    stub: Stub, ask: Ask, slept: list[float], refusal: Scripted
) -> None:
    stub.answers = [refusal, refusal, good("4")]

    assert ask(stub.url).label == "4"

    assert len(stub.requests) == 3
    assert {body for _, body in stub.requests} == {b"picture"}
    assert len(slept) == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *[(400, "malformed_request"), (401, "unauthorized"), (404, "unknown_version")],
        *[(408, "body_too_slow"), (413, "body_too_large"), (422, "undecodable_image")],
        *[(500, "internal_error"), (502, "contract_broken"), (504, "deadline_exceeded")],
    ],
)
def test_nothing_else_is_sent_again(stub: Stub, ask: Ask, status: int, code: str) -> None:
    stub.answers = [problem(status, code), good()]

    with pytest.raises(GatewayError) as refused:
        ask(stub.url)

    assert (refused.value.code, refused.value.status) == (code, status)
    assert len(stub.requests) == 1


def test_retry_after_is_obeyed(stub: Stub, ask: Ask, slept: list[float]) -> None:
    """Never earlier, and little later."""
    stub.answers = [problem(503, "overloaded", retry_after="7"), good()]

    ask(stub.url, retries=Retries(first_wait_seconds=1))

    assert 7.5 <= slept[0] <= 8


def test_who_is_asked_to_wait_too_long_gives_up(stub: Stub, ask: Ask, slept: list[float]) -> None:
    stub.answers = [problem(429, "rate_limited", retry_after="31"), good()]

    with pytest.raises(GatewayError) as refused:
        ask(stub.url)

    assert refused.value.retry_after == 31
    assert slept == []


def test_the_tries_are_bounded(stub: Stub, ask: Ask, slept: list[float]) -> None:
    stub.answers = [problem(503, "overloaded")]

    with pytest.raises(GatewayError, match="a sentence about overloaded"):
        ask(stub.url, retries=Retries(attempts=4))

    assert len(stub.requests) == 4
    assert len(slept) == 3


def test_a_gateway_that_is_not_there_is_tried_again_and_named(ask: Ask, slept: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

    with pytest.raises(GatewayError, match=url) as lost:
        ask(url, retries=Retries(attempts=3))

    assert lost.value.code == "connection_failed"
    assert lost.value.status is None
    assert len(slept) == 2


@given(
    attempt=st.integers(1, 100),
    asked=st.one_of(st.none(), st.floats(0, 30)),
    luck=st.floats(0, 1, exclude_max=True),
)
def test_a_wait_is_at_least_what_is_asked_and_bounded(
    attempt: int, asked: float | None, luck: float
) -> None:
    error = GatewayError("overloaded", "full", status=503, retry_after=asked)

    wait = Retries(attempts=1000).wait_after(error, attempt, lambda: luck)

    assert wait is not None
    assert (asked or 0) < wait <= (asked or 0) + 30


def test_the_backoff_doubles_and_luck_spreads_it() -> None:
    error = GatewayError("overloaded", "full", status=503)
    lowest, highest = (
        [Retries().wait_after(error, attempt, lambda: luck) or 0 for attempt in range(1, 6)]  # noqa: B023
        for luck in (0.0, 1.0)
    )

    assert highest == [0.25, 0.5, 1, 2, 4]
    assert lowest == [wait / 2 for wait in highest]
    assert all(later == 2 * sooner for sooner, later in itertools.pairwise(lowest))


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"first_wait_seconds": -1}, {"longest_wait_seconds": float("nan")}]
)
def test_retries_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Retries(**wrong)
