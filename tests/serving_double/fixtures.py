"""Fixtures for tests that need a model server. A conftest.py imports those that it offers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving_double.process import ServingDoubleProcess


@pytest.fixture(scope="session")
def serving_double_process(models_folder: Path) -> Iterator[ServingDoubleProcess]:
    """The shipped models behind a double, loaded once for all tests."""
    with ServingDoubleProcess(models_folder) as double:
        yield double


@pytest.fixture
def serving_double(
    serving_double_process: ServingDoubleProcess,
) -> Iterator[ServingDoubleProcess]:
    """A double that runs and does nothing wrong, whatever the test before did to it."""
    double = serving_double_process
    if not double.is_running():
        double.kill()
        double.start()
    double.reset()
    yield double
    if double.is_running():
        double.resume()
        double.reset()
