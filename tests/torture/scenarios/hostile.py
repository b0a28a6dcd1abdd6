"""Inputs that no client of good will sends: each is refused in words, and nothing else happens."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from service import problems
from service.picture_lane import ROUNDS
from tests.torture.bench import Bench, Scenario
from tests.torture.client import Answer, Connection, Lost, get
from tests.torture.corpus import Hostile, fixed_pictures, fixed_requests, hostile
from tests.torture.corpus.heads import SMUGGLED
from tests.torture.pictures import checked_shots, warp_requests_of_each_form
from tests.torture.rig import PATIENCE_SECONDS, Rig
from tests.torture.table import Row

MIB = 1024 * 1024
MAX_GROWTH = 32 * MIB
# As many large pictures as one decoding thread takes on at once, whatever they cost: overload is
# another scenario.
_CALLERS = ROUNDS
# What is framed wrongly may be waited for; whoever has said nothing by then waits for more.
_SILENCE_SECONDS = 5.0
_SENTINEL = "the-last-request"
_STATUS_OF = {kind.code: int(status) for kind, status in problems.STATUS_OF.items()}


@dataclass
class Seen:
    """What came of it.

    Attributes:
        statuses: how often each status came.
        families: how many inputs of each family were sent.
        faults: what was not right, by family and in words.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


async def play(bench: Bench) -> list[Row]:
    """Send the fixed corpus in every form, then damaged files, up to the number wanted."""
    rig = bench.rig()
    count = bench.sizes.hostile
    source = itertools.islice(hostile(bench.seed), count)
    # All forms, and the corpus once through, so that everything that has to grow has grown.
    await checked_shots(rig, warp_requests_of_each_form())
    first = len(fixed_requests()) + len(fixed_pictures())
    seen = Seen()
    await _send_all(rig, itertools.islice(source, first), seen, bench, count)
    before = await rig.calm_memory()
    await _send_all(rig, source, seen, bench, count)
    after = await rig.calm_memory()
    growth = after - before
    total = sum(seen.families.values())
    log = "".join(rig.gateway.says)
    crashed = not rig.is_alive() or "Traceback" in log
    answers = ", ".join(f"{status}: {n:,}" for status, n in sorted(seen.statuses.items()))
    wrong = "; ".join(f"{fault} ({n})" for fault, n in seen.faults.most_common(8))
    return [
        Row(
            "hostile",
            bench.backend,
            f"{total:,} hostile inputs of {len(seen.families)} families, in all forms",
            "no 5xx, no crash, each its documented code",
            f"{answers}; {'crashed' if crashed else 'no crash'}; "
            + (f"{seen.faults.total()} not as documented: {wrong}" if wrong else "all documented"),
            not seen.faults and not crashed,
        ),
        Row(
            "hostile",
            bench.backend,
            f"memory over the last {max(0, total - first):,} of them",
            "grows by less than 32 MiB",
            f"{growth / MIB:+.1f} MiB, to {after / MIB:.0f} MiB",
            growth < MAX_GROWTH,
        ),
    ]


async def _send_all(
    rig: Rig, inputs: Iterator[Hostile], seen: Seen, bench: Bench, count: int
) -> None:
    async def caller() -> None:
        connection: Connection | None = None
        for one in inputs:
            if one.alone or connection is None or not connection.is_open:
                if connection is not None:
                    connection.hang_up()
                connection = await Connection.to(rig.address)
            seen.families[one.family] += 1
            bench.progress(sum(seen.families.values()), count)
            idle_before = connection.has_answered
            fault = await _send(connection, one, seen)
            if fault.startswith("closed") and idle_before and not one.alone:
                # Closed for idling, at the moment in which this was sent: once more.
                connection = await Connection.to(rig.address)
                fault = await _send(connection, one, seen)
            if fault:
                seen.faults[f"{one.family}: {fault}"] += 1
            if one.alone:
                connection.hang_up()
        if connection is not None:
            connection.hang_up()

    async with asyncio.TaskGroup() as group:
        for _ in range(_CALLERS):
            group.create_task(caller())


async def _send(connection: Connection, one: Hostile, seen: Seen) -> str:
    """Send one input; return what was wrong with what came of it, or nothing."""
    try:
        async with asyncio.timeout(_SILENCE_SECONDS if one.alone else PATIENCE_SECONDS):
            answer = await connection.ask(one.request)
    except Lost:
        outcome, status = "closed", "closed"
    except TimeoutError:
        outcome, status = "silent", "silent"
        connection.hang_up()
    else:
        fault = fault_of(answer)
        if fault:
            return fault
        status = str(answer.status)
        outcome = "ok" if answer.status == 200 else answer.code or status
        if answer.closes:
            connection.hang_up()
        elif one.alone and await _smuggled_in(connection):
            return "a request inside a request was answered"
    seen.statuses[status] += 1
    if outcome in one.codes or (status in one.codes and not _is_success(status)):
        return ""
    return f"{outcome} instead of {', '.join(sorted(one.codes))}"


def _is_success(status: str) -> bool:
    return status.startswith("2")


async def _smuggled_in(connection: Connection) -> bool:
    """Ask once more, and see whether anything else is answered before."""
    last = get("/livez", f"X-Request-ID: {_SENTINEL}")
    with contextlib.suppress(Lost, TimeoutError):
        async with asyncio.timeout(_SILENCE_SECONDS):
            answer = await connection.ask(last)
            while answer.header("x-request-id") != _SENTINEL:
                if answer.header("x-request-id") == SMUGGLED:
                    return True
                answer = await connection.answer()
    return False


def fault_of(answer: Answer) -> str:
    """Return what is wrong with an answer, whatever was asked; empty when it is in order."""
    if answer.status >= 500 and answer.status not in (501, 505):
        return f"{answer.status} {answer.code}"
    if b"Traceback" in answer.body:
        return "a stack trace"
    if b"problem+json" not in answer.head or not answer.body:
        return ""
    document = orjson.loads(answer.body)
    code = document.get("code")
    if _STATUS_OF.get(code) != answer.status or document.get("status") != answer.status:
        return f"{answer.status} with the code {code}"
    if document.get("request_id") != answer.header("x-request-id"):
        return "another request id in the problem document than in the header"
    if len(answer.body) > 8192:
        return f"{len(answer.body)} bytes of problem document"
    return ""


SCENARIO = Scenario("hostile", play)
