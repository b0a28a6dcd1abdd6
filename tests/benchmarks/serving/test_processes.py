"""Time and memory of a server are those of all its processes, daemons included."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.serving import keeper, processes

KEEPER = Path(keeper.__file__)
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# A daemon as Ray's are: its parent is gone, and it holds memory. It tells its number.
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    held = bytes(bytearray(b"x" * 4096) * 5000)
    print(os.getpid(), flush=True)
    time.sleep(3600)
os.wait()
time.sleep(3600)
"""


def start(program: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(KEEPER), sys.executable, "-c", program]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    process.communicate()


def test_a_daemon_counts_and_ends_with_its_server() -> None:
    """Were it left to init, neither would be so."""
    process = start(DAEMON)
    try:
        daemon = int(first_line(process))
        below = keeper.descendants(process.pid)
        memory = processes.memory_bytes(process.pid)
    finally:
        end(process)

    assert daemon in below
    assert memory > 20_000_000
    assert not Path(f"/proc/{daemon}").exists()


def test_time_of_a_process_that_has_ended_still_counts() -> None:
    """A worker that is replaced must not take its time with it."""
    process = start(
        "import subprocess, sys, time\n"
        "spend = 'import time\\nwhile time.process_time() < 0.3: pass'\n"
        "subprocess.run([sys.executable, '-c', spend])\n"
        "print('spent', flush=True)\n"
        "time.sleep(3600)"
    )
    try:
        assert first_line(process) == "spent\n"
        seconds = processes.cpu_seconds(process.pid)
    finally:
        end(process)

    assert seconds >= 0.29


def test_the_keeper_ends_with_its_command() -> None:
    """A server that fails to start is not waited for."""
    process = start("raise SystemExit(3)")

    process.communicate()

    assert process.returncode == 3
