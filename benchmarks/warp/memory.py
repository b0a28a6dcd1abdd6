"""Peak memory of one warp beyond what was there, in a process of its own (Linux)."""

import argparse
import gc
import multiprocessing
from pathlib import Path


def _status(key: str) -> int:
    """A line of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def _measure(training: bool, results: "multiprocessing.Queue[float]") -> None:
    from benchmarks.warp import cases, ours  # noqa: PLC0415 (in the child alone)

    case = cases.PHOTOS
    call = (ours.backward if training else ours.forward)(case, case.affine())
    for _ in range(2):
        call()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _status("VmRSS")
    result = call()
    results.put((_status("VmHWM") - before) / case.image().nbytes)
    del result


def extra(training: bool) -> float:
    """Return the peak, output included, as a multiple of the image batch (32 x 224 x 224 x 3)."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[float] = context.Queue()
    process = context.Process(target=_measure, args=(training, results))
    process.start()
    value = results.get(timeout=300)
    process.join()
    return value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    print(f"forward {extra(False):.2f}, training {extra(True):.2f} times the image")  # noqa: T201
