"""The gateway as a process of its own, as people start it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
_TIMEOUT_SECONDS = 240

# However slow the machine that runs the tests is, time is not what is tested.
_PATIENT = (
    *("--request-timeout-ms", "120000", "--max-request-timeout-ms", "600000"),
    *("--body-timeout-seconds", "120", "--shutdown-grace-seconds", "120"),
)


# A model server that is away: the gateway then starts without TensorFlow, in a second.
NO_MODELS = ("--model-server", "127.0.0.1:1")


def _environment() -> dict[str, str]:
    """Return this process's environment without what its owner has set for a gateway."""
    return {name: value for name, value in os.environ.items() if not name.startswith("STN_")}


@dataclass
class Gateway:
    """A running gateway.

    Attributes:
        url: where it answers.
        said: what it printed while it started.
        process: it.
        says: what it has printed since, as it comes.
        reader: reads that, or the gateway would stop when the pipe is full.
    """

    url: str
    said: list[str]
    process: "subprocess.Popen[str]"
    says: list[str]
    reader: threading.Thread

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_until_ready(self) -> None:
        """Wait until it can answer requests."""
        end = time.monotonic() + _TIMEOUT_SECONDS
        while (told := httpx.get(f"{self.url}/readyz", timeout=60)).status_code != 200:
            assert time.monotonic() < end, told.text
            time.sleep(0.1)

    def ended(self) -> tuple[int, str]:
        """Wait until it has ended; return its exit status and what it printed since."""
        status = self.process.wait(timeout=_TIMEOUT_SECONDS)
        self.reader.join()
        return status, "".join(self.says)


@contextlib.contextmanager
def start_gateway(
    models: Path | None, *flags: str, module: str = "service", patient: bool = True
) -> Iterator[Gateway]:
    """Start the gateway on a free port, wait until it answers, and stop it in the end.

    Args:
        models: folder of the models; None for none at all.
        flags: more of its command line.
        module: to run in its place.
        patient: with limits that no slow machine reaches.
    """
    folder = NO_MODELS if models is None else ("--models", str(models))
    command = [sys.executable, "-m", module, *folder, "--port", "0"]
    command += [*(_PATIENT if patient else ()), *flags]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said: list[str] = []
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line.rstrip())
                if "explore:" in line or ("answers" in line and line.startswith("{")):
                    break
            found = re.search(r'(?:answers on |"address": ?")(http://[\d.]+:\d+)', "\n".join(said))
            assert found, said
            says: list[str] = []
            reader = threading.Thread(target=says.extend, args=(process.stdout,))
            reader.start()
            try:
                yield Gateway(found[1], said, process, says, reader)
            finally:
                process.kill()
                reader.join()
        finally:
            process.kill()


def run_gateway(*flags: str) -> "subprocess.CompletedProcess[str]":
    """Run the gateway where it is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "service", *flags],
        cwd=ROOT,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )


def children_of(pid: int) -> set[int]:
    """Return the numbers of a process's children, on Linux."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == pid:
            found.add(int(folder.name))
    return found
