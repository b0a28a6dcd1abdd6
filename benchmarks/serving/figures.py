"""What was measured, and the medians over the rounds."""

import csv
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

CLOSED, OPEN = "closed", "open"


@dataclass(frozen=True)
class Point:
    """One run of one load on one server.

    Attributes:
        candidate: its key.
        round: from 1.
        answer: `without image` or `with image`.
        load: `closed` or `open`.
        level: clients of a closed loop, requests a second of an open one.
        rate: right answers a second.
        p50_ms: median latency.
        p99_ms: 99th percentile.
        cpu_ms: CPU time of the server and all that it started, for each request.
        errors: answers that were no 200, connections lost, requests without an answer.
    """

    candidate: str
    round: int
    answer: str
    load: str
    level: int
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    errors: int


@dataclass(frozen=True)
class Start:
    """One start of one server.

    Attributes:
        candidate: its key.
        round: from 1.
        first_answer_s: from the start of the process to the first right answer.
        memory_mb: of all its processes after the round's load, shared pages once, in 10^6 bytes.
    """

    candidate: str
    round: int
    first_answer_s: float
    memory_mb: float


@dataclass(frozen=True)
class Direct:
    """The model without any server, in one process on one thread.

    Attributes:
        round: from 1.
        one_ms: median time of decoding the picture and one call at batch 1.
        images_per_cpu_second: of calls at batch 32, without decoding.
    """

    round: int
    one_ms: float
    images_per_cpu_second: float


@dataclass(frozen=True)
class Figures:
    """Medians over the rounds; errors are added up."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    errors: int


@dataclass
class Summary:
    """All medians.

    Attributes:
        points: by candidate, answer, load and level.
        starts: by candidate: seconds to the first answer, and megabytes.
        direct: milliseconds at batch 1, and images a CPU second at batch 32; None if not measured.
    """

    points: dict[tuple[str, str, str, int], Figures]
    starts: dict[str, tuple[float, float]]
    direct: tuple[float, float] | None = None

    def levels(self, load: str) -> list[int]:
        """Return the levels at which a load was measured."""
        return sorted({level for _, _, kind, level in self.points if kind == load})

    def answers(self) -> list[str]:
        """Return the forms of answer that were measured."""
        return sorted({answer for _, answer, _, _ in self.points}, reverse=True)


def summarise(
    points: Iterable[Point], starts: Iterable[Start], direct: Sequence[Direct] = ()
) -> Summary:
    """Return medians over the rounds."""
    grouped: dict[tuple[str, str, str, int], list[Point]] = defaultdict(list)
    for point in points:
        grouped[point.candidate, point.answer, point.load, point.level].append(point)
    started: dict[str, list[Start]] = defaultdict(list)
    for start in starts:
        started[start.candidate].append(start)
    median = statistics.median
    return Summary(
        points={
            key: Figures(
                rate=median(point.rate for point in group),
                p50_ms=median(point.p50_ms for point in group),
                p99_ms=median(point.p99_ms for point in group),
                cpu_ms=median(point.cpu_ms for point in group),
                errors=sum(point.errors for point in group),
            )
            for key, group in grouped.items()
        },
        starts={
            key: (
                median(start.first_answer_s for start in group),
                median(start.memory_mb for start in group),
            )
            for key, group in started.items()
        },
        direct=(
            median(run.one_ms for run in direct),
            median(run.images_per_cpu_second for run in direct),
        )
        if direct
        else None,
    )


def write_csv(rows: Sequence[Point] | Sequence[Start] | Sequence[Direct], path: Path) -> None:
    """Write every run, one a line; nothing where there is none."""
    if not rows:
        return
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(rows[0])], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            told = asdict(row)
            writer.writerow(
                {
                    name: round(value, 4) if isinstance(value, float) else value
                    for name, value in told.items()
                }
            )
