"""The server dies, or freezes, under load, and comes back."""

import asyncio

import httpx

from tests.service.digits import Digits
from tests.service.gateway_process import Gateway
from tests.service.model_server.load import TIMEOUT_MS, Outcomes, load
from tests.serving_double.process import ServingDoubleProcess

# A machine that does other work too answers late; what hangs, hangs for much longer.
_MARGIN_SECONDS = 2.0


def test_killed_under_load_and_started_again(
    gateway: Gateway, double: ServingDoubleProcess, digits: Digits
) -> None:
    """SIGKILL: errors of ours in time, no wrong answer, never dead, and ready again by itself."""
    double.prepare()

    async def scenario() -> Outcomes:
        async with (
            httpx.AsyncClient(base_url=gateway.url, timeout=60) as client,
            load(client, digits) as outcomes,
        ):
            await outcomes.answered()
            await asyncio.to_thread(double.kill)
            await outcomes.until_readyz(503)
            await asyncio.sleep(1)
            await asyncio.to_thread(double.start)
            await outcomes.until_readyz(200)
            await outcomes.answered()
        return outcomes

    outcomes = asyncio.run(scenario())

    assert set(outcomes.statuses) <= {200, 503}
    assert outcomes.statuses[503] > 0
    assert_unharmed(outcomes)


def test_frozen_under_load_and_thawed(
    gateway: Gateway, double: ServingDoubleProcess, digits: Digits
) -> None:
    """SIGSTOP: connections stay, nothing answers; callers get their 504 in time."""

    async def scenario() -> Outcomes:
        async with (
            httpx.AsyncClient(base_url=gateway.url, timeout=60) as client,
            load(client, digits) as outcomes,
        ):
            await outcomes.answered()
            double.pause()
            await outcomes.until_readyz(503)
            double.resume()
            await outcomes.until_readyz(200)
            await outcomes.answered()
        return outcomes

    outcomes = asyncio.run(scenario())

    assert set(outcomes.statuses) <= {200, 503, 504}
    assert outcomes.statuses[504] > 0
    assert_unharmed(outcomes)


def assert_unharmed(outcomes: Outcomes) -> None:
    assert not outcomes.wrong
    assert outcomes.livez == {200}
    # On a busy machine the server may come back in more than one go.
    assert (outcomes.readyz[0], outcomes.readyz[-1]) == (200, 200)
    assert 503 in outcomes.readyz
    assert outcomes.slowest_seconds < TIMEOUT_MS / 1000 + _MARGIN_SECONDS
