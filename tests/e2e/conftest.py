"""A gateway with the shipped models, as `scripts/serve` starts it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.gateway_process import start_gateway

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def embedded_gateway() -> Iterator[str]:
    """The address of the gateway."""
    with start_gateway(ROOT / "models") as running:
        running.wait_until_ready()
        yield running.url
