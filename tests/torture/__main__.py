"""`scripts/torture`: put the gateway through every scenario, and write docs/reliability.md."""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import uvloop
from rich.console import Console

from tests.torture.bench import FULL, QUICK, Bench, Scenario
from tests.torture.display import Display
from tests.torture.report import write_report
from tests.torture.scenarios.all import LONG, SCENARIOS
from tests.torture.table import Row

ROOT = Path(__file__).parents[2]
BACKENDS = ("embedded", "gRPC")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return 0 when every row passed."""
    flags = _read(arguments)
    console = Console()
    start = time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(_play(flags, Display(console)))
    minutes = (time.monotonic() - start) / 60
    misses = sum(not row.passed for row in rows)
    console.print(f"{len(rows)} rows, {misses} misses, {minutes:.1f} minutes, seed {flags.seed}")
    if flags.report:
        said = "scripts/torture " + " ".join(sys.argv[1:] if arguments is None else arguments)
        write_report(flags.report, rows, said.strip(), minutes)
        console.print(f"written to {flags.report}")
    return 1 if misses else 0


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    names = [scenario.name for scenario in (*SCENARIOS, LONG)]
    parser = argparse.ArgumentParser("scripts/torture", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="a little of everything, in some two minutes")
    add("--long", action="store_true", help="also an hour of mixed traffic on both")
    add("--only", nargs="+", choices=names, metavar="SCENARIO", help=", ".join(names))
    add("--backend", choices=BACKENDS, help="one of the two alone")
    add("--seed", type=int, default=1, help="of all that is drawn at random")
    add("--models", type=Path, default=ROOT / "models", help="folder of the models")
    add("--size", nargs="+", default=[], metavar="NAME=NUMBER", help="sizes of your own")
    add("--report", type=Path, help="file to write the table to, between its markers")
    flags = parser.parse_args(arguments)
    whole = not (flags.quick or flags.only or flags.backend or flags.size)
    if flags.report is None and whole:
        flags.report = ROOT / "docs" / "reliability.md"
    return flags


async def _play(flags: argparse.Namespace, display: Display) -> list[Row]:
    sizes = QUICK if flags.quick else FULL
    chosen: dict[str, float] = {}
    for text in flags.size:
        name, _, number = text.partition("=")
        chosen[name] = type(getattr(sizes, name))(float(number))
    sizes = replace(sizes, **chosen)  # type: ignore[arg-type]
    names = flags.only or [scenario.name for scenario in SCENARIOS]
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        benches = []
        for backend in [flags.backend] if flags.backend else BACKENDS:
            (scratch / backend).mkdir()
            bench = Bench(backend, flags.models.resolve(), scratch / backend, sizes, flags.seed)
            stack.callback(bench.close)
            benches.append(bench)
        for bench in benches:
            for scenario in SCENARIOS:
                if scenario.name in names and bench.backend in scenario.backends:
                    rows += await _play_on([bench], scenario, display)
            bench.close()
        if flags.long or LONG.name in names:
            rows += await _play_on(benches, LONG, display)
    display.table(rows)
    return rows


async def _play_on(benches: Sequence[Bench], scenario: Scenario, display: Display) -> list[Row]:
    """Play a scenario on all of them at once, and show how far the first one is."""
    with display.scenario(scenario.name, benches[0]) as show:
        played = await asyncio.gather(*(_rows_of(scenario, bench) for bench in benches))
        rows = [row for of_one in played for row in of_one]
        show(rows)
    return rows


async def _rows_of(scenario: Scenario, bench: Bench) -> list[Row]:
    try:
        return await scenario.play(bench)
    except Exception as error:  # a scenario that breaks down is a miss, and the next one runs
        if os.environ.get("TORTURE_DEBUG"):
            raise
        bench.close()
        observed = f"{type(error).__name__}: {error}"[:300]
        expected = "the scenario runs to its end"
        return [Row(scenario.name, bench.backend, "", expected, observed, passed=False)]


if __name__ == "__main__":
    sys.exit(main())
