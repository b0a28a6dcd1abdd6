"""A running gateway, one for each kind of backend: the same tests hold on all of them."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.service.gateway_process import start_gateway
from tests.serving_double.process import ServingDoubleProcess

# The double in the two ways in which servers are run: plain, answers in typed fields; and batching
# the models that say so, answers as raw bytes.
# Canaries that a crowded machine answers late pile up: they must leave callers a thread.
_MANY = ("--max-calls", "64")
_LABELS = ("--labels", "stn:stable=1", "--labels", "warp:stable=1", *_MANY)
_DOUBLES = {
    "double": _LABELS,
    "double-batching": (
        *_LABELS,
        "--enable_batching=true",
        "--enable_per_model_batching_parameters=true",
        "--enable_serialization_as_tensor_content=true",
    ),
}


@pytest.fixture(
    scope="session",
    params=[
        "embedded",
        *_DOUBLES,
        pytest.param("model-server", marks=pytest.mark.model_server),
    ],
)
def gateway(request: pytest.FixtureRequest, models_folder: Path) -> Iterator[str]:
    """The address of a gateway with the shipped models behind it."""
    with ExitStack() as stack:
        flags: tuple[str, ...] = ()
        if request.param == "model-server":
            address = os.environ.get("STN_TEST_MODEL_SERVER")
            assert address, "set STN_TEST_MODEL_SERVER to host:port of a server with models/"
            flags = ("--model-server", address)
        elif request.param in _DOUBLES:
            double = ServingDoubleProcess(models_folder, _DOUBLES[request.param])
            flags = ("--model-server", stack.enter_context(double).address)
        running = stack.enter_context(start_gateway(models_folder, *flags))
        running.wait_until_ready()
        yield running.url


@pytest.fixture
def client(gateway: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway, timeout=60) as connected:
        yield connected


@pytest.fixture
def async_client(gateway: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=gateway, timeout=60)
