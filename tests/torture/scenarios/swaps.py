"""The model server replaces a version and puts the old one back, under load: nobody notices."""

import asyncio
import shutil
from pathlib import Path

import orjson

from tests.torture.bench import Bench, Scenario
from tests.torture.client import get
from tests.torture.load import Tally, callers
from tests.torture.pictures import checked_shots, digit_requests
from tests.torture.rig import PATIENCE_SECONDS, Rig, start_rig
from tests.torture.table import Row
from tests.versions import SHIPPED

_NEXT = SHIPPED + 1
_CALLERS = 6
_ANSWERS = 60
_LATEST_ONLY = ("--latest", "1", "--file_system_poll_wait_seconds", "0.2", "--max-calls", "64")


async def play(bench: Bench) -> list[Row]:
    """Put a version beside the shipped one, which goes; take it away again: that one comes back."""
    models = bench.scratch / "swapped-models"
    await asyncio.to_thread(shutil.copytree, bench.models, models)
    stn = models / "stn"
    with start_rig(bench.backend, models, patient=bench.patient, double_flags=_LATEST_ONLY) as rig:
        shots = await checked_shots(rig, digit_requests())
        async with callers(rig.address, shots, _CALLERS) as tally:
            for number in range(bench.sizes.swaps):
                bench.progress(number, bench.sizes.swaps)
                await asyncio.to_thread(_put, stn, _NEXT)
                await _until_version(rig, _NEXT)
                await _until_answered(tally)
                await asyncio.to_thread(shutil.rmtree, stn / str(_NEXT))
                await _until_version(rig, SHIPPED)
                await _until_answered(tally)
    errors = tally.total - tally.good + sum(tally.lost.values()) + tally.wrong
    return [
        Row(
            "versions",
            bench.backend,
            f"{bench.sizes.swaps} swaps and as many rollbacks under load",
            "0 errors",
            f"{tally.in_words()}; {tally.wrong} wrong"
            + "".join(f"; {detail}" for detail, _ in tally.details.most_common(2)),
            errors == 0,
        )
    ]


def _put(folder: Path, version: int) -> None:
    """Put the shipped version once more into the folder, at once, under another number."""
    hidden = folder / f".{version}"
    shutil.copytree(folder / str(SHIPPED), hidden)
    hidden.rename(folder / str(version))


async def _until_answered(tally: Tally) -> None:
    """Wait until no request is left from before: none sees two changes."""
    goal = tally.good + _ANSWERS
    async with asyncio.timeout(PATIENCE_SECONDS):
        while tally.good < goal:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def _until_version(rig: Rig, version: int) -> None:
    """Wait until this version alone is served, and the gateway has tried it out.

    Who changes versions faster than they can be tried is told so, and rightly.
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = await rig.ask(get("/models/stn"))
            told = orjson.loads(answer.body)
            served = [v["version"] for v in told["versions"] if v["state"] != "END"]
            if told["default_version"] == version and served == [version]:
                return
            await asyncio.sleep(0.05)


SCENARIO = Scenario("versions", play, backends=("gRPC",))
