"""Where a request's time goes, and what each feature of the gateway costs.

Everything runs in one process, without a network and without a load generator that would compete
for the cores; what is measured is CPU time, and candidates take turns.
"""

import argparse
import json
from pathlib import Path

import uvloop

from benchmarks.gateway import features, remote, stages
from benchmarks.serving.machine import machine
from service.telemetry.logs import configure_logging

MODELS = Path(__file__).parents[2] / "models"


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--rounds", type=int, default=9, help="turns of each candidate")
    parser.add_argument("--connections", type=int, default=16, help="that ask at the same time")
    parser.add_argument("--asks", type=int, default=25, help="requests of each in a turn")
    parser.add_argument("--figures", type=Path, help="write all figures there, as JSON")
    parser.add_argument(
        "--remote",
        nargs="?",
        const="",
        metavar="HOST:PORT",
        help="measure instead what the gateway adds to calls of a TensorFlow Serving that serves "
        "the same models; of a stand-in where no address is given",
    )
    options = parser.parse_args()
    if options.remote is not None:
        _tell_remote(remote.measure(options.models, options.rounds, options.remote or None))
        return

    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        configure_logging("json", "info", nowhere)
        by_stage = uvloop.run(stages.measure(options.models, options.rounds))
        by_feature = uvloop.run(
            features.measure(options.models, options.rounds, options.connections, options.asks)
        )
    print(f"\n{machine()}; CPU microseconds, medians of {options.rounds} rounds\n")
    print(
        f"| stage, of one picture (shared stages: in a batch of {stages.BATCH}) | µs |\n|---|---|"
    )
    for name, microseconds in by_stage.items():
        print(f"| {name} | {microseconds:.1f} |")
    print("\n| request, without network and model | µs | difference |\n|---|---|---|")
    whole = next(iter(by_feature.values()))
    for name, microseconds in by_feature.items():
        print(f"| {name} | {microseconds:.0f} | {microseconds - whole:+.0f} |")
    if options.figures:
        figures = {"machine": machine(), "stages": by_stage, "requests": by_feature}
        options.figures.write_text(json.dumps(figures, indent=1) + "\n")


def _tell_remote(figures: dict[str, float]) -> None:
    added = figures["gateway p50"] - figures["bare p50"]
    ratio = figures["gateway rate"] / figures["bare rate"]
    print(f"\n{machine()}; medians\n")
    print("| | bare grpc.aio client | through the gateway | |\n|---|---|---|---|")
    print(
        f"| one client, p50 | {figures['bare p50']:.2f} ms | {figures['gateway p50']:.2f} ms | "
        f"{added:+.2f} ms |"
    )
    print(
        f"| {remote.CLIENTS} clients | {figures['bare rate']:.0f} /s | "
        f"{figures['gateway rate']:.0f} /s | {ratio:.2f}x |"
    )
    one, two = figures["one worker"], figures["two workers"]
    print(
        f"\nThe gateway spends {one:.2f} ms of CPU time on a picture with one worker and {two:.2f} "
        f"with two: on cores of their own, two do {2 * one / two:.2f}x what one does."
    )


if __name__ == "__main__":
    main()
