"""Connections that say little or nothing: they cost a connection each, and no one else anything."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable

from tests.torture.bench import Bench, Scenario
from tests.torture.client import Connection, Lost, get
from tests.torture.load import ask_at_rate
from tests.torture.pictures import checked_shots, digit_requests
from tests.torture.rig import Rig
from tests.torture.table import Row, milliseconds

_RATE = 100.0
_HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\n"
_BODY = _HEAD + b"Content-Type: image/png\r\nContent-Length: 100000\r\n\r\n"


async def _say_nothing(connection: Connection) -> None:
    """Hold the connection."""
    await asyncio.sleep(3600)


async def _head_by_bytes(connection: Connection) -> None:
    connection.send(_HEAD)
    for number in itertools.count():
        connection.send(b"X-%d: y\r\n" % number)
        await asyncio.sleep(1)


async def _body_by_bytes(connection: Connection) -> None:
    connection.send(_BODY)
    while True:
        connection.send(b"x")
        await asyncio.sleep(1)


async def _chunks_by_bytes(connection: Connection) -> None:
    connection.send(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.send(b"1\r\nx\r\n")
        await asyncio.sleep(1)


async def _half_open(connection: Connection) -> None:
    """Ask, and say that nothing more will come, before everything has been sent."""
    connection.send(_BODY)
    connection.half_close()
    await asyncio.sleep(3600)


async def _never_read(connection: Connection) -> None:
    """Ask for more than the buffers hold, and read none of it."""
    connection.stop_reading()
    ask = get("/openapi.json")
    for _ in range(50):
        connection.send(ask)
        await asyncio.sleep(1)
    await asyncio.sleep(3600)


_WAYS: tuple[Callable[[Connection], Awaitable[None]], ...] = (
    _say_nothing,
    _head_by_bytes,
    _body_by_bytes,
    _chunks_by_bytes,
    _half_open,
    _never_read,
)


async def play(bench: Bench) -> list[Row]:
    """Measure normal callers alone, then beside slow ones; then see that the slow ones are gone."""
    rig = bench.rig()
    shots = await checked_shots(rig, digit_requests())
    seconds, count = bench.sizes.slow_seconds, bench.sizes.slow
    await ask_at_rate(rig.address, shots, _RATE, seconds / 4)  # warm
    before = await rig.holdings()
    normal = await ask_at_rate(rig.address, shots, _RATE, seconds)
    tasks = [
        asyncio.create_task(_slowly(rig, way, number / count))
        for way, number in zip(itertools.cycle(_WAYS), range(count), strict=False)
    ]
    try:
        await asyncio.sleep(min(2.0, seconds / 4))
        beside = await ask_at_rate(rig.address, shots, _RATE, seconds)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    after = await rig.settled(before)
    thrown = f"{count} slow or half-open connections of {len(_WAYS)} kinds"
    return [
        Row(
            "slow",
            bench.backend,
            thrown,
            "normal callers get their answers, and nothing is left over",
            f"{beside.in_words()}; {beside.wrong} wrong; {after.files - before.files:+d} files, "
            f"{after.tasks - before.tasks:+d} tasks",
            set(beside.codes) == {"200"}
            and not beside.lost
            and not beside.wrong
            and after.files <= before.files
            and after.tasks <= before.tasks,
        ),
        Row(
            "slow",
            bench.backend,
            thrown,
            "normal callers' p99 at most doubled",
            f"{milliseconds(beside.p99())}, without them {milliseconds(normal.p99())}",
            beside.p99() <= 2 * normal.p99(),
            timed=True,
        ),
    ]


async def _slowly(rig: Rig, way: Callable[[Connection], Awaitable[None]], later: float) -> None:
    """Be slow; begin again whenever the gateway has had enough.

    They act once a second, each at a moment of its own, as callers who know nothing of each other.
    """
    await asyncio.sleep(later)
    while True:
        try:
            connection = await Connection.to(rig.address)
        except OSError:
            await asyncio.sleep(0.5)
            continue
        try:
            with contextlib.suppress(Lost):
                await way(connection)
            await asyncio.sleep(0.5)
        finally:
            connection.hang_up()


SCENARIO = Scenario("slow", play)
