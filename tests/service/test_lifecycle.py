"""How the gateway starts, what it says, and how it ends."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.service.gateway_process import NO_MODELS, children_of, run_gateway, start_gateway
from tests.service.pictures import encoded, photo
from tests.versions import SHIPPED

IDENTITY = {"theta": "1,0,0,0,1,0"}


FAKE = "tests.service.fake_gateway"


def test_it_says_what_it_serves(models_folder: Path) -> None:
    """With the models of its own, which TensorFlow runs; no other test here needs either."""
    with start_gateway(models_folder) as gateway:
        said = "\n".join(gateway.said)
        assert f"/predict: stn version {SHIPPED}, 10 classes" in said
        assert "/warp:    warp version 1" in said
        assert f"{gateway.url}/docs" in said
        gateway.signal(signal.SIGTERM)
        status, output = gateway.ended()

    assert status == 0, output
    assert "Traceback" not in output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_it_finishes_what_is_in_flight_and_ends_well(number: signal.Signals) -> None:
    """A request half sent when the signal comes is still answered; then the exit status is 0."""
    picture = encoded(photo(400, 600))
    with start_gateway(None, module=FAKE) as gateway:
        host, port = gateway.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=120) as connection:
            head = (
                "POST /warp?theta=1,0,0,0,1,0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                f"Content-Type: image/png\r\nContent-Length: {len(picture)}\r\n\r\n"
            )
            connection.sendall(head.encode() + picture[:1000])
            # Another request shows that the first has reached the gateway.
            assert httpx.get(f"{gateway.url}/livez", timeout=60).status_code == 200
            gateway.signal(number)
            _wait_until_refused(gateway.url)
            connection.sendall(picture[1000:])
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200")
        assert encoded_size(answer) == (600, 400)

        status, output = gateway.ended()
    assert status == 0, output
    assert "Traceback" not in output


def encoded_size(answer: bytes) -> tuple[int, int]:
    body = answer.partition(b"\r\n\r\n")[2]
    return int.from_bytes(body[16:20], "big"), int.from_bytes(body[20:24], "big")


def _wait_until_refused(url: str) -> None:
    """Wait until no new connection is taken: the signal has arrived."""
    while True:
        try:
            httpx.get(f"{url}/livez", timeout=60)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            return
        threading.Event().wait(0.02)


def test_a_port_in_use_is_said_in_words() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        run = run_gateway(*NO_MODELS, "--port", str(port))

    assert run.returncode != 0
    assert "address already in use" in run.stderr
    assert str(port) in run.stderr
    assert "Traceback" not in run.stderr


def test_a_folder_without_models_is_said_in_words(tmp_path: Path) -> None:
    """With how to mend it."""
    run = run_gateway("--models", str(tmp_path))

    assert run.returncode == 1
    assert f"{tmp_path / 'stn'} holds no version of the model" in run.stderr
    assert "stn-model export" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_folder_that_is_no_model_is_said_in_words(tmp_path: Path) -> None:
    for servable in ("stn", "warp"):
        (tmp_path / servable / "1").mkdir(parents=True)

    run = run_gateway("--models", str(tmp_path))

    assert run.returncode == 1
    assert str(tmp_path / "stn" / "1") in run.stderr
    assert "Traceback" not in run.stderr


def test_all_bad_settings_are_told_at_once(tmp_path: Path) -> None:
    run = run_gateway("--models", str(tmp_path / "none"), "--port", "99999", "--max-pixels", "0")

    assert run.returncode == 2
    lines = run.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("stn-serve: --port (STN_PORT): ")
    assert lines[1].startswith("stn-serve: --models (STN_MODELS): ")
    assert "no such folder" in lines[1]
    assert lines[2].startswith("stn-serve: --max-pixels (STN_MAX_PIXELS): ")
    assert all("got" in line for line in lines)


def test_while_it_drains_it_answers_and_says_that_it_is_not_ready() -> None:
    """So that a load balancer turns away before anything is refused; a second signal hurries."""
    with start_gateway(None, "--drain-seconds", "3600", module=FAKE) as gateway:
        gateway.wait_until_ready()
        gateway.signal(signal.SIGTERM)
        end = time.monotonic() + 60
        while httpx.get(f"{gateway.url}/readyz", timeout=60).status_code != 503:
            assert time.monotonic() < end
            threading.Event().wait(0.02)
        answer = httpx.post(f"{gateway.url}/predict", content=encoded(photo(40, 60)), timeout=60)
        assert answer.status_code == 200
        assert answer.headers["connection"] == "close"
        assert "stopping" in httpx.get(f"{gateway.url}/readyz", timeout=60).text
        gateway.signal(signal.SIGTERM)
        status, output = gateway.ended()

    assert status == 0, output
    assert "Traceback" not in output


def test_what_outlasts_the_grace_is_told_so() -> None:
    """Not left without an answer, nor given a stack trace: 503, and exit status 0."""
    with start_gateway(None, "--shutdown-grace-seconds", "0", module=FAKE) as gateway:
        host, port = gateway.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(
                b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
                b"X-Request-Timeout-Ms: 30000\r\n\r\nx"
            )
            assert httpx.get(f"{gateway.url}/livez", timeout=60).status_code == 200
            gateway.signal(signal.SIGTERM)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        status, output = gateway.ended()

    assert answer.startswith(b"HTTP/1.1 503")
    assert b"stopped before the answer was ready" in answer
    assert status == 0, output
    assert "Traceback" not in output


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the workers in /proc")
def test_a_worker_that_is_killed_is_replaced_and_all_end_together() -> None:
    with start_gateway(None, "--workers", "2") as gateway:
        supervisor = gateway.process.pid
        _until(lambda: len(children_of(supervisor)) == 2)
        before = children_of(supervisor)
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        _until(lambda: len(children_of(supervisor) - {victim}) == 2)
        assert httpx.get(f"{gateway.url}/livez", timeout=60).status_code == 200
        gateway.signal(signal.SIGTERM)
        status, output = gateway.ended()

    assert status == 0, output
    assert f"worker {victim} died of signal 9" in output
    assert "Traceback" not in output


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the workers in /proc")
def test_workers_do_not_outlive_their_supervisor() -> None:
    with start_gateway(None, "--workers", "2") as gateway:
        workers = children_of(gateway.process.pid)
        gateway.signal(signal.SIGKILL)
        _until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def test_a_worker_whose_supervisor_went_before_it_began_ends_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever its parent is by then, it is not the process that started it."""
    monkeypatch.setenv("_STN_WORKER_SUPERVISOR", "0")

    run = run_gateway(*NO_MODELS, "--port", "0")

    assert run.returncode == 0
    assert "answers on" in run.stdout


def test_workers_that_cannot_start_end_the_whole_with_their_words(tmp_path: Path) -> None:
    run = run_gateway("--models", str(tmp_path), "--workers", "2", "--port", "0")

    assert run.returncode == 1
    assert "holds no version of the model" in run.stderr
    assert "Traceback" not in run.stderr


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        threading.Event().wait(0.05)
