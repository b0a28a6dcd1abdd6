"""The goals that this benchmark can decide, and what became of them."""

from dataclasses import dataclass

from benchmarks.serving.figures import CLOSED, Summary

GATEWAY, ALONE = "gateway-as-shipped", "gateway-alone"
# How many times as fast as each peer, in whichever of its forms is the faster.
TIMES_AS_FAST = {"fastapi": 6.0, "bentoml": 5.0, "litserve": 5.0, "mlserver": 2.5, "ray": 8.0}
CLIENTS = 32


@dataclass(frozen=True)
class Goal:
    """One goal.

    Attributes:
        figure: what is measured, and beside what.
        goal: the bound.
        reached: None when this run did not measure it.
        unit: after the number.
        at_most: whether less is better.
    """

    figure: str
    goal: float
    reached: float | None
    unit: str = "x"
    at_most: bool = True

    @property
    def verdict(self) -> str:
        """One word, or two."""
        if self.reached is None:
            return "not measured"
        kept = self.reached <= self.goal if self.at_most else self.reached >= self.goal
        return "pass" if kept else "miss"


def judge(summary: Summary) -> list[Goal]:
    """Return all goals with what was reached."""
    goals = []
    for answer in ("without image", "with image"):
        goals.extend(_beside_peers(summary, answer))
    return [*goals, *_beside_direct(summary), *_starts(summary)]


def _beside_peers(summary: Summary, answer: str) -> list[Goal]:
    ours = summary.points.get((GATEWAY, answer, CLOSED, CLIENTS))
    peers = {
        name: [
            figures
            for (key, form, load, level), figures in summary.points.items()
            if key.startswith(f"{name}-") and (form, load, level) == (answer, CLOSED, CLIENTS)
        ]
        for name in TIMES_AS_FAST
    }
    told = f"{CLIENTS} clients, {answer}"
    goals = []
    for name, bound in TIMES_AS_FAST.items():
        fastest = max((figures.rate for figures in peers[name]), default=None)
        reached = ours.rate / fastest if ours and fastest else None
        goals.append(Goal(f"requests/s beside {name}, {told}", bound, reached, at_most=False))
    everyone = [figures for group in peers.values() for figures in group]
    cpu = min((figures.cpu_ms for figures in everyone), default=None)
    p99 = min((figures.p99_ms for figures in everyone), default=None)
    return [
        *goals,
        Goal(
            f"server CPU per request beside the best peer, {told}",
            0.4,
            ours.cpu_ms / cpu if ours and cpu else None,
        ),
        Goal(
            f"p99 beside the best peer, {told}", 0.25, ours.p99_ms / p99 if ours and p99 else None
        ),
    ]


def _beside_direct(summary: Summary) -> list[Goal]:
    one = summary.points.get((GATEWAY, "without image", CLOSED, 1))
    many = summary.points.get((GATEWAY, "without image", CLOSED, 64))
    latency = share = None
    if summary.direct:
        one_ms, images_per_cpu_second = summary.direct
        latency = one.p50_ms / one_ms if one else None
        share = 1e3 / many.cpu_ms / images_per_cpu_second if many and many.cpu_ms else None
    return [
        Goal("p50, 1 client, beside decoding and a direct call at batch 1", 2.5, latency),
        Goal(
            "pictures per CPU second, 64 clients, beside direct calls at batch 32",
            0.4,
            share,
            at_most=False,
        ),
    ]


def _starts(summary: Summary) -> list[Goal]:
    embedded = summary.starts.get(GATEWAY, (None, None))
    alone = summary.starts.get(ALONE, (None, None))
    return [
        Goal("gateway alone: time to the first answer", 1.2, alone[0], " s"),
        Goal("gateway alone: memory, one worker", 100, alone[1], " MB"),
        Goal("embedded: time to the first answer", 6, embedded[0], " s"),
        Goal("embedded: memory", 700, embedded[1], " MB"),
    ]


def markdown(goals: list[Goal]) -> str:
    """Return the table."""
    lines = ["| figure | goal | reached | |", "|---|---|---|---|"]
    for goal in goals:
        bound = f"{'at most' if goal.at_most else 'at least'} {goal.goal:g}{goal.unit}"
        reached = "" if goal.reached is None else f"{goal.reached:.3g}{goal.unit}"
        verdict = f"**{goal.verdict}**" if goal.verdict == "miss" else goal.verdict
        lines.append(f"| {goal.figure} | {bound} | {reached} | {verdict} |")
    return "\n".join(lines)
