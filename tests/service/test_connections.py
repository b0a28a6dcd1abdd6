"""Callers who send too much, too slowly, or in disorder, on real sockets."""

import contextlib
import time
from collections.abc import Iterator

import numpy as np
import pytest

from tests.service.fakes import FakeBackend
from tests.service.pictures import encoded
from tests.service.served import Held, Wire, served, until

PICTURE = encoded(np.full((4, 6), 255, np.uint8))
GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
MAX_HEAD = 2048


def post(*headers: str, path: str = "/predict") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(max_head_bytes=MAX_HEAD) as number:
        yield number


@pytest.fixture
def wire(port: int) -> Iterator[Wire]:
    with Wire(port) as connection:
        yield connection


@pytest.fixture(scope="module")
def hasty_port() -> Iterator[int]:
    """Of a gateway that waits for a head only as long as this machine may be busy elsewhere."""
    with served(head_timeout_seconds=1.5) as number:
        yield number


@pytest.fixture
def hasty_wire(hasty_port: int) -> Iterator[Wire]:
    with Wire(hasty_port) as connection:
        yield connection


@pytest.mark.parametrize("before", [b"", GET + b"\r\n"], ids=["first", "second"])
def test_headers_that_stop_are_given_up(hasty_wire: Wire, before: bytes) -> None:
    hasty_wire.send(before)
    if before:
        hasty_wire.until(b'"alive"}')
    hasty_wire.send(GET)

    answer = hasty_wire.until_closed()

    assert status_of(answer) == 408
    assert b'"code":"head_too_slow"' in answer
    assert b"not complete after 1.5 seconds" in answer
    assert b"connection: close" in answer


def test_who_says_nothing_is_cut_off(hasty_wire: Wire) -> None:
    assert hasty_wire.until_closed() == b""


def test_who_sends_empty_lines_is_cut_off(hasty_wire: Wire) -> None:
    """They may precede a request, and are not one."""
    hasty_wire.send(b"\r\n\r\n")

    assert status_of(hasty_wire.until_closed()) == 408


@pytest.mark.parametrize(
    "head",
    [
        GET + b"X: " + b"x" * MAX_HEAD + b"\r\n\r\n",
        GET + b"X: " + b"x" * 100_000,
        b"GET /livez?" + b"x" * MAX_HEAD + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"x" * 100_000,
        GET + b"X: y\r\n" * 101 + b"\r\n",
        post("Transfer-Encoding: chunked") + b"0\r\n" + b"X: y\r\n" * 200_000,
    ],
    ids=["header", "endless header", "line", "endless line", "headers", "trailers"],
)
def test_a_head_that_is_too_large_is_refused(wire: Wire, head: bytes) -> None:
    with contextlib.suppress(OSError):
        wire.send(head)

    answer = wire.until_closed()

    assert status_of(answer) == 431
    assert b'"code":"head_too_large"' in answer


