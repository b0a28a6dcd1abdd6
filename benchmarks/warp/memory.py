"""Peak memory of one warp beyond what was there, in processes of their own (Linux)."""

import multiprocessing
import sys
from pathlib import Path
from typing import Any

_FEW, _MANY = 1, 129


def _status(key: str) -> int:
    """A line of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def _measure(training: bool, batch: int, results: Any) -> None:
    from benchmarks.warp import cases, ours

    case = cases.Case((batch, 224, 224, 3))
    call = (ours.backward if training else ours.forward)(case, case.affine())
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _status("VmRSS")
    kept = call()
    results.put(_status("VmHWM") - before)
    del kept


def _peak(training: bool, batch: int) -> int:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_measure, args=(training, batch, results))
    process.start()
    peak: int = results.get(timeout=300)
    process.join()
    return peak


def multiple_of_image(training: bool) -> float:
    """Return the growth of the peak, output included, as a multiple of the growth of the image.

    Both of 224 x 224 x 3; a difference of two batches, so that what the compiler takes, and the
    allocator keeps, falls out.
    """
    image = (_MANY - _FEW) * 224 * 224 * 3 * 4
    return (_peak(training, _MANY) - _peak(training, _FEW)) / image


if __name__ == "__main__":
    sys.stdout.write(
        f"forward {multiple_of_image(False):.2f}, training {multiple_of_image(True):.2f} times\n"
    )
