"""Clients that never rest, and know of each request whether the gateway had taken it on.

They ask with `Expect: 100-continue`: the gateway has accepted a request when it says 100, and owes
an answer from then on. A connection that is refused or closed before that has cost nothing.
"""

import socket
import time
from dataclasses import dataclass, field
from threading import Event, Thread
from types import TracebackType

_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Exchange:
    """What became of one request.

    Attributes:
        began: when it was sent, by `time.time`.
        ended: when all was known.
        accepted: the gateway said 100, or answered outright.
        status: of the answer; None if none came.
        headers: of the answer, names in lower case.
        body: of the answer.
    """

    began: float
    ended: float
    accepted: bool
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def lost(self) -> bool:
        """Whether it was accepted and never answered."""
        return self.accepted and self.status is None


def post(port: int, path: str, body: bytes, media_type: str) -> Exchange:
    """Send one request on a connection of its own."""
    began, accepted, received = time.time(), False, b""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: {media_type}\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    try:
        with socket.create_connection(("127.0.0.1", port), _PATIENCE_SECONDS) as connection:
            connection.sendall(head.encode())
            received = connection.recv(65536)
            if received.startswith(b"HTTP/1.1 100"):
                accepted, received = True, received.partition(b"\r\n\r\n")[2]
                connection.sendall(body)
            while chunk := connection.recv(65536):
                received += chunk
    except OSError:
        pass
    if not received:
        return Exchange(began, time.time(), accepted)
    return _read_answer(began, received)


def _read_answer(began: float, received: bytes) -> Exchange:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    whole = len(body) == int(headers.get("content-length", -1))
    status = int(first.split()[1]) if whole else None
    return Exchange(began, time.time(), True, status, headers, body)


class Load:
    """Clients that send the same request again and again; use it as a context manager.

    Args:
        port: of the gateway.
        path: of the route.
        body: what to send.
        media_type: of the body.
        num_clients: how many send at the same time.

    Attributes:
        exchanges: what became of the requests so far.
    """

    def __init__(
        self, port: int, path: str, body: bytes, media_type: str, num_clients: int
    ) -> None:
        self.exchanges: list[Exchange] = []
        self._over = Event()
        self._request = (port, path, body, media_type)
        self._clients = [Thread(target=self._send) for _ in range(num_clients)]

    def __enter__(self) -> "Load":
        for client in self._clients:
            client.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        for client in self._clients:
            client.join()

    def _send(self) -> None:
        while not self._over.is_set():
            exchange = post(*self._request)
            self.exchanges.append(exchange)
            # Asking as fast as possible what cannot be answered tells nobody anything.
            time.sleep(0.02 if exchange.status == 200 else 0.1)
