"""The model without any server: `python direct.py PICTURE`, which prints one line of JSON.

Runs with `peers/common` on the import path: the same Session that the tuned peers call.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from tuned_model import TunedModel

SECONDS = 1.5


def main() -> None:
    """Measure both figures; one after the other, on one thread."""
    content = Path(sys.argv[1]).read_bytes()
    model = TunedModel()
    latencies, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        model.predict(model.read_picture(content)[None], with_warped=False)
        latencies.append(time.perf_counter() - start)
    batch = np.stack([model.read_picture(content)] * 32)
    calls, start, end = 0, time.process_time(), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        model.predict(batch, with_warped=False)
        calls += 1
    spent = time.process_time() - start
    told = {
        "one_ms": 1e3 * float(np.median(latencies)),
        "images_per_cpu_second": 32 * calls / spent,
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
