"""A gateway to ask, and a small server that answers what a test tells it to."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.service.gateway_process import start_gateway

ROOT = Path(__file__).parents[2]
DIGIT = ROOT / "docs" / "pictures" / "digit-7.png"
CAT = ROOT / "docs" / "pictures" / "cat.jpg"


@pytest.fixture(scope="session")
def gateway() -> Iterator[str]:
    """The address of a gateway with the shipped models."""
    with start_gateway(ROOT / "models") as running:
        running.wait_until_ready()
        yield running.url


@dataclass
class Scripted:
    """One answer of the stub; without a status the connection is closed instead."""

    status: int | None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def problem(status: int, code: str, **headers: str) -> Scripted:
    """Return an answer as the gateway gives it."""
    document = {"code": code, "detail": f"a sentence about {code}", "status": status}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(status, json.dumps(document).encode(), {"x-request-id": "id-1", **named})


def good(label: str = "7") -> Scripted:
    """Return a prediction, with a member that no client knows yet."""
    document: dict[str, Any] = {
        "model": {"name": "stn", "version": 1},
        "label": label,
        "index": 7,
        "confidence": 0.75,
        "top": [{"label": label, "index": 7, "probability": 0.75}],
        "probabilities": [0.25, 0.75],
        "theta": [0.0] * 8,
        "mood": "fine",
    }
    return Scripted(200, json.dumps(document).encode())


class Stub:
    """A server that answers one scripted answer after the other, the last one for ever.

    Attributes:
        answers: what it will answer.
        requests: the headers and the body of each request.
    """

    def __init__(self) -> None:
        self.answers: list[Scripted] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.busiest = 0
        self._now = 0
        self._lock = threading.Lock()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                with stub._lock:
                    stub._now += 1
                    stub.busiest = max(stub.busiest, stub._now)
                try:
                    self._answer()
                finally:
                    with stub._lock:
                        stub._now -= 1

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with stub._lock:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    stub.requests.append((headers, body))
                    answer = stub.answers.pop(0) if len(stub.answers) > 1 else stub.answers[0]
                if answer.status is None:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(answer.status)
                for name, value in {
                    "content-length": str(len(answer.body)),
                    **answer.headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def stub() -> Iterator[Stub]:
    running = Stub()
    yield running
    running.close()
