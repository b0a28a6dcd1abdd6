"""A model server that dies, hangs, dawdles or talks nonsense, under load."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np

from service import wire
from tests.serving_double.process import ServingDoubleProcess
from tests.torture.bench import Bench, Scenario
from tests.torture.load import Tally, callers
from tests.torture.pictures import checked_shots, digit_requests
from tests.torture.rig import PATIENCE_SECONDS, Rig, start_rig
from tests.torture.table import Row, milliseconds

_DEADLINE_MS = 1000
_MARGIN_SECONDS = 0.25
_RECOVERY_SECONDS = 2.0
_CALLERS = 6
_AFFECTED = 10
_WELL = 40

Trouble = Callable[[Rig], contextlib.AbstractAsyncContextManager[None]]
# Refusals that say: not now. The canary, the breaker or the call itself may notice first.
_AWAY = frozenset({"503 model_server_unavailable", "503 not_ready", "503 unavailable"})
_LATE = _AWAY | {"504 deadline_exceeded", "503 overloaded"}
_BROKEN = _AWAY | {"502 contract_broken", "502 model_server_error"}


@dataclass(frozen=True)
class _Kind:
    thrown: str
    trouble: Trouble
    codes: frozenset[str]


@contextlib.asynccontextmanager
async def _killed(rig: Rig) -> AsyncIterator[None]:
    double = _double_of(rig)
    await asyncio.to_thread(double.prepare)
    await asyncio.to_thread(double.kill)
    yield
    await asyncio.to_thread(double.start)
    # It is back when it answers: what its own first prediction takes is not the gateway's doing.
    await asyncio.to_thread(_first_prediction, double.address)


def _first_prediction(address: str) -> None:
    request = wire.PredictRequest(
        model_spec=wire.ModelSpec(name="stn", signature_name="predict"),
        inputs={"images": wire.encode_tensor(np.zeros((1, 42, 42, 1), np.uint8))},
        output_filter=["probabilities", "theta"],
    )
    with grpc.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(wire.PREDICT)
        call(request.SerializeToString(), timeout=PATIENCE_SECONDS)


@contextlib.asynccontextmanager
async def _frozen(rig: Rig) -> AsyncIterator[None]:
    double = _double_of(rig)
    double.pause()
    yield
    double.resume()


def _fault(kind: str, **details: object) -> Trouble:
    @contextlib.asynccontextmanager
    async def trouble(rig: Rig) -> AsyncIterator[None]:
        double = _double_of(rig)
        await asyncio.to_thread(double.fault, kind, servable="stn", **details)
        yield
        await asyncio.to_thread(double.clear_faults)

    return trouble


def _double_of(rig: Rig) -> ServingDoubleProcess:
    assert rig.double is not None
    return rig.double


_KINDS = (
    _Kind("SIGKILL and a new start", _killed, _AWAY | _LATE),
    _Kind("hang (SIGSTOP)", _frozen, _LATE),
    _Kind("10 s latency", _fault("slow", milliseconds=10_000), _LATE),
    _Kind("garbage", _fault("unparsable"), _BROKEN),
    _Kind("NaN", _fault("nan"), _BROKEN),
    _Kind("wrong shape", _fault("shape"), _BROKEN),
)


async def play(bench: Bench) -> list[Row]:
    """Each fault so many times, with callers that ask all the while."""
    rows = []
    # Calls that hang hold a thread of the server each until their deadline.
    many = ("--max-calls", "64")
    with start_rig(bench.backend, bench.models, patient=bench.patient, double_flags=many) as rig:
        plain = await checked_shots(rig, digit_requests())
        # The same requests, now with a deadline.
        hurried = digit_requests(f"X-Request-Timeout-Ms: {_DEADLINE_MS}")
        shots = [
            type(shot)(request, shot.is_right) for shot, request in zip(plain, hurried, strict=True)
        ]
        for turn, kind in enumerate(_KINDS):
            tally, returns = Tally(), []
            for number in range(bench.sizes.faults):
                bench.progress(turn * bench.sizes.faults + number, len(_KINDS) * bench.sizes.faults)
                async with callers(rig.address, shots, _CALLERS) as round_tally:
                    took = await _round(rig, kind, round_tally, bench.sizes.recovery_seconds)
                    returns.append(took)
                tally.add(round_tally)
            rows += _rows(bench, kind, tally, returns)
    return rows


async def _round(rig: Rig, kind: _Kind, tally: Tally, watched: float) -> float:
    """Let the fault happen and pass; return how long after its end the last refusal came."""
    loop = asyncio.get_running_loop()
    await _until(lambda: tally.good >= _WELL)
    async with kind.trouble(rig):
        bad = tally.total - tally.good
        await _until(lambda: tally.total - tally.good >= bad + _AFFECTED)
    returned = loop.time()
    # Long enough for whatever is still refused to be seen, and for all to be well in the end.
    goal = 0.0
    while goal < watched:
        await _well(tally)
        goal = loop.time() - returned
    return max(0.0, tally.last_bad - returned)


async def _well(tally: Tally) -> None:
    goal = tally.good + _WELL
    await _until(lambda: tally.good >= goal)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def _rows(bench: Bench, kind: _Kind, tally: Tally, returns: list[float]) -> list[Row]:
    thrown = f"{kind.thrown}, under load, {bench.sizes.faults} times"
    latest = _DEADLINE_MS / 1000 + _MARGIN_SECONDS
    right = set(tally.codes) <= {"200", *kind.codes} and not tally.lost and not tally.wrong

    def row(expected: str, observed: str, passed: bool, timed: bool = True) -> Row:
        return Row("model server", bench.backend, thrown, expected, observed, passed, timed)

    return [
        row(
            "no wrong answer, and the right code",
            f"{tally.in_words()}; {tally.wrong} wrong",
            right,
            timed=False,
        ),
        row(
            f"nothing later than its deadline of {_DEADLINE_MS} ms and 250 ms",
            f"the slowest {milliseconds(tally.slowest)}",
            tally.slowest <= latest,
        ),
        row(
            "full service within 2 s of its return",
            f"after {milliseconds(max(returns))} at most",
            max(returns) <= _RECOVERY_SECONDS,
        ),
    ]


SCENARIO = Scenario("faults", play, backends=("gRPC",))
