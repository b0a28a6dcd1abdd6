"""Keeps all that a command starts below itself: `python keeper.py COMMAND...` (Linux).

Some servers leave their daemons to init, and so escape whoever counts their time and memory. A
child subreaper inherits them instead (`prctl(2)`). On SIGTERM, or when its parent is gone, it ends
them all.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
# Who has been measured may go at once; this is for its temporary files.
GRACE_SECONDS = 3.0


def descendants(pid: int) -> list[int]:
    """Return all processes below one, nearest first."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found.extend(map(int, task.read_text().split()))
            except OSError:
                continue
    return found[1:]


def _reap() -> bool:
    """Bury who has ended; tell whether there is anyone left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _end_all() -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    for child in descendants(os.getpid()):
        _kill(child, signal.SIGTERM)
    while _reap():
        now = time.monotonic()
        if now > deadline:
            for child in descendants(os.getpid()):
                # Python's tracker takes the semaphores of the dead away, and then goes by itself.
                if now > deadline + GRACE_SECONDS or not _is_tracker(child):
                    _kill(child, signal.SIGKILL)
        time.sleep(0.02)


def _is_tracker(pid: int) -> bool:
    try:
        return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def main(command: list[str]) -> int:
    """Run the command until it ends or a signal comes; leave nothing behind."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(143))
    try:
        server = subprocess.Popen(command)
        # Not Popen.wait: it would leave the adopted ones unburied.
        while True:
            pid, status = os.wait()
            if pid == server.pid:
                return os.waitstatus_to_exitcode(status) or 1
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        _end_all()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
