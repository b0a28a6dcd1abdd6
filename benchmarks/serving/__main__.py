"""Run the benchmark: `python -m benchmarks.serving --quick`."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from benchmarks.serving import environments, goals, report, wrk
from benchmarks.serving.campaign import Plan, Results, measure
from benchmarks.serving.candidates import ROOT, Candidate, candidates
from benchmarks.serving.figures import summarise, write_csv
from benchmarks.serving.machine import machine
from benchmarks.serving.messages import ANSWERS, WITHOUT_IMAGE
from benchmarks.serving.picture import LABEL, SIDE, read_picture


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up, measure, and write the report; 1 if a goal was missed."""
    parser = argparse.ArgumentParser("python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--list", action="store_true", help="name who takes part, and end")
    parser.add_argument("--set-up", action="store_true", help="make the environments, and end")
    parser.add_argument(
        "--only", metavar="KEYS", help="some, by the start of their names: ray,gateway"
    )
    parser.add_argument("--rounds", type=int, help="starts of each server (5; quick: 2)")
    parser.add_argument("--seconds", type=int, help="of each run (5; quick: 3)")
    parser.add_argument("--clients", metavar="N,N", help="of closed loops (1,8,32,64; quick: 1,32)")
    parser.add_argument("--rate", type=int, default=100, help="of the open loop; 0 for none (100)")
    parser.add_argument("--quick", action="store_true", help="about twelve minutes")
    parser.add_argument("--model-server", metavar="HOST:PORT", help="a TensorFlow Serving, if any")
    parser.add_argument("--report", type=Path, default=ROOT / "build" / "serving", metavar="FOLDER")
    parser.add_argument(
        "--environments", type=Path, default=environments.default_folder(), metavar="FOLDER"
    )
    options = parser.parse_args(arguments)

    chosen = choose(candidates(options.model_server), options.only)
    if options.list:
        for candidate in chosen:
            print(f"{candidate.key:24}{candidate.name}, {candidate.form}")
        return 0
    results = Results()
    set_up(chosen, options.environments, results)
    if options.set_up:
        for key, reason in results.not_run.items():
            print(f"{key}: {reason}", file=sys.stderr)
        return 1 if results.not_run else 0
    try:
        wrk.find()
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2

    plan = Plan(
        rounds=options.rounds or (2 if options.quick else 5),
        seconds=options.seconds or (3 if options.quick else 5),
        clients=tuple(
            map(int, (options.clients or ("1,32" if options.quick else "1,8,32,64")).split(","))
        ),
        rate=options.rate,
        open_answers=((WITHOUT_IMAGE,) if options.quick else ANSWERS) if options.rate else (),
        picture=read_picture(),
        label=LABEL,
    )
    running = [candidate for candidate in chosen if candidate.key not in results.not_run]
    told = measured_on(plan, chosen, options.environments)

    def save() -> None:
        write(options.report, results, chosen, told)

    measure(plan, running, options.environments, results, save)
    judged = goals.judge(summarise(results.points, results.starts, results.direct))
    print((options.report / "report.md").read_text())
    print(f"written to {options.report}", file=sys.stderr)
    return 1 if results.not_run or any(goal.verdict == "miss" for goal in judged) else 0


def choose(everyone: Sequence[Candidate], only: str | None) -> list[Candidate]:
    """Return those whose key begins with one of the words of a list."""
    if not only:
        return list(everyone)
    words = tuple(word.strip() for word in only.split(","))
    chosen = [candidate for candidate in everyone if candidate.key.startswith(words)]
    if not chosen:
        known = ", ".join(candidate.key for candidate in everyone)
        raise SystemExit(f"--only: nobody is called {only!r}; there is {known}")
    return chosen


def set_up(chosen: Sequence[Candidate], folder: Path, results: Results) -> None:
    """Make the environments of those who take part; note who cannot."""
    names = sorted({candidate.environment for candidate in chosen} - {""})
    for name in tqdm(names, "environments", unit="environment"):
        try:
            environments.set_up(name, folder)
        except environments.CannotSetUp as error:
            results.not_run.update(
                {c.key: f"cannot be installed: {error}" for c in chosen if c.environment == name}
            )


def measured_on(plan: Plan, chosen: Sequence[Candidate], folder: Path) -> list[str]:
    """Return what a reader must know of a measurement."""
    packages = {"gateway": environments.own_versions()}
    for name in sorted({candidate.environment for candidate in chosen} - {""}):
        packages[name] = environments.versions(name, folder)
    return [
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}",
        f"{plan.rounds} rounds of {plan.seconds} s, medians; load and servers on the same cores",
        f"a PNG of {len(plan.picture)} bytes, {SIDE} x {SIDE} grey",
        *(
            f"{name}: " + ", ".join(f"{package} {version}" for package, version in told.items())
            for name, told in packages.items()
        ),
    ]


def write(folder: Path, results: Results, chosen: Sequence[Candidate], told: list[str]) -> None:
    """Write tables, figures and plot to a folder."""
    from benchmarks.serving import plot

    folder.mkdir(parents=True, exist_ok=True)
    write_csv(results.points, folder / "points.csv")
    write_csv(results.starts, folder / "starts.csv")
    write_csv(results.direct, folder / "direct.csv")
    summary = summarise(results.points, results.starts, results.direct)
    text = report.markdown(summary, chosen, results.not_run, told)
    (folder / "report.md").write_text(text)
    if results.points:
        plot.draw(summary, chosen).savefig(folder / "plot.png", dpi=110)


if __name__ == "__main__":
    sys.exit(main())
