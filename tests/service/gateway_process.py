"""The gateway as a process of its own, as people start it."""

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_TIMEOUT_SECONDS = 120


@dataclass
class Gateway:
    """A running gateway.

    Attributes:
        url: where it answers.
        said: what it printed while it started.
        process: it.
    """

    url: str
    said: list[str]
    process: "subprocess.Popen[str]"

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> tuple[int, str]:
        """Wait until it has ended; return its exit status and what it printed since."""
        output, _ = self.process.communicate(timeout=_TIMEOUT_SECONDS)
        return self.process.returncode, output


@contextlib.contextmanager
def start_gateway(models: Path, *flags: str) -> Iterator[Gateway]:
    """Start the gateway on a free port, wait until it answers, and stop it in the end."""
    command = [sys.executable, "-m", "service", "--models", str(models), "--port", "0", *flags]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            said: list[str] = []
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line.rstrip())
                if "explore:" in line:
                    break
            found = re.search(r"answers on (http://\S+)", "\n".join(said))
            assert found, said
            yield Gateway(found[1], said, process)
        finally:
            process.kill()


def run_gateway(*flags: str) -> "subprocess.CompletedProcess[str]":
    """Run the gateway where it is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "service", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
