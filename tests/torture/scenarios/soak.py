"""An hour of everything at once: normal callers, hostile ones, and ones that hang up."""

import asyncio
import itertools
import random

from tests.torture.bench import Bench, Scenario
from tests.torture.client import Connection, Lost
from tests.torture.corpus import hostile
from tests.torture.load import ask_at_rate
from tests.torture.pictures import checked_shots, digit_requests, photo_request
from tests.torture.rig import PATIENCE_SECONDS, Rig
from tests.torture.scenarios.hangups import hang_up_once
from tests.torture.scenarios.hostile import fault_of
from tests.torture.table import Row

_MIB = 1024 * 1024
# Normal requests a second: few enough that an hour of it leaves the machine to others.
_RATE = 10.0
# Between two hostile inputs, and between two callers who hang up.
_HOSTILE_SECONDS, _HANG_UP_SECONDS = 0.1, 0.2
_ROUNDS = 60


async def play(bench: Bench) -> list[Row]:
    """Mix traffic, look at the memory from time to time, and compare in the end."""
    rig = bench.rig()
    shots = await checked_shots(rig, [*digit_requests(), photo_request(side=400)])
    before = await rig.holdings()
    stop, thrown = asyncio.Event(), itertools.count()
    faults: list[str] = []
    memory: list[int] = []
    seconds = bench.sizes.soak_seconds
    async with asyncio.TaskGroup() as group:
        normal = group.create_task(ask_at_rate(rig.address, shots, _RATE, seconds))
        group.create_task(_throw(rig, bench.seed, stop, faults, thrown))
        group.create_task(_hang_up(rig, bench.seed, stop))
        for turn in range(_ROUNDS):
            bench.progress(turn, _ROUNDS)
            await asyncio.sleep(seconds / _ROUNDS)
            memory.append(rig.memory())
        stop.set()
    tally = normal.result()
    after = await rig.settled(before)
    growth = max(memory[-_ROUNDS // 4 :]) - max(memory[_ROUNDS // 4 : _ROUNDS // 2])
    what = f"{seconds / 60:.0f} minutes of mixed traffic"
    return [
        Row(
            "soak",
            bench.backend,
            f"{what}, {next(thrown):,} hostile inputs among it",
            "normal callers get their answers, hostile ones theirs, nothing is left over",
            f"{tally.in_words()}; {tally.wrong} wrong; {len(faults)} not as documented "
            f"{'; '.join(faults[:3])}; {after.files - before.files:+d} files, "
            f"{after.tasks - before.tasks:+d} tasks",
            set(tally.codes) == {"200"}
            and not (tally.wrong or tally.lost or faults)
            and after.files <= before.files
            and after.tasks <= before.tasks,
        ),
        Row(
            "soak",
            bench.backend,
            what,
            "memory in the last quarter at most 32 MiB above the second",
            f"{growth / _MIB:+.1f} MiB, to {memory[-1] / _MIB:.0f} MiB",
            growth < 32 * _MIB,
        ),
    ]


async def _throw(
    rig: Rig, seed: int, stop: asyncio.Event, faults: list[str], thrown: "itertools.count[int]"
) -> None:
    while not stop.is_set():
        for one in hostile(seed):
            if stop.is_set():
                return
            next(thrown)
            connection = await Connection.to(rig.address)
            try:
                async with asyncio.timeout(2.0 if one.alone else PATIENCE_SECONDS):
                    fault = fault_of(await connection.ask(one.request))
            except (Lost, TimeoutError):
                fault = "" if one.alone else "no answer"
            finally:
                connection.hang_up()
            if fault:
                faults.append(f"{one.family}: {fault}")
            await asyncio.sleep(_HOSTILE_SECONDS)


async def _hang_up(rig: Rig, seed: int, stop: asyncio.Event) -> None:
    rng = random.Random(seed)  # noqa: S311
    requests = digit_requests()
    while not stop.is_set():
        await hang_up_once(rig, rng.choice(requests), rng)
        await asyncio.sleep(_HANG_UP_SECONDS)


SCENARIO = Scenario("soak", play)
