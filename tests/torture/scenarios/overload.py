"""Five times as many requests as can be answered: what can be is, the rest is refused at once."""

import asyncio
import time
from collections.abc import Sequence

from service.settings import Settings
from tests.torture.bench import Bench, Scenario
from tests.torture.load import Shot, ask_at_rate, callers
from tests.torture.pictures import checked_shots, digit_requests, photo_request, warp_request
from tests.torture.rig import Rig
from tests.torture.table import Row, milliseconds

_TIMES = 5
_CALLERS = 16
_MIB = 1024 * 1024
# What the bodies of all requests together may hold.
_MAX_GROWTH = Settings.model_fields["max_body_memory_bytes"].default


async def play(bench: Bench) -> list[Row]:
    """Overload with warps, whose work is far more than the HTTP around it, with photos, and with
    digits, which cost little more than a refusal does."""
    rig = bench.rig()
    warps = await checked_shots(rig, [warp_request(seed=seed) for seed in range(4)])
    photos = await checked_shots(rig, [photo_request(seed=seed) for seed in range(4)])
    digits = await checked_shots(rig, digit_requests())
    seconds = bench.sizes.overload_seconds
    return [
        *await _overload(bench, rig, "warps of half a megapixel", warps, seconds),
        *await _overload(bench, rig, "photos of 1 megapixel", photos, seconds / 4),
        *await _overload(bench, rig, "digits", digits, seconds / 4),
    ]


async def _overload(
    bench: Bench, rig: Rig, what: str, shots: Sequence[Shot], seconds: float
) -> list[Row]:
    measured = bench.sizes.measure_seconds
    capacity = await capacity_of(rig, shots, measured)
    normal = await ask_at_rate(rig.address, shots, capacity / 2, measured)
    before = rig.memory()
    memory: list[int] = [before]
    watch = asyncio.create_task(_watch_memory(rig, memory))
    cpu, start = time.process_time(), time.monotonic()
    rate = _TIMES * capacity
    tally = await ask_at_rate(rig.address, shots, rate, seconds)
    took = time.monotonic() - start  # what was accepted late is answered late
    busy = (time.process_time() - cpu) / took
    watch.cancel()
    growth = max(*memory, rig.memory()) - before
    share = tally.good / took / capacity
    refused = tally.p50_refused
    thrown = (
        f"{rate:,.0f} {what} a second for {seconds:.0f} s, {_TIMES} times the capacity of "
        f"{capacity:,.0f}"
    )

    def row(expected: str, observed: str, passed: bool, timed: bool = True) -> Row:
        return Row("overload", bench.backend, thrown, expected, observed, passed, timed)

    return [
        row(
            "each is answered, or refused with 429, 503 or 504; no wrong answer",
            f"{tally.in_words()}; {tally.wrong} wrong; the client used {busy:.0%} of a core",
            set(tally.seconds) <= {200, 429, 503, 504} and not tally.wrong and not tally.lost,
            timed=False,
        ),
        row("at least 90 % of the capacity is answered", f"{share:.0%}", share >= 0.9),
        row(
            "p99 of the accepted at most 3 times normal (half the capacity)",
            f"{milliseconds(tally.p99())}, normal {milliseconds(normal.p99())}",
            tally.p99() <= 3 * normal.p99(),
        ),
        row("refusals under 5 ms at the median", milliseconds(refused), 0 < refused < 0.005),
        row(
            f"memory bounded: at most the {_MAX_GROWTH // _MIB} MiB that bodies may hold",
            f"{growth / _MIB:+.0f} MiB at most",
            growth < _MAX_GROWTH,
        ),
    ]


async def capacity_of(rig: Rig, shots: Sequence[Shot], seconds: float) -> float:
    """Return how many requests a second are answered to callers that never pause."""
    async with callers(rig.address, shots, _CALLERS) as tally:
        await asyncio.sleep(seconds / 4)  # warm
        good = tally.good
        start = time.monotonic()
        await asyncio.sleep(seconds)
        return max(1.0, (tally.good - good) / (time.monotonic() - start))


async def _watch_memory(rig: Rig, memory: list[int]) -> None:
    while True:
        memory.append(rig.memory())
        await asyncio.sleep(0.1)


SCENARIO = Scenario("overload", play)
