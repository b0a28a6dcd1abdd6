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
SIZES = replace(QUICK, hostile=1000, hangups=100, slow=24, slow_seconds=0.5)


@pytest.fixture(scope="module", params=["embedded", "gRPC"])
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    bench = Bench(request.param, MODELS, tmp_path_factory.mktemp("torture"), SIZES, patient=True)
    yield bench
    bench.close()


@pytest.mark.parametrize(
    "scenario",
    [
        hostile.SCENARIO,
        keys.SCENARIO,
        hangups.SCENARIO,
        slow.SCENARIO,
        faults.SCENARIO,
        swaps.SCENARIO,
        drain.SCENARIO,
    ],
    ids=lambda scenario: scenario.name,
)
def test_nothing_is_lost_and_nobody_comes_in(bench: Bench, scenario: Scenario) -> None:
    if bench.backend not in scenario.backends:
        pytest.skip("needs a model server")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(scenario.play(bench))

    assert [row for row in rows if not row.passed and not row.timed] == []


def test_every_row_says_what_was_seen() -> None:
    row = Row("a", "b", "c", "d", "e | f", passed=False)

    assert row.verdict == "miss"
