"""How often a caller may ask."""

import asyncio
from typing import Any

import pytest

from service.context import RequestContext
from service.errors import RateLimited
from service.guards import RateGuard
from tests.service.fakes import FakeBackend, gateway_on


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def ask(guard: RateGuard, caller: str = "", address: str = "192.0.2.1") -> int:
    """Return 0 when a request is allowed, else the seconds to wait."""
    scope: dict[str, Any] = {"client": (address, 4711)}
    try:
        guard(scope, RequestContext("id", "", 0.0, caller=caller))
    except RateLimited as error:
        return error.retry_after_seconds
    return 0


def test_so_many_at_once_and_then_as_many_as_flow_in() -> None:
    clock = Clock()
    guard = RateGuard(per_second=2, burst=3, clock=clock)

    assert [ask(guard) for _ in range(4)] == [0, 0, 0, 1]
    clock.now += 0.5
    assert [ask(guard) for _ in range(2)] == [0, 1]
    clock.now += 3600
    assert [ask(guard) for _ in range(4)] == [0, 0, 0, 1]


@pytest.mark.parametrize(("per_second", "wait"), [(10, 1), (0.5, 2), (0.01, 100)])
def test_retry_after_is_when_the_next_is_allowed(per_second: float, wait: int) -> None:
    """Not a second earlier is it, and whoever waits so long is let in."""
    clock = Clock()
    guard = RateGuard(per_second, burst=1, clock=clock)
    ask(guard)

    assert ask(guard) == wait
    clock.now += wait
    assert ask(guard) == 0


def test_waiting_in_vain_does_not_lengthen_the_wait() -> None:
    clock = Clock()
    guard = RateGuard(per_second=1, burst=1, clock=clock)
    ask(guard)
    for _ in range(10):
        ask(guard)
    clock.now += 1

    assert ask(guard) == 0


def test_callers_do_not_pay_for_one_another() -> None:
    """Known by key, whatever their address; without keys, by address."""
    guard = RateGuard(per_second=1, burst=1, clock=Clock())

    assert ask(guard, "bob", "192.0.2.1") == 0
    assert ask(guard, "bob", "192.0.2.2") == 1
    assert ask(guard, "eve", "192.0.2.1") == 0
    assert ask(guard, "", "192.0.2.1") == 0
    assert ask(guard, "", "192.0.2.1") == 1
    assert ask(guard, "", "192.0.2.2") == 0


def test_a_key_cannot_be_named_like_an_address() -> None:
    guard = RateGuard(per_second=1, burst=1, clock=Clock())

    assert ask(guard, "192.0.2.1", "192.0.2.9") == 0
    assert ask(guard, "", "192.0.2.1") == 0


def test_no_more_callers_are_remembered_than_some() -> None:
    guard = RateGuard(per_second=1, burst=1, clock=Clock())
    for number in range(10_100):
        ask(guard, address=str(number))

    assert len(guard._buckets) == 10_000


def test_the_answer_is_429_with_retry_after_and_health_is_exempt() -> None:
    async def run() -> None:
        limits: dict[str, Any] = {"rate_limit_per_second": 0.001, "rate_limit_burst": 1}
        async with gateway_on(FakeBackend(), **limits) as (client, _):
            assert (await client.get("/models")).status_code == 200
            refused = await client.get("/models")
            assert refused.status_code == 429
            assert refused.json()["code"] == "rate_limited"
            assert int(refused.headers["retry-after"]) in range(900, 1001)
            for _ in range(5):
                assert (await client.get("/livez")).status_code == 200

    asyncio.run(run())
