"""The gateway on a real socket, in a thread, with a fake backend: for what only a socket shows."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from service.__main__ import _Server, _uvicorn_config
from service.app import create_app
from service.settings import Settings
from tests.service.fakes import FakeBackend


@contextlib.contextmanager
def served(backend: FakeBackend | None = None, **settings: Any) -> Iterator[int]:
    """Serve until left; gives the port."""
    chosen = Settings(port=0, poll_seconds=60, **settings)
    app = create_app(chosen, backend or FakeBackend())
    server = _Server(_uvicorn_config(app, chosen), app)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the gateway did not start"
            time.sleep(0.01)
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the gateway did not stop"


class Wire:
    """A connection for exactly these bytes."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, content: bytes) -> None:
        self._socket.sendall(content)

    def half_close(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

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
