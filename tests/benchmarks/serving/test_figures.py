"""Medians over rounds, goals from medians, and the report of both."""

import csv
from pathlib import Path

import pytest

from benchmarks.serving import goals, report
from benchmarks.serving.candidates import candidates
from benchmarks.serving.figures import (
    CLOSED,
    OPEN,
    Direct,
    Point,
    Start,
    Summary,
    summarise,
    write_csv,
)

WITHOUT, WITH = "without image", "with image"


def point(candidate: str, rate: float, turn: int = 1, **changed: object) -> Point:
    told = {"answer": WITHOUT, "load": CLOSED, "level": 32, "p50_ms": 10.0, "p99_ms": 20.0}
    told |= {"cpu_ms": 2.0, "errors": 0, **changed}
    return Point(candidate=candidate, rate=rate, round=turn, **told)  # type: ignore[arg-type]


def goal(summary: Summary, *words: str) -> goals.Goal:
    """Return the one goal whose name holds all the words."""
    (found,) = [each for each in goals.judge(summary) if all(word in each.figure for word in words)]
    return found


def test_a_figure_is_the_median_of_its_rounds() -> None:
    """Not the mean: one bad round must not tell."""
    runs = [point("ray-tuned", rate, turn) for turn, rate in enumerate((100.0, 1.0, 110.0), 1)]

    summary = summarise(runs, [])

    assert summary.points["ray-tuned", WITHOUT, CLOSED, 32].rate == 100.0


def test_errors_of_all_rounds_are_added_up() -> None:
    """A median would hide those of a single round."""
    runs = [point("ray-tuned", 1.0, turn, errors=errors) for turn, errors in enumerate((2, 7, 0))]

    assert summarise(runs, []).points["ray-tuned", WITHOUT, CLOSED, 32].errors == 9


def test_loads_answers_and_levels_are_kept_apart() -> None:
    runs = [
        point("ray-tuned", 1.0),
        point("ray-tuned", 2.0, load=OPEN, level=100),
        point("ray-tuned", 3.0, answer=WITH),
        point("ray-tuned", 4.0, level=64),
    ]

    summary = summarise(runs, [])

    assert sorted(figures.rate for figures in summary.points.values()) == [1.0, 2.0, 3.0, 4.0]
    assert (summary.levels(CLOSED), summary.levels(OPEN)) == ([32, 64], [100])


def test_a_peer_is_judged_by_its_faster_form() -> None:
    """Were tuning to make it slower, that would be no merit of ours."""
    runs = [
        point("gateway-as-shipped", 1200.0),
        point("bentoml-documented", 300.0),
        point("bentoml-tuned", 200.0),
    ]

    judged = goal(summarise(runs, []), "requests/s", "bentoml", WITHOUT)

    assert judged.reached == 4.0
    assert judged.verdict == "miss"


def test_cpu_and_p99_are_compared_with_the_best_peer() -> None:
    runs = [
        point("gateway-as-shipped", 1.0, cpu_ms=0.5, p99_ms=10.0),
        point("mlserver-tuned", 1.0, cpu_ms=1.0, p99_ms=50.0),
        point("fastapi-tuned", 1.0, cpu_ms=2.0, p99_ms=40.0),
    ]
    summary = summarise(runs, [])

    assert goal(summary, "CPU", WITHOUT).reached == 0.5
    assert goal(summary, "p99", WITHOUT).reached == 0.25
    assert goal(summary, "p99", WITHOUT).verdict == "pass"


@pytest.mark.parametrize(("rate", "verdict"), [(600.0, "pass"), (599.0, "miss")])
def test_a_lower_bound_is_kept_when_it_is_reached(rate: float, verdict: str) -> None:
    runs = [point("gateway-as-shipped", rate), point("fastapi-tuned", 100.0)]

    assert goal(summarise(runs, []), "requests/s", "fastapi", WITHOUT).verdict == verdict


def test_pictures_are_counted_per_cpu_second_beside_direct_calls() -> None:
    """0.5 ms a picture is 2,000 a CPU second, half of 4,000."""
    runs = [
        point("gateway-as-shipped", 1.0, level=64, cpu_ms=0.5),
        point("gateway-as-shipped", 1.0, level=1, p50_ms=1.0),
    ]
    summary = summarise(runs, [], [Direct(1, 0.5, 4000.0)])

    assert goal(summary, "CPU second").reached == pytest.approx(0.5)
    assert goal(summary, "1 client").reached == pytest.approx(2.0)


def test_what_was_not_measured_neither_passes_nor_misses() -> None:
    verdicts = {each.verdict for each in goals.judge(summarise([], []))}

    assert verdicts == {"not measured"}


def test_starts_are_judged_by_their_medians() -> None:
    starts = [Start("gateway-alone", turn, seconds, 90.0) for turn, seconds in enumerate((1, 2, 1))]

    summary = summarise([], starts)

    assert goal(summary, "alone", "first answer").verdict == "pass"
    assert goal(summary, "embedded", "memory").verdict == "not measured"


def test_the_report_names_everyone_who_ran_and_why_others_did_not() -> None:
    everyone = candidates()
    runs = [point(everyone[0].key, 3456.7), point("ray-tuned", 200.0, errors=3)]
    reason = "cannot be installed: no wheel for this machine"

    text = report.markdown(summarise(runs, []), everyone, {"bentoml-tuned": reason}, ["a machine"])

    assert "| stn-serve, embedded | as shipped | 3,457 |" in text
    assert "| Ray Serve | tuned | 200 | 10 | 20 | 2 | 3 |" in text
    assert f"- bentoml-tuned: {reason}" in text
    assert "- a machine" in text
    assert "| LitServe |" not in text


def test_every_line_of_a_table_has_as_many_cells_as_its_head() -> None:
    """With several levels, and candidates that miss some of them."""
    runs = [
        point("gateway-as-shipped", 1.0, level=1),
        point("gateway-as-shipped", 1.0, level=64),
        point("ray-tuned", 1.0, level=32),
        point("ray-tuned", 1.0, level=100, load=OPEN),
    ]

    text = report.markdown(summarise(runs, [Start("ray-tuned", 1, 9, 9)]), candidates(), {}, [])

    for block in text.split("\n\n"):
        cells = {line.count("|") for line in block.splitlines() if line.startswith("|")}
        assert len(cells) <= 1, block


def test_csv_holds_every_run(tmp_path: Path) -> None:
    runs = [point("ray-tuned", 1.5, turn) for turn in (1, 2)]

    write_csv(runs, tmp_path / "points.csv")

    with (tmp_path / "points.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["round"], row["rate"]) for row in rows] == [("1", "1.5"), ("2", "1.5")]
