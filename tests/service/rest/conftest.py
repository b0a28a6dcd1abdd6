"""A running gateway, one for each kind of backend: the same tests hold on all of them."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.gateway_process import start_gateway


@pytest.fixture(scope="session", params=["embedded"])
def gateway(request: pytest.FixtureRequest, models_folder: Path) -> Iterator[str]:
    """The address of a gateway with the shipped models behind it."""
    with start_gateway(models_folder) as running:
        yield running.url


@pytest.fixture
def client(gateway: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway, timeout=60) as connected:
        yield connected


@pytest.fixture
def async_client(gateway: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=gateway, timeout=60)
