"""Run the benchmark: `python -m benchmarks.warp --stn-1-0-1 stn-1.0.1-py3-none-any.whl`."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Read by TensorFlow when it is imported; the others are told in peers.py.
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"


def main() -> int:
    """Measure, print the table, write figures and plot; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stn-1-0-1", type=Path, required=True, metavar="WHEEL")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each candidate")
    parser.add_argument("--figures", type=Path, help="write them there, as JSON")
    parser.add_argument("--plot", type=Path, help="draw them there")
    arguments = parser.parse_args()

    from benchmarks.warp import goals, peers, plot

    results = []
    print("| path | against | goal | reached | |\n|---|---|---|---|---|")
    for result in goals.measure(peers.load_1_0_1(arguments.stn_1_0_1), arguments.rounds):
        results.append(result)
        relation, unit = ("at most ", "") if result.at_most else ("", "x")
        verdict = "pass" if result.passed else "**miss**"
        print(
            f"| {result.path} | {result.against} | {relation}{result.goal:g}{unit} "
            f"| {result.reached:.3g}{unit} | {verdict} |",
            flush=True,
        )
    if arguments.figures:
        figures = [{**asdict(result), "passed": result.passed} for result in results]
        arguments.figures.write_text(json.dumps(figures, indent=1) + "\n")
    if arguments.plot:
        plot.draw(results).savefig(arguments.plot, dpi=110)
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
