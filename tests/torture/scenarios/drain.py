"""SIGTERM under load: what has reached the gateway is answered, and it ends in time and well."""

import asyncio
import json
import signal
import time
from dataclasses import dataclass, field

from tests.serving_double.process import ServingDoubleProcess
from tests.torture.bench import Bench, Scenario
from tests.torture.client import Connection, Lost
from tests.torture.pictures import digit_requests, photo_request
from tests.torture.rig import PATIENCE_SECONDS, Rig, start_gateway_before
from tests.torture.table import Row, milliseconds

_CALLERS = 8
_WELL = 30
_GRACE_SECONDS = 10


@dataclass
class _Run:
    """What became of one gateway.

    Attributes:
        reached: ids of the requests that reached it.
        answered: ids of those that were answered.
        statuses: of HTTP, that came.
        status: with which it ended.
        seconds: from the signal to its end.
    """

    reached: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    statuses: set[int] = field(default_factory=set)
    status: int = -1
    seconds: float = 0.0


async def play(bench: Bench) -> list[Row]:
    """Start a gateway, load it, tell it to stop; so many times."""
    runs = []
    # One of its own starts in seconds, because it loads TensorFlow: half as many must do.
    count = bench.sizes.drains if bench.backend == "gRPC" else (bench.sizes.drains + 1) // 2
    double = ServingDoubleProcess(bench.models, ("--max-calls", "32"))
    if bench.backend == "gRPC":
        await asyncio.to_thread(double.start)
    try:
        for number in range(count):
            bench.progress(number, count)
            behind = double if bench.backend == "gRPC" else None
            grace = ("--shutdown-grace-seconds", str(_GRACE_SECONDS))
            with start_gateway_before(behind, bench.models, *grace, patient=bench.patient) as rig:
                runs.append(await _drained(rig))
    finally:
        double.kill()
    lost = sum(len(run.reached - run.answered) for run in runs)
    reached = sum(len(run.reached) for run in runs)
    slowest = max(run.seconds for run in runs)
    statuses = set().union(*(run.statuses for run in runs))
    thrown = f"SIGTERM under load, {count} times"
    return [
        Row(
            "drain",
            bench.backend,
            thrown,
            "0 accepted requests lost, exit status 0",
            f"{reached:,} accepted, {lost} lost; answers {sorted(statuses)}; exit "
            f"{sorted({run.status for run in runs})}",
            lost == 0 and {run.status for run in runs} == {0} and statuses <= {200, 503},
        ),
        Row(
            "drain",
            bench.backend,
            thrown,
            f"ended within the grace of {_GRACE_SECONDS} s",
            f"{milliseconds(slowest)} at most",
            slowest <= _GRACE_SECONDS,
            timed=True,
        ),
    ]


async def _drained(rig: Rig) -> _Run:
    run, told = _Run(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(_CALLERS):
            group.create_task(_call(rig, number, run, told))
        # A picture half sent when the signal comes, and a photo that is being decoded.
        group.create_task(_half_sent(rig, run, told))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(run.answered) < _WELL:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        rig.gateway.signal(signal.SIGTERM)
        start = time.monotonic()
        told.set()
        run.status, said = await asyncio.to_thread(rig.gateway.ended)
        run.seconds = time.monotonic() - start
    line = next(s for s in said.splitlines() if s.startswith("reached "))
    run.reached = set(json.loads(line.removeprefix("reached ")))
    return run


async def _call(rig: Rig, caller: int, run: _Run, told: asyncio.Event) -> None:
    """Ask again and again, until nobody takes a connection any more."""
    connection: Connection | None = None
    turn = 0
    while True:
        turn += 1
        name = f"{caller}-{turn}"
        header = f"X-Request-ID: {name}"
        photo = caller == 0
        request = photo_request(header) if photo else digit_requests(header, count=1)[0]
        try:
            if connection is None or not connection.is_open:
                connection = await Connection.to(rig.address)
            answer = await connection.ask(request)
        except (Lost, OSError):
            connection = None
            if told.is_set():
                return
            continue
        run.answered.add(name)
        run.statuses.add(answer.status)
        if answer.closes:
            connection.hang_up()


async def _half_sent(rig: Rig, run: _Run, told: asyncio.Event) -> None:
    name = "half-sent"
    request = digit_requests(f"X-Request-ID: {name}", count=1)[0]
    connection = await Connection.to(rig.address)
    connection.send(request[:-100])
    await told.wait()
    await asyncio.sleep(0.05)
    try:
        connection.send(request[-100:])
        run.statuses.add((await connection.answer()).status)
        run.answered.add(name)
    except Lost:
        return
    finally:
        connection.hang_up()


SCENARIO = Scenario("drain", play)