def test_a_head_that_grows_piece_by_piece_is_refused(wire: Wire) -> None:
    with contextlib.suppress(OSError):
        wire.send(GET)
        for _ in range(MAX_HEAD // 16 + 1):
            wire.send(b"X: 0123456789a\r\n")

    assert status_of(wire.until_closed()) == 431


def test_a_head_of_the_allowed_size_is_read(wire: Wire) -> None:
    """Also with a larger body in the same piece, which does not count."""
    head = post("Content-Length: 4000", "Connection: close", "X: " + "x" * (MAX_HEAD - 200))
    wire.send(head + b"x" * 4000)

    assert status_of(wire.until_closed()) == 415


def test_trailers_are_read_and_dropped(wire: Wire) -> None:
    chunked = b"%x\r\n%s\r\n0\r\nX-Request-Id: late\r\n\r\n" % (len(PICTURE), PICTURE)
    wire.send(post("Transfer-Encoding: chunked", "Connection: close") + chunked)

    answer = wire.until_closed()

    assert status_of(answer) == 200
    assert b"x-request-id: late" not in answer


@pytest.mark.parametrize("offer", ["h2c", "websocket"])
def test_an_offer_of_another_protocol_is_declined_and_the_body_read(wire: Wire, offer: str) -> None:
    """As Java's HttpClient makes one with its first request."""
    wire.send(
        post(
            f"Content-Length: {len(PICTURE)}",
            "Connection: Upgrade, HTTP2-Settings, close",
            f"Upgrade: {offer}",
            "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        )
    )
    wire.send(PICTURE)

    answer = wire.until_closed()

    assert status_of(answer) == 200
    assert b'"label":"light"' in answer


def test_the_body_behind_an_offer_is_never_read_as_a_request(wire: Wire) -> None:
    """That is how requests are smuggled past a proxy."""
    smuggled = b"GET /models HTTP/1.1\r\nHost: x\r\nX-Request-ID: smuggled\r\n\r\n"
    wire.send(
        post(
            f"Content-Length: {len(smuggled)}",
            "Connection: Upgrade, close",
            "Upgrade: h2c",
            "Content-Type: image/png",
        )
        + smuggled
    )

    answer = wire.until_closed()

    assert status_of(answer) == 415
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"smuggled" not in answer


def test_a_tunnel_is_refused(wire: Wire) -> None:
    wire.send(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")

    assert status_of(wire.until_closed()) == 400


def test_a_bad_request_behind_a_good_one_does_not_overtake_it() -> None:
    backend = FakeBackend()
    with served(backend) as port, Wire(port) as wire:
        held = Held(backend)
        wire.send(post(f"Content-Length: {len(PICTURE)}") + PICTURE)
        held.wait_for(1)
        wire.send(b"\x00 no HTTP\r\n\r\n")
        held.release()

        answer = wire.until_closed()

    assert status_of(answer) == 200
    assert answer.count(b"HTTP/1.1 ") == 1


def test_what_follows_the_last_request_is_not_done() -> None:
    """`Connection: close` is the end, whatever was sent behind it."""
    backend = FakeBackend()
    with served(backend) as port, Wire(port) as wire:
        held = Held(backend)
        request = post(f"Content-Length: {len(PICTURE)}") + PICTURE
        wire.send(post(f"Content-Length: {len(PICTURE)}", "Connection: close") + PICTURE)
        held.wait_for(1)
        wire.send(request)
        held.release()

        assert wire.until_closed().count(b"HTTP/1.1 ") == 1
        assert held.count() == 1


def test_too_many_requests_in_one_piece_end_the_connection(wire: Wire) -> None:
    wire.send((GET + b"\r\n") * 1000 + LAST)

    assert wire.until_closed().count(b"HTTP/1.1 200") < 1000


def test_who_is_refused_while_sending_still_hears_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is read and dropped for a while; closed at once, sending on would fail."""
    monkeypatch.setattr("service.connections._LINGER_SECONDS", 600.0)
    with served(max_request_bytes=1024) as port, Wire(port) as wire:
        wire.send(post("Transfer-Encoding: chunked"))
        wire.send(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
        # The gateway says no more from here on: whatever it means to close, it has closed.
        answer = wire.until_closed()
        for _ in range(32):
            wire.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")

    assert status_of(answer) == 413
    assert answer.endswith(b"}")


def test_an_answer_that_nobody_takes_is_given_up() -> None:
    """Or it would be kept in memory for ever."""
    noise = np.random.default_rng(1).integers(0, 256, (1500, 3000, 3), np.uint8)
    picture = encoded(noise)
    with served(answer_timeout_seconds=1.5) as port, Wire(port, receive_buffer=4096) as wire:
        wire.send(post(f"Content-Length: {len(picture)}", path="/warp?theta=1,0,0,0,1,0") + picture)
        wire.until(b"HTTP/1.1 200")
        wire.wait_until_cut_off()


def test_the_connection_that_waits_longest_makes_room() -> None:
    """Callers who only hold connections open keep nobody out."""
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(served(max_connections=3, head_timeout_seconds=3600))
        longest, other = (stack.enter_context(Wire(port)) for _ in range(2))
        longest.send(GET)
        for _ in range(2):
            # An answer shows that the first is known; the second comes measurably later.
            other.send(GET + b"\r\n")
            other.until(b'"alive"}')
            time.sleep(0.05)
        stack.enter_context(Wire(port))

        until(lambda: answers(port), "an answer beside three idle connections")

        assert b"HTTP/1.1 200" not in longest.until_closed()


def test_a_slow_body_makes_room_too() -> None:
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(served(max_connections=1))
        slow = stack.enter_context(Wire(port))
        slow.send(post("Content-Length: 100") + b"x")

        until(lambda: answers(port), "an answer beside a slow body")


def test_past_the_most_connections_a_new_one_is_refused_in_words() -> None:
    """When all others wait for the gateway, not it for them."""
    backend = FakeBackend()
    with served(backend, max_connections=1) as port, Wire(port) as wire:
        held = Held(backend)
        wire.send(post(f"Content-Length: {len(PICTURE)}", "Connection: close") + PICTURE)
        held.wait_for(1)
        with Wire(port) as other:
            refused = other.until_closed()
        held.release()

        assert status_of(refused) == 503
        assert b'"code":"overloaded"' in refused
        assert b"retry-after: 1" in refused
        assert status_of(wire.until_closed()) == 200


def answers(port: int) -> bool:
    with Wire(port) as wire:
        wire.send(LAST)
        return b"HTTP/1.1 200" in wire.until_closed()
