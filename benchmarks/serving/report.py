"""The report: what was measured on, tables, goals."""

from collections.abc import Mapping, Sequence

from benchmarks.serving import goals
from benchmarks.serving.candidates import Candidate
from benchmarks.serving.figures import CLOSED, OPEN, Figures, Summary


def markdown(
    summary: Summary,
    candidates: Sequence[Candidate],
    not_run: Mapping[str, str],
    measured_on: Sequence[str],
) -> str:
    """Return the whole report.

    Args:
        summary: what was measured.
        candidates: who took part, in order.
        not_run: why the others did not, by key.
        measured_on: lines on machine, versions and settings.
    """
    parts = ["# Serving, measured", "\n".join(f"- {line}" for line in measured_on)]
    for answer in summary.answers():
        parts.append(f"## Closed loop, answer {answer}")
        parts.append(_closed(summary, candidates, answer))
        if summary.levels(OPEN):
            parts.append(f"## Open loop, answer {answer}")
            parts.append(_open(summary, candidates, answer))
    parts.append("## Start and memory")
    parts.append(_starts(summary, candidates))
    parts.append("## Goals")
    parts.append(goals.markdown(goals.judge(summary)))
    if not_run:
        parts.append("## Not run")
        parts.append("\n".join(f"- {key}: {reason}" for key, reason in not_run.items()))
    return "\n\n".join(parts) + "\n"


def reference(summary: Summary) -> int:
    """Return the number of clients at which latency and CPU time are told."""
    levels = summary.levels(CLOSED)
    return goals.CLIENTS if goals.CLIENTS in levels or not levels else levels[-1]


def _closed(summary: Summary, candidates: Sequence[Candidate], answer: str) -> str:
    levels, at = summary.levels(CLOSED), reference(summary)
    head = [
        "server",
        "form",
        *(f"requests/s at {level}" for level in levels),
        *(f"p50 ms at {level}" for level in sorted({levels[0], at}) if levels),
        f"p99 ms at {at}",
        f"CPU ms at {at}",
        "errors",
    ]
    rows = []
    for candidate in candidates:
        seen = {
            level: summary.points.get((candidate.key, answer, CLOSED, level)) for level in levels
        }
        if not any(seen.values()):
            continue
        rows.append(
            [
                candidate.name,
                candidate.form,
                *(_rate(seen[level]) for level in levels),
                *(_ms(seen[level], "p50_ms") for level in sorted({levels[0], at})),
                _ms(seen[at], "p99_ms"),
                _ms(seen[at], "cpu_ms"),
                str(sum(figures.errors for figures in seen.values() if figures)),
            ]
        )
    return table(head, rows)


def _open(summary: Summary, candidates: Sequence[Candidate], answer: str) -> str:
    rate = summary.levels(OPEN)[0]
    rows = []
    for candidate in candidates:
        seen = summary.points.get((candidate.key, answer, OPEN, rate))
        if seen:
            milliseconds = [_ms(seen, name) for name in ("p50_ms", "p99_ms", "cpu_ms")]
            rows.append(
                [candidate.name, candidate.form, _rate(seen), *milliseconds, str(seen.errors)]
            )
    head = ["server", "form", f"answered/s, of {rate}", "p50 ms", "p99 ms", "CPU ms", "errors"]
    return table(head, rows)


def _starts(summary: Summary, candidates: Sequence[Candidate]) -> str:
    rows = []
    for candidate in candidates:
        if candidate.key in summary.starts:
            seconds, megabytes = summary.starts[candidate.key]
            rows.append([candidate.name, candidate.form, f"{seconds:.1f}", f"{megabytes:.0f}"])
    return table(["server", "form", "first answer after s", "memory MB"], rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _rate(figures: Figures | None) -> str:
    return f"{figures.rate:,.0f}" if figures else ""


def _ms(figures: Figures | None, name: str) -> str:
    return f"{getattr(figures, name):.3g}" if figures else ""
