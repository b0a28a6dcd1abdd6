"""Callers that hang up at every stage: nothing of them is left."""

import asyncio
import contextlib
import random

from tests.service.pictures import encoded, photo
from tests.torture.bench import Bench, Scenario
from tests.torture.client import Connection, Lost
from tests.torture.corpus.forms import FORMS, PATHS
from tests.torture.pictures import checked_shots, digit_requests, photo_request
from tests.torture.rig import Holdings, Rig
from tests.torture.table import Row

_MIB = 1024 * 1024
_MAX_GROWTH = 32 * _MIB
_AT_ONCE = 20
STAGES = (
    "before a word",
    "in the head",
    "after the head",
    "in the body",
    "after the body",
    "while it is worked on",
    "as the answer comes",
)


async def play(bench: Bench) -> list[Row]:
    """Let so many callers hang up; compare what the gateway holds before and after."""
    rig = bench.rig()
    requests = [form(path, _PICTURE) for form in FORMS for path in PATHS]
    requests += [photo_request(side=600), *digit_requests()]
    rng = random.Random(bench.seed)  # noqa: S311
    count = bench.sizes.hangups
    # The first fill caches and buffers.
    await _hang_up(rig, requests, rng, max(50, count // 10), bench)
    await rig.until_ready()
    before = await _calm(rig)
    await _hang_up(rig, requests, rng, count, bench)
    after = await rig.settled(before)
    await checked_shots(rig, digit_requests())
    growth = after.memory - before.memory
    return [
        Row(
            "hang-ups",
            bench.backend,
            f"{count:,} callers that hang up at {len(STAGES)} stages",
            "no leaked connection, file or task; memory steady (less than 32 MiB)",
            f"{after.files - before.files:+d} files, {after.tasks - before.tasks:+d} tasks, "
            f"{growth / _MIB:+.1f} MiB",
            after.files <= before.files
            and after.tasks <= before.tasks
            and growth < _MAX_GROWTH
            and rig.is_alive(),
        )
    ]


_PICTURE = encoded(photo(300, 300), "JPEG")


async def _calm(rig: Rig) -> Holdings:
    """Return the least that is held for a while: nobody is being served."""
    least = await rig.holdings()
    for _ in range(20):
        await asyncio.sleep(0.1)
        now = await rig.holdings()
        if (now.files, now.tasks) <= (least.files, least.tasks):
            least = now
    return least


async def _hang_up(
    rig: Rig, requests: list[bytes], rng: random.Random, count: int, bench: Bench
) -> None:
    turns = iter(range(count))

    async def caller() -> None:
        for turn in turns:
            bench.progress(turn, count)
            with contextlib.suppress(Lost, OSError):
                await _one(rig, rng.choice(requests), STAGES[turn % len(STAGES)], rng)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(caller())


async def hang_up_once(rig: Rig, request: bytes, rng: random.Random) -> None:
    """Let one caller hang up at some stage."""
    with contextlib.suppress(Lost, OSError):
        await _one(rig, request, rng.choice(STAGES), rng)


async def _one(rig: Rig, request: bytes, stage: str, rng: random.Random) -> None:
    connection = await Connection.to(rig.address)
    body = request.index(b"\r\n\r\n") + 4
    try:
        match stage:
            case "in the head":
                connection.send(request[: rng.randrange(1, body - 1)])
            case "after the head":
                connection.send(request[:body])
            case "in the body":
                connection.send(request[: rng.randrange(body, len(request))])
            case "after the body":
                connection.send(request)
            case "while it is worked on":
                connection.send(request)
                await asyncio.sleep(rng.random() * 0.1)
            case "as the answer comes":
                connection.stop_reading()
                connection.send(request)
                await asyncio.sleep(rng.random() * 0.3)
        # Or the bytes would still lie in this process.
        await asyncio.sleep(0.001)
    finally:
        connection.hang_up(reset=rng.random() < 0.5)


SCENARIO = Scenario("hang-ups", play)
