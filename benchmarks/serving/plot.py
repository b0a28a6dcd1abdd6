"""The results as a picture: rate, latency and CPU time of each server."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.serving.candidates import Candidate
from benchmarks.serving.figures import CLOSED, Summary
from benchmarks.serving.report import reference

COLOURS = {"without image": "tab:blue", "with image": "tab:orange"}


def draw(summary: Summary, candidates: Sequence[Candidate]) -> Figure:
    """Return bars of rate and CPU time, and latency from p50 to p99, at the reference clients."""
    clients, answers = reference(summary), summary.answers()
    shown = [
        candidate
        for candidate in candidates
        if any((candidate.key, answer, CLOSED, clients) in summary.points for answer in answers)
    ]
    figure = Figure(figsize=(12, 0.5 * len(shown) + 1.4), layout="constrained")
    rate, latency, cpu = figure.subplots(1, 3, sharey=True)
    for offset, answer in zip((-0.2, 0.2), answers, strict=False):
        for place, candidate in enumerate(shown):
            seen = summary.points.get((candidate.key, answer, CLOSED, clients))
            if seen is None:
                continue
            colour, at = COLOURS[answer], place + offset
            label = answer if place == 0 else None
            rate.barh(at, seen.rate, 0.36, color=colour, label=label)
            latency.plot([seen.p50_ms, seen.p99_ms], [at, at], "o-", color=colour, markersize=4)
            cpu.barh(at, seen.cpu_ms, 0.36, color=colour)
    names = [f"{candidate.name}, {candidate.form}" for candidate in shown]
    rate.set_yticks(range(len(shown)), names, fontsize=8)
    rate.invert_yaxis()
    if shown:
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    for axes, title in (
        (rate, f"requests/s, {clients} clients"),
        (latency, "latency, ms: p50 and p99"),
        (cpu, "server CPU, ms a request"),
    ):
        if shown:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(title, fontsize=10)
        axes.grid(axis="x", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return figure
