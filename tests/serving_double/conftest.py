"""A model small enough to load in a moment, and servers that hold it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving_double.client import Client
from tests.serving_double.configuration import ServableConfig
from tests.serving_double.server import Options, ServingDouble
from tests.serving_double.tiny_model import save_tiny_model

Serve = Callable[..., Client]


@pytest.fixture(scope="session")
def tiny_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One version of the tiny model."""
    folder = tmp_path_factory.mktemp("tiny") / "model"
    save_tiny_model(folder)
    return folder


@pytest.fixture
def servable(tiny_version: Path, tmp_path: Path) -> Path:
    """The folder of a servable that holds versions 1 and 3."""
    folder = tmp_path / "models" / "tiny"
    for number in (1, 3):
        shutil.copytree(tiny_version, folder / str(number))
    return folder


@pytest.fixture
def serve(servable: Path) -> Iterator[Serve]:
    """Start a server, with options; it ends with the test."""
    started: list[tuple[ServingDouble, Client]] = []

    def start(config: dict[str, Any] | None = None, **options: Any) -> Client:
        configs = [ServableConfig("tiny", servable, **(config or {"latest": None}))]
        double = ServingDouble(Options(**{"configs": configs, "poll_seconds": 0.05, **options}))
        client = Client(f"127.0.0.1:{double.start()}", double)
        started.append((double, client))
        return client

    yield start
    for double, client in started:
        client.close()
        double.stop(grace_seconds=0)
