"""The server dies, or freezes, under load, and comes back."""

import asyncio

import httpx

from tests.service.digits import Digits
from tests.service.gateway_process import Gateway
from tests.service.model_server.load import Outcomes, load
from tests.serving_double.process import ServingDoubleProcess

# Of a caller whose server is frozen, and will be until he has been answered.
_HASTY_MS = 1500


def test_killed_under_load_and_started_again(
    gateway: Gateway, double: ServingDoubleProcess, digits: Digits
) -> None:
    """SIGKILL: errors of ours at once, no wrong answer, never dead, and ready again by itself."""
    double.prepare()

    async def scenario() -> Outcomes:
        async with (
            httpx.AsyncClient(base_url=gateway.url, timeout=150) as client,
            load(client, digits) as outcomes,
        ):
            await outcomes.until_readyz(200)
            await outcomes.answered()
            await asyncio.to_thread(double.kill)
            await outcomes.until_readyz(503)
            await outcomes.answered(status=503)
            await asyncio.to_thread(double.start)
            await outcomes.until_readyz(200)
            await outcomes.answered()
        return outcomes

    outcomes = asyncio.run(scenario())

    assert set(outcomes.statuses) == {200, 503}
    assert_unharmed(outcomes)


def test_frozen_under_load_and_thawed(
    gateway: Gateway, double: ServingDoubleProcess, digits: Digits
) -> None:
    """SIGSTOP: connections stay, nothing answers; callers get their 504 in time."""

    async def scenario() -> Outcomes:
        async with (
            httpx.AsyncClient(base_url=gateway.url, timeout=150) as client,
            load(client, digits, _HASTY_MS) as outcomes,
        ):
            await outcomes.until_readyz(200)
            await outcomes.answered()
            await asyncio.to_thread(double.pause)
            await outcomes.answered(6, status=504)
            await outcomes.until_readyz(503)
            double.resume()
            await outcomes.until_readyz(200)
            await outcomes.answered()
        return outcomes

    outcomes = asyncio.run(scenario())

    assert set(outcomes.statuses) <= {200, 503, 504}
    assert_unharmed(outcomes)


def assert_unharmed(outcomes: Outcomes) -> None:
    assert not outcomes.wrong
    assert outcomes.livez == {200}
