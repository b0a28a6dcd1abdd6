"""The image's healthcheck, against real servers on free ports."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import create_server
from threading import Thread

from tests.compose.model import ROOT

HEALTHCHECK = ROOT / "deploy" / "gateway" / "healthcheck.py"


def ask(port: int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", HEALTHCHECK, "/readyz"],
        env={"STN_PORT": str(port)},
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(body)

        log_message: Callable[..., None] = lambda *_: None

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_a_gateway_that_answers_200_is_healthy() -> None:
    with answering(200, b"{}") as port:
        answer = ask(port)

    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_one_that_is_not_ready_is_unhealthy_and_says_why() -> None:
    with answering(503, b"no version of stn is ready") as port:
        answer = ask(port)

    assert answer.returncode == 1
    assert "503: no version of stn is ready" in answer.stderr


def test_one_that_refuses_connections_is_unhealthy() -> None:
    with create_server(("127.0.0.1", 0)) as socket:
        port = socket.getsockname()[1]

    answer = ask(port)

    assert answer.returncode == 1
    assert "does not answer" in answer.stderr


def test_one_that_hangs_is_unhealthy() -> None:
    with create_server(("127.0.0.1", 0)) as socket:
        answer = ask(socket.getsockname()[1])

    assert answer.returncode == 1
    assert "timed out" in answer.stderr
