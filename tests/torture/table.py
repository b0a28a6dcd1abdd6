"""The rows of the report."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One claim and what became of it.

    Attributes:
        scenario: its name.
        backend: behind which the gateway stood.
        thrown: what was thrown at it.
        expected: what must be observed.
        observed: what was.
        passed: whether that is so.
        timed: whether the claim depends on how fast the machine is.
    """

    scenario: str
    backend: str
    thrown: str
    expected: str
    observed: str
    passed: bool
    timed: bool = False

    @property
    def verdict(self) -> str:
        """One word for the table."""
        return "pass" if self.passed else "miss"


def markdown(rows: list[Row]) -> str:
    """Return the table as Markdown."""
    lines = ["| scenario | backend | thrown | expected | observed | |", "|---|---|---|---|---|---|"]
    for row in rows:
        verdict = row.verdict if row.passed else f"**{row.verdict}**"
        cells = (row.scenario, row.backend, row.thrown, row.expected, row.observed, verdict)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def milliseconds(seconds: float) -> str:
    """Return a time in words."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values lies; 0 when there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
