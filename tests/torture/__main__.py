"""`scripts/torture`: put the gateway through every scenario, and write docs/reliability.md."""

import argparse
import asyncio
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
    add("--long", action="store_true", help="also an hour of mixed traffic on each backend")
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
    scenarios = [*SCENARIOS, LONG] if flags.long or flags.only else list(SCENARIOS)
    if flags.only:
        scenarios = [scenario for scenario in scenarios if scenario.name in flags.only]
    rows: list[Row] = []
    for backend in [flags.backend] if flags.backend else BACKENDS:
        with tempfile.TemporaryDirectory() as scratch:
            bench = Bench(backend, flags.models.resolve(), Path(scratch), sizes, flags.seed)
            try:
                for scenario in scenarios:
                    if backend in scenario.backends:
                        rows += await _one(scenario, bench, display)
            finally:
                bench.close()
    display.table(rows)
    return rows


async def _one(scenario: Scenario, bench: Bench, display: Display) -> list[Row]:
    with display.scenario(scenario.name, bench) as show:
        try:
            rows = await scenario.play(bench)
        except Exception as error:  # a scenario that breaks down is a miss, and the next one runs
            if os.environ.get("TORTURE_DEBUG"):
                raise
            rows = [
                Row(
                    scenario.name,
                    bench.backend,
                    "",
                    "the scenario runs to its end",
                    f"{type(error).__name__}: {error}"[:300],
                    passed=False,
                )
            ]
            bench.close()
        show(rows)
    return rows


if __name__ == "__main__":
    sys.exit(main())
