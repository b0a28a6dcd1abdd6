"""CPU time per call, on one thread, of candidates that take turns."""

import statistics
import time
from collections.abc import Callable


def race(
    candidates: dict[str, Callable[[], object]], rounds: int = 7, seconds: float = 0.15
) -> dict[str, float]:
    """Return the median CPU milliseconds per call of each candidate.

    CPU time, because the machine may be shared; turns in alternating order, because its clock may
    drift.

    Args:
        candidates: functions by name.
        rounds: how many turns each takes.
        seconds: CPU time of one turn.
    """
    calls = {}
    for name, function in candidates.items():
        function()
        function()
        start = time.process_time()
        function()
        calls[name] = max(1, int(seconds / max(time.process_time() - start, 2e-5)))
    times: dict[str, list[float]] = {name: [] for name in candidates}
    names = list(candidates)
    for turn in range(rounds):
        for name in names if turn % 2 == 0 else reversed(names):
            start = time.process_time()
            for _ in range(calls[name]):
                candidates[name]()
            times[name].append((time.process_time() - start) / calls[name])
    return {name: 1e3 * statistics.median(values) for name, values in times.items()}
