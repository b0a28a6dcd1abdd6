"""CPU time and memory of a process and all below it, from /proc (Linux)."""

import os
from pathlib import Path

from benchmarks.serving.keeper import descendants

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that the processes below one have spent, those that ended included.

    What has ended is in its parent's account once the parent has waited for it.
    """
    return sum(_ticks(below) for below in [pid, *descendants(pid)]) / _TICKS


def memory_bytes(pid: int) -> int:
    """Return the memory of the processes below one; pages that several share count once (PSS)."""
    return sum(_proportional_share(below) for below in descendants(pid))


def _ticks(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # The name, in brackets, may hold anything. utime, stime, cutime, cstime: proc_pid_stat(5).
    return sum(map(int, stat.rpartition(")")[2].split()[11:15]))


def _proportional_share(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
