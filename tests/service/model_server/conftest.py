"""Doubles of the model server, each loaded once, and a gateway process in front of one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.gateway_process import Gateway, start_gateway
from tests.serving_double.process import ServingDoubleProcess

_BATCHING = (
    "--enable_batching=true",
    "--enable_per_model_batching_parameters=true",
    "--enable_serialization_as_tensor_content=true",
)


@pytest.fixture
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, a gateway in this process takes no server for one that hangs."""
    for name in (
        "service.app._FIRST_LOOK_SECONDS",
        "service.model_server._ASK_SECONDS",
        "service.servable._ASK_SECONDS",
        "service.servable._PATIENCE_SECONDS",
        "service.catalogue._CANARY_GRACE_SECONDS",
    ):
        monkeypatch.setattr(name, 600.0)


@pytest.fixture(scope="session")
def socket_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("socket") / "grpc.sock"


@pytest.fixture(scope="session")
def _plain(models_folder: Path, socket_path: Path) -> Iterator[ServingDoubleProcess]:
    flags = ("--grpc_socket_path", str(socket_path), "--max-calls", "16")
    with ServingDoubleProcess(models_folder, flags) as running:
        yield running


@pytest.fixture(scope="session")
def _batching(models_folder: Path) -> Iterator[ServingDoubleProcess]:
    with ServingDoubleProcess(models_folder, (*_BATCHING, "--max-calls", "16")) as running:
        yield running


@pytest.fixture(scope="session")
def _unwatched(models_folder: Path) -> Iterator[ServingDoubleProcess]:
    with ServingDoubleProcess(models_folder, ("--max-calls", "6")) as running:
        yield running


@pytest.fixture
def double(_plain: ServingDoubleProcess) -> Iterator[ServingDoubleProcess]:
    """A server without batching that answers in typed fields, as it comes."""
    yield from _well(_plain)


@pytest.fixture
def unwatched_double(_unwatched: ServingDoubleProcess) -> Iterator[ServingDoubleProcess]:
    """A server that takes 6 calls at once, and canaries of no gateway but the test's own."""
    yield from _well(_unwatched)


@pytest.fixture
def batching_double(_batching: ServingDoubleProcess) -> Iterator[ServingDoubleProcess]:
    """A server that batches the classifier and answers in raw bytes."""
    yield from _well(_batching)


@pytest.fixture(scope="session")
def _gateway(_plain: ServingDoubleProcess, models_folder: Path) -> Iterator[Gateway]:
    flags = ("--model-server", _plain.address, "--poll-seconds", "0.2")
    with start_gateway(models_folder, *flags) as running:
        yield running


@pytest.fixture
def gateway(_gateway: Gateway, double: ServingDoubleProcess) -> Gateway:
    """A gateway of its own process in front of `double`, ready."""
    _gateway.wait_until_ready()
    return _gateway


def _well(double: ServingDoubleProcess) -> Iterator[ServingDoubleProcess]:
    if not double.is_running():
        double.kill()
        double.start()
    double.reset()
    yield double
    if double.is_running():
        double.resume()
        double.reset()
