"""Several processes behind one port: starts them, replaces those that crash, and stops them."""

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from service.admin import PATH_VARIABLE
from service.gathering import Gathered, GatheringServer

log = logging.getLogger("stn_serving")

# How a worker is told which socket is the gateway's, whose worker it is, and whether it is to say
# what it serves.
_SOCKET_VARIABLE = "_STN_WORKER_SOCKET"
_SUPERVISOR_VARIABLE = "_STN_WORKER_SUPERVISOR"
_SAYS_VARIABLE = "_STN_WORKER_SAYS"
_LOOK_SECONDS = 0.2
# Between a crash and the replacement, so that a worker that cannot live does not eat the machine.
_PAUSE_SECONDS = 1.0


def inherited_socket() -> socket.socket | None:
    """Return the gateway's socket in a worker; None in a process that no supervisor started."""
    number = os.environ.get(_SOCKET_VARIABLE)
    return None if number is None else socket.socket(fileno=int(number))


def is_orphaned() -> bool:
    """Whether this process is a worker whose supervisor is gone, be it before the worker began."""
    number = os.environ.get(_SUPERVISOR_VARIABLE)
    return number is not None and os.getppid() != int(number)


def says_what_it_serves() -> bool:
    """Whether this process is the one to say it."""
    return os.environ.get(_SAYS_VARIABLE, "yes") == "yes"


class Supervisor:
    """Keeps a number of workers alive.

    Each is a fresh interpreter, not a fork, because neither gRPC nor TensorFlow survives one. They
    share the listening socket: whichever is free takes the next connection.

    Args:
        arguments: of `stn-serve`, for each worker.
        num_workers: how many.
        listening: the bound socket.
        admin: the bound socket for metrics and health of all; None where none are asked for.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        num_workers: int,
        listening: socket.socket,
        admin: socket.socket | None = None,
    ) -> None:
        self._command = [sys.executable, "-m", "service", *arguments]
        self._num_workers = num_workers
        self._listening = listening
        self._admin = admin
        self._signals = 0
        self._workers: list[subprocess.Popen[bytes]] = []
        self._admin_paths: list[Path] = []

    def run(self) -> int:
        """Supervise until told to stop; return the exit status.

        A worker that gives up by itself, having said why, ends all: the others would too.
        """
        if self._admin is None:
            return self._run()
        # The folder is closed to others, and so are the workers' sockets in it.
        with tempfile.TemporaryDirectory(prefix="stn-serving-") as folder:
            self._admin_paths = [Path(folder, str(index)) for index in range(self._num_workers)]
            GatheringServer(self._admin, Gathered(self._admin_paths)).start()
            return self._run()

    def _run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._workers = [self._start(index, says=index == 0) for index in range(self._num_workers)]
        passed_on, status = 0, 0
        while any(worker.poll() is None for worker in self._workers) or not self._signals:
            time.sleep(_LOOK_SECONDS)
            for index, worker in enumerate(self._workers):
                ended = worker.poll()
                if ended is None or self._signals:
                    continue
                if ended > 0:
                    status, self._signals = ended, 1
                else:
                    log.error("worker %d died of signal %d; another follows", worker.pid, -ended)
                    time.sleep(_PAUSE_SECONDS)
                    self._workers[index] = self._start(index, says=False)
            while passed_on < self._signals:
                passed_on += 1
                self._listening.close()
                for worker in self._workers:
                    worker.terminate()
        # One that had not begun to listen for signals ends by the one that we sent.
        well = (0, -signal.SIGTERM)
        return status or int(any(worker.returncode not in well for worker in self._workers))

    def _on_signal(self, number: int, frame: object) -> None:
        self._signals += 1

    def _start(self, index: int, says: bool) -> subprocess.Popen[bytes]:
        number = self._listening.fileno()
        variables = {
            _SOCKET_VARIABLE: str(number),
            _SUPERVISOR_VARIABLE: str(os.getpid()),
            _SAYS_VARIABLE: "yes" if says else "no",
        }
        if self._admin_paths:
            variables[PATH_VARIABLE] = str(self._admin_paths[index])
        return subprocess.Popen(  # noqa: S603 - this program itself
            self._command,
            env={**os.environ, **variables},
            pass_fds=[number],
            # Ctrl-C is for the supervisor, which passes it on once.
            process_group=0,
        )
