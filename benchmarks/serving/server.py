"""A server as a process: started, asked until it answers rightly, and ended with all it started."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.serving import processes
from benchmarks.serving.candidates import (
    MODEL,
    MODEL_SERVER,
    OTHER_SPARE,
    PEERS,
    PORT,
    SCRATCH,
    SPARE,
    Candidate,
)
from benchmarks.serving.messages import Request, has_image, label_of

PATIENCE_SECONDS = 120.0
_KEEPER = Path(__file__).with_name("keeper.py")


class DidNotServe(Exception):
    """A server ended, never answered, or answered wrongly."""


class RunningServer:
    """A candidate that runs; use it as a context manager.

    Args:
        candidate: which.
        environments: folder of the environments.
        scratch: folder for its log, and for what it writes.
        model_server: `host:port`, for a gateway that stands before one.

    Attributes:
        port: where it listens.
    """

    def __init__(
        self, candidate: Candidate, environments: Path, scratch: Path, model_server: str = ""
    ) -> None:
        self.candidate = candidate
        self.port = free_port()
        self._environments = environments
        self._filling = {
            PORT: str(self.port),
            SPARE: str(free_port()),
            OTHER_SPARE: str(free_port()),
            SCRATCH: str(scratch),
            MODEL_SERVER: model_server,
        }
        self._log = scratch / f"{candidate.key}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    def __enter__(self) -> "RunningServer":
        variables = {
            **os.environ,
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": str(PEERS / "common"),
            "BENCH_MODEL": str(MODEL),
            "BENCH_PORT": str(self.port),
            "BENCH_SPARE_PORT": self._filling[SPARE],
            **{name: self._filled(value) for name, value in self.candidate.variables.items()},
        }
        if not self.candidate.environment:
            variables.pop("PYTHONPATH")
        argv = [self._filled(word) for word in self.candidate.argv(self._environments)]
        self._started = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(_KEEPER), *argv],
                cwd=self.candidate.folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def until_answered(self, request: Request, label: str, with_image: bool) -> tuple[float, int]:
        """Ask until the first answer of 200, and check it.

        Returns:
            Seconds since the server was started, and the size of the answer's body.

        Raises:
            DidNotServe: it ended, took too long, or answered with another label.
        """
        assert self._process is not None
        while True:
            try:
                status, body = ask(self.port, request)
            except (OSError, http.client.HTTPException):
                status, body = 0, b""
            took = time.monotonic() - self._started
            if status == 200:
                self._check(body, label, with_image)
                return took, len(body)
            if self._process.poll() is not None:
                raise DidNotServe(f"{self.candidate.key} ended: {self._last_words()}")
            if took > PATIENCE_SECONDS:
                raise DidNotServe(
                    f"{self.candidate.key} gave no answer of 200 within {PATIENCE_SECONDS:.0f} s; "
                    f"the last was {status} {body[:300]!r}: {self._last_words()}"
                )
            time.sleep(0.02)

    def cpu_seconds(self) -> float:
        """Return the CPU time that it has spent so far, with all that it started."""
        assert self._process is not None
        return processes.cpu_seconds(self._process.pid)

    def memory_bytes(self) -> int:
        """Return the memory that it holds, with all that it started."""
        assert self._process is not None
        return processes.memory_bytes(self._process.pid)

    def _check(self, body: bytes, label: str, with_image: bool) -> None:
        try:
            got = label_of(body)
        except ValueError as error:
            raise DidNotServe(f"{self.candidate.key}: {error}") from error
        if got != label:
            raise DidNotServe(f"{self.candidate.key} sees {got!r} in the picture of {label!r}")
        if has_image(body) != with_image:
            wanted = "with" if with_image else "without"
            raise DidNotServe(f"{self.candidate.key} was asked for an answer {wanted} an image")

    def _filled(self, text: str) -> str:
        for place, value in self._filling.items():
            text = text.replace(place, value)
        return text

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return " / ".join(lines[-6:]) or "it said nothing"


def ask(port: int, request: Request) -> tuple[int, bytes]:
    """Ask once, on a connection of its own; return status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"Content-Type": request.content_type}
        connection.request("POST", request.path, request.body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
