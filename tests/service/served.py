"""The gateway on a real socket, in a thread, with a fake backend: for what only a socket shows."""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from service.app import create_app
from service.server import Server
from service.settings import Settings
from tests.service.fakes import FakeBackend, Fault

# However slow the machine that runs the tests is, time is not what is tested.
_PATIENT: dict[str, Any] = {
    "port": 0,
    "poll_seconds": 600,
    "head_timeout_seconds": 600,
    "body_timeout_seconds": 600,
    "answer_timeout_seconds": 600,
    "request_timeout_ms": 600_000,
}


@contextlib.contextmanager
def served(backend: FakeBackend | None = None, **settings: Any) -> Iterator[int]:
    """Serve until left; gives the port."""
    chosen = Settings(**{**_PATIENT, **settings})
    app = create_app(chosen, backend or FakeBackend())
    server = Server(app, chosen)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the gateway did not start"
            time.sleep(0.01)
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive(), "the gateway did not stop"


def until(holds: Callable[[], bool], what: str = "") -> None:
    """Wait until something holds."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, f"it does not come to pass: {what}"
        time.sleep(0.01)


class Held:
    """Calls of the model that wait until they are released."""

    def __init__(self, backend: FakeBackend) -> None:
        self._backend = backend
        self._before = len(backend.calls)
        self._released = threading.Event()
        backend.fault = Fault(held_until=self._released)

    def count(self) -> int:
        """Return how many calls came since."""
        return sum(call.signature != "describe" for call in self._backend.calls[self._before :])

    def wait_for(self, count: int) -> None:
        """Wait until so many calls have come."""
        until(lambda: self.count() >= count, f"{count} calls")

    def release(self) -> None:
        """Let those that wait go on, and hold no more."""
        self._backend.fault = None
        self._released.set()


class Wire:
    """A connection for exactly these bytes."""

    def __init__(self, port: int, receive_buffer: int = 0) -> None:
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(60)
        self._socket.connect(("127.0.0.1", port))

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, content: bytes) -> None:
        self._socket.sendall(content)

    def wait_until_cut_off(self) -> None:
        """Wait, without reading, until the other side has broken the connection off."""
        poll = select.poll()
        poll.register(self._socket, 0)  # what is reported even when nothing is asked for
        assert poll.poll(60_000), "the connection is still there"

    def until_closed(self) -> bytes:
        """Return all that comes until the other side closes."""
        content = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := self._socket.recv(65536):
                content += piece
        return content

    def until(self, end: bytes) -> bytes:
        """Return what comes until some bytes have come."""
        content = b""
        while end not in content:
            piece = self._socket.recv(65536)
            assert piece, content
            content += piece
        return content
