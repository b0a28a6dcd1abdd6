"""Memory that `stn-model train --images` takes, by the number of pictures.

Folders of synthetic pictures, each one different, are trained on for an epoch and reported on, as
anyone would from the command line. The memory is the peak of that whole process.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.serving.goals import Goal, markdown
from benchmarks.serving.machine import machine

_NUM_CLASSES = 10
_SIDE = 28
_GOAL_MIB = 3 * 1024


def main() -> int:
    """Train on each number of pictures, and print what it took; 1 if the goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=[2_000, 20_000, 200_000])
    counts = sorted(parser.parse_args().counts)
    print(f"{machine()}\n\n| pictures | seconds | peak, MiB |\n|---:|---:|---:|", flush=True)
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            _draw(Path(folder) / "pictures", count)
            started = time.monotonic()
            _train(Path(folder))
            seconds = time.monotonic() - started
        # The largest of all children so far: hence from the fewest pictures to the most.
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"| {count:,} | {seconds:.0f} | {peak:.0f} |", flush=True)
    goals = [Goal(f"peak with {counts[-1]:,} pictures", _GOAL_MIB, peak, unit=" MiB")]
    print(f"\n{markdown(goals)}")
    return int(any(goal.verdict == "miss" for goal in goals))


def _draw(folder: Path, count: int) -> None:
    """Write pictures of noise with a bright spot, whose place tells the class."""
    random = np.random.default_rng(count)
    for number in range(_NUM_CLASSES):
        (folder / f"spot-{number}").mkdir(parents=True)
    for index in tqdm(range(count), desc="drawing", leave=False):
        number = index % _NUM_CLASSES
        pixels = random.integers(0, 100, (_SIDE, _SIDE), np.uint8)
        row, column = divmod(number, 4)
        pixels[8 * row + 2 : 8 * row + 8, 7 * column : 7 * column + 6] = 255
        path = folder / f"spot-{number}" / f"{index:06}.png"
        Image.fromarray(pixels).save(path, compress_level=1)


def _train(folder: Path) -> None:
    command = [sys.executable, "-m", "model_export", "train", "--epochs", "1"]
    command += ["--images", str(folder / "pictures"), "--run", str(folder / "run")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
