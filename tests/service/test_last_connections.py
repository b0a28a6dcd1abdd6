"""Whoever has connected before the gateway takes no more connections is answered."""

import contextlib
import socket
import threading
from collections.abc import Callable

import pytest

from service.app import create_app
from service.server import Server, bind
from service.settings import Settings
from tests.service.fakes import FakeBackend
from tests.service.served import until

REQUEST = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


class Ending(Server):
    """Ends at once, and no connection has been accepted that was made just before.

    Args:
        connect: makes them; takes the port. The event loop does not run meanwhile.
    """

    def __init__(self, connect: Callable[[int], None]) -> None:
        settings = Settings(port=0, poll_seconds=600)
        self.app = create_app(settings, FakeBackend())
        super().__init__(self.app, settings)
        self._connect = connect

    async def on_tick(self, counter: int) -> bool:
        await super().on_tick(counter)
        self._connect(self.servers[0].sockets[0].getsockname()[1])
        self.app.drain()
        return True


def connection_to(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def answer_on(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes; this side then does too."""
    answer = b""
    with connection, contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize("is_shared", [False, True], ids=["its own socket", "workers' socket"])
def test_who_is_connected_but_not_yet_accepted_is_answered(is_shared: bool) -> None:
    connections = []

    def connect(port: int) -> None:
        for _ in range(50):
            connection = connection_to(port)
            connection.sendall(REQUEST)
            connections.append(connection)

    Ending(connect).run([bind("127.0.0.1", 0)] if is_shared else None)

    answers = [answer_on(connection) for connection in connections]
    assert [answer.count(b"HTTP/1.1 200") for answer in answers] == [1] * 50
    assert all(b"connection: close" in answer for answer in answers)


@pytest.mark.parametrize("first", [b"", REQUEST[:20]], ids=["nothing", "half a head"])
def test_who_has_only_begun_to_ask_may_finish(
    first: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though no new connection is taken any more."""
    monkeypatch.setattr("service.server._FIRST_WORDS_SECONDS", 600.0)
    connections = []

    def connect(port: int) -> None:
        connections.append(connection_to(port))
        connections[0].sendall(first)

    thread = threading.Thread(target=Ending(connect).run)
    thread.start()
    until(lambda: bool(connections), "a connection")
    until(lambda: is_refused(connections[0].getpeername()[1]), "the end of listening")
    connections[0].sendall(REQUEST[len(first) :])

    assert answer_on(connections[0]).startswith(b"HTTP/1.1 200")
    thread.join(60)
    assert not thread.is_alive()


def test_who_is_silent_does_not_hold_up_the_end() -> None:
    """For longer than the moment that a request may need."""
    connections: list[socket.socket] = []

    Ending(lambda port: connections.append(connection_to(port))).run()

    assert answer_on(connections[0]) == b""


def is_refused(port: int) -> bool:
    try:
        connection_to(port).close()
    except ConnectionRefusedError:
        return True
    return False
