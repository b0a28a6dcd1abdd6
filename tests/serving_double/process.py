"""The double as a process of its own, for tests that must not load TensorFlow."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc

ROOT = Path(__file__).parents[2]


class ServingDoubleProcess:
    """A running double; use it as a context manager.

    Args:
        models: folder laid out as `<servable>/<version>/`; None if the flags name the models.
        flags: more of its command line.

    Attributes:
        address: `host:port`, the same after `start` follows `kill`.
    """

    def __init__(self, models: Path | None, flags: Sequence[str] = ()) -> None:
        self._models = models
        self._flags = flags
        self._process: subprocess.Popen[str] | None = None
        self._spare: subprocess.Popen[str] | None = None
        self._channel: grpc.Channel | None = None
        self.address = "127.0.0.1:0"

    def __enter__(self) -> "ServingDoubleProcess":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        if self._spare is not None:
            _end(self._spare, signal.SIGKILL)

    def start(self) -> None:
        """Start it, or start it again on the same port, and wait until it listens.

        Raises:
            RuntimeError: it ended instead; the message holds what it said.
        """
        process, self._spare = self._spare or self._spawn(), None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{self.address}\n")
        process.stdin.flush()
        match = re.search(r"listens on (\S+)", process.stdout.readline())
        if match is None:
            raise RuntimeError(process.communicate(timeout=60)[1])
        self._process, self.address = process, match[1]
        # Else it would stop when the pipe is full.
        assert process.stderr is not None
        threading.Thread(target=process.stderr.read, daemon=True).start()

    def prepare(self) -> None:
        """Load what `start` will need the next time, which then takes no seconds."""
        self._spare = self._spare or self._spawn()

    def _spawn(self) -> "subprocess.Popen[str]":
        models = [] if self._models is None else ["--models", str(self._models)]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.serving_double", "--wait", *models, *self._flags],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def is_running(self) -> bool:
        """Tell whether the process lives, frozen or not."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it as an out-of-memory killer would; harmless when it has ended."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as `docker stop` would, and return its exit status."""
        return self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Freeze it, which it is when this returns: connections stay open, and nothing answers."""
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        # The signal only asks for it; a process counts as stopped when its last thread has.
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            process.returncode = os.waitstatus_to_exitcode(status)
            raise RuntimeError(f"it ended instead, with status {process.returncode}")

    def resume(self) -> None:
        """Let it go on."""
        self._running().send_signal(signal.SIGCONT)

    def fault(self, kind: str, **fault: Any) -> None:
        """Make something go wrong from now on: see `faults.Fault`."""
        self._control("AddFault", fault={"kind": kind, **fault})

    def clear_faults(self) -> None:
        """Let everything go right again."""
        self._control("ClearFaults")

    def release(self) -> None:
        """Let the calls that hang go on; those to come hang as they would."""
        self._control("Release")

    def reset(self) -> None:
        """Forget faults, pretended states and calls, and let go what hangs."""
        self._control("Reset")

    def set_state(self, servable: str, version: int, state: str | None) -> None:
        """Pretend that a version is in a state; None for the true one again."""
        self._control("SetState", servable=servable, version=version, state=state)

    def take_calls(self) -> list[dict[str, Any]]:
        """Return the calls since this was last asked, oldest first."""
        calls: list[dict[str, Any]] = self._control("TakeCalls")
        return calls

    def _control(self, method: str, **request: Any) -> Any:
        if self._channel is None:
            self._channel = grpc.insecure_channel(self.address)
        call: Any = self._channel.unary_unary(f"/stn.double.Control/{method}")
        answer = call(json.dumps(request).encode(), timeout=120, wait_for_ready=True)
        return json.loads(answer)

    def _running(self) -> "subprocess.Popen[str]":
        assert self._process is not None, "the double does not run"
        return self._process

    def _end(self, number: signal.Signals) -> int:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is None:
            return 0
        process, self._process = self._process, None
        return _end(process, number)


def _end(process: "subprocess.Popen[str]", number: signal.Signals) -> int:
    process.send_signal(number)
    status = process.wait(timeout=60)
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
    return status
