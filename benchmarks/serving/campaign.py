"""The rounds: every server in turn, started afresh, asked in every form, ended."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from benchmarks.serving import wrk
from benchmarks.serving.candidates import MODELS, PEERS, Candidate
from benchmarks.serving.figures import CLOSED, OPEN, Direct, Point, Start
from benchmarks.serving.goals import ALONE, GATEWAY
from benchmarks.serving.messages import ANSWERS, WITH_IMAGE, WITHOUT_IMAGE, Request
from benchmarks.serving.server import DidNotServe, RunningServer
from tests.serving_double.process import ServingDoubleProcess
from tests.torture.client import post
from tests.torture.load import Shot, ask_at_rate
from tests.torture.table import percentile

# For the goal that compares pictures per CPU second, whatever clients are asked for.
MANY_CLIENTS = 64
WARM_UP_SECONDS, WARM_UP_CLIENTS = 1, 8


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
        rounds: how often each server is started and asked.
        seconds: of each run.
        clients: of the closed loops.
        rate: of the open loop, in requests a second; 0 for none.
        open_answers: the forms of answer that the open loop asks for.
        picture: as PNG.
        label: what it shows.
    """

    rounds: int
    seconds: int
    clients: tuple[int, ...]
    rate: int
    open_answers: tuple[str, ...]
    picture: bytes
    label: str

    def clients_of(self, candidate: Candidate) -> list[int]:
        """Return how many clients ask a server in its closed loops."""
        many = (MANY_CLIENTS,) if candidate.key == GATEWAY else ()
        return sorted({*self.clients, *many})

    def runs_of(self, candidate: Candidate) -> int:
        """Return how many runs a server has in a round."""
        if candidate.key == ALONE:
            return len(ANSWERS)
        return len(ANSWERS) * len(self.clients_of(candidate)) + len(self.open_answers)


@dataclass
class Results:
    """What was measured, and who could not be, with the reason."""

    points: list[Point] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    direct: list[Direct] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)


def measure(
    plan: Plan,
    candidates: Sequence[Candidate],
    environments: Path,
    results: Results,
    save: Callable[[], None],
) -> None:
    """Run all rounds; every other one in reverse, so that nobody always follows the same one.

    Args:
        plan: what to measure.
        candidates: on whom.
        environments: folder of their environments.
        results: are added to.
        save: called after each round.
    """
    total = plan.rounds * sum(plan.runs_of(candidate) for candidate in candidates)
    # A folder with a short name: the sockets of Ray lie below it.
    with tqdm(total=total, unit="run") as bar, tempfile.TemporaryDirectory(prefix="b") as folder:
        scratch = Path(folder)
        for turn in range(1, plan.rounds + 1):
            results.direct.append(_measure_direct(turn, plan.picture, scratch))
            for candidate in candidates if turn % 2 else reversed(candidates):
                bar.set_description(f"round {turn}, {candidate.key}")
                before = bar.n
                if candidate.key not in results.not_run:
                    try:
                        _measure_server(plan, turn, candidate, environments, scratch, results, bar)
                    except (DidNotServe, RuntimeError) as error:
                        results.not_run[candidate.key] = str(error)
                        bar.write(f"not run: {error}")
                bar.update(before + plan.runs_of(candidate) - bar.n)
            save()


def _measure_server(
    plan: Plan,
    turn: int,
    candidate: Candidate,
    environments: Path,
    scratch: Path,
    results: Results,
    bar: "tqdm[None]",
) -> None:
    own = Path(tempfile.mkdtemp(dir=scratch, prefix="s"))
    with contextlib.ExitStack() as stack:
        model_server = ""
        if candidate.key == ALONE:
            model_server = stack.enter_context(ServingDoubleProcess(MODELS)).address
        server = stack.enter_context(RunningServer(candidate, environments, own, model_server))
        small = candidate.asking(plan.picture, False)
        large = candidate.asking(plan.picture, True)
        first, small_size = server.until_answered(small, plan.label, with_image=False)
        _, large_size = server.until_answered(large, plan.label, with_image=True)
        for answer, request, size in (
            (WITHOUT_IMAGE, small, small_size),
            (WITH_IMAGE, large, large_size),
        ):
            wrk.run(server.port, request, WARM_UP_CLIENTS, WARM_UP_SECONDS, own)
            if candidate.key == ALONE:
                bar.update()
                continue
            for clients in plan.clients_of(candidate):
                before = server.cpu_seconds()
                seen = wrk.run(server.port, request, clients, plan.seconds, own)
                cpu = server.cpu_seconds() - before
                _check_size(candidate, seen, size)
                results.points.append(_point(candidate, turn, answer, CLOSED, clients, seen, cpu))
                bar.update()
            if plan.rate and answer in plan.open_answers:
                before = server.cpu_seconds()
                seen = ask_open(server.port, request, plan.rate, plan.seconds)
                cpu = server.cpu_seconds() - before
                results.points.append(_point(candidate, turn, answer, OPEN, plan.rate, seen, cpu))
                bar.update()
        results.starts.append(Start(candidate.key, turn, first, server.memory_bytes() / 1e6))


def _check_size(candidate: Candidate, seen: wrk.Tally, body: int) -> None:
    """See that what came under load was as large as what was checked before.

    Raises:
        DidNotServe: it was not; numbers of other answers, however fast, tell nothing.
    """
    if seen.good == 0 or (not seen.errors and seen.answer_bytes < 0.9 * body):
        raise DidNotServe(
            f"{candidate.key}: {seen.good} good answers of {seen.answer_bytes:.0f} bytes with "
            f"headers under load; the one that was checked had {body} in its body alone"
        )


def ask_open(port: int, request: Request, rate: int, seconds: float) -> wrk.Tally:
    """Ask at a rate, whether or not answers come; latencies count from when a request was due."""
    sent = post(request.path, request.body, content_type=request.content_type)
    shots = [Shot(sent)]
    tally = asyncio.run(ask_at_rate(("127.0.0.1", port), shots, rate, seconds, most_open=256))
    good = tally.seconds.get(200, [])
    return wrk.Tally(
        good=tally.good,
        seconds=seconds,
        p50_ms=1e3 * percentile(good, 0.5),
        p99_ms=1e3 * percentile(good, 0.99),
        answer_bytes=0.0,
        errors=tally.total - tally.good + sum(tally.lost.values()),
    )


def _point(
    candidate: Candidate, turn: int, answer: str, load: str, level: int, seen: wrk.Tally, cpu: float
) -> Point:
    return Point(
        candidate=candidate.key,
        round=turn,
        answer=answer,
        load=load,
        level=level,
        rate=seen.good / seen.seconds,
        p50_ms=seen.p50_ms,
        p99_ms=seen.p99_ms,
        cpu_ms=1e3 * cpu / max(1, seen.good),
        errors=seen.errors,
    )


def _measure_direct(turn: int, picture: bytes, scratch: Path) -> Direct:
    file = scratch / "picture.png"
    file.write_bytes(picture)
    variables = {
        **os.environ,
        "PYTHONPATH": str(PEERS / "common"),
        "BENCH_MODEL": str(MODELS / "stn" / "2"),
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, str(Path(__file__).with_name("direct.py")), str(file)]
    ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise RuntimeError(f"the direct calls failed: {ran.stderr.strip()[-500:]}")
    told = json.loads(ran.stdout.strip().splitlines()[-1])
    return Direct(turn, told["one_ms"], told["images_per_cpu_second"])
