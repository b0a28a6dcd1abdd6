"""Every scenario in small: what does not depend on speed must hold on any machine."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from tests.torture.bench import QUICK, Bench, Scenario
from tests.torture.scenarios import drain, faults, hangups, hostile, keys, slow, swaps
from tests.torture.table import Row

MODELS = Path(__file__).parents[2] / "models"
SIZES = replace(QUICK, hostile=800, hangups=100, slow=24, slow_seconds=0.5, drains=1)


# The rest costs a start of TensorFlow each, and tells nothing new of the gateway.
EMBEDDED = (hostile.SCENARIO, hangups.SCENARIO)
BEFORE_A_SERVER = (
    hostile.SCENARIO,
    keys.SCENARIO,
    hangups.SCENARIO,
    slow.SCENARIO,
    faults.SCENARIO,
    swaps.SCENARIO,
    drain.SCENARIO,
)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    yield from _bench("embedded", tmp_path_factory)


@pytest.fixture(scope="module")
def before_a_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    yield from _bench("gRPC", tmp_path_factory)


def _bench(backend: str, folders: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(backend, MODELS, folders.mktemp("torture"), SIZES, patient=True)
    yield bench
    bench.close()


@pytest.mark.parametrize("scenario", EMBEDDED, ids=lambda scenario: scenario.name)
def test_the_embedded_backend_withstands_it(embedded: Bench, scenario: Scenario) -> None:
    assert misses(embedded, scenario) == []


@pytest.mark.parametrize("scenario", BEFORE_A_SERVER, ids=lambda scenario: scenario.name)
def test_a_gateway_before_a_server_withstands_it(
    before_a_server: Bench, scenario: Scenario
) -> None:
    assert misses(before_a_server, scenario) == []


def misses(bench: Bench, scenario: Scenario) -> list[Row]:
    """Play a scenario, and return what went wrong, whatever the speed."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(scenario.play(bench))
    return [row for row in rows if not row.passed and not row.timed]


def test_every_row_says_what_was_seen() -> None:
    row = Row("a", "b", "c", "d", "e | f", passed=False)

    assert row.verdict == "miss"
