"""Bodies that are too large, too slow, or never complete, on a real socket."""

import time
from collections.abc import Iterator

import numpy as np
import pytest

from tests.service.fakes import FakeBackend, Fault
from tests.service.pictures import encoded
from tests.service.served import Wire, served

PICTURE = encoded(np.full((4, 6), 255, np.uint8))
LIMIT = 4096


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(max_request_bytes=LIMIT) as number:
        yield number


@pytest.fixture
def wire(port: int) -> Iterator[Wire]:
    with Wire(port) as connection:
        yield connection


def post(*headers: str, path: str = "/predict") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_body_announced_as_too_large_is_refused_unread(wire: Wire) -> None:
    """Not a byte of it is sent, and the connection is closed: none ever will be."""
    wire.send(post(f"Content-Length: {LIMIT + 1}"))

    answer = wire.until_closed()

    assert status_of(answer) == 413
    assert b'"code":"body_too_large"' in answer
    assert b"connection: close" in answer


def test_a_caller_that_asks_first_is_told_before_sending(wire: Wire) -> None:
    """`Expect: 100-continue`, as curl does: refused without the body."""
    wire.send(post(f"Content-Length: {LIMIT + 1}", "Expect: 100-continue"))

    assert status_of(wire.until_closed()) == 413


def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large(wire: Wire) -> None:
    """It announces nothing; no more is read than the limit."""
    wire.send(post("Transfer-Encoding: chunked"))
    wire.send(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
    wire.send(b"1\r\nx\r\n")

    answer = wire.until_closed()

    assert status_of(answer) == 413
    assert b'"code":"body_too_large"' in answer


def test_a_body_of_exactly_the_limit_is_read(wire: Wire) -> None:
    wire.send(post(f"Content-Length: {LIMIT}", "Connection: close") + b"x" * LIMIT)

    assert status_of(wire.until_closed()) == 415


def test_a_chunked_picture_is_read(wire: Wire) -> None:
    wire.send(post("Transfer-Encoding: chunked", "Connection: close"))
    for start in range(0, len(PICTURE), 10):
        piece = PICTURE[start : start + 10]
        wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    wire.send(b"0\r\n\r\n")

    answer = wire.until_closed()

    assert status_of(answer) == 200
    assert b'"label":"light"' in answer


def test_a_body_that_stops_is_given_up() -> None:
    with served(body_timeout_seconds=0.3) as port, Wire(port) as wire:
        wire.send(post("Content-Length: 100") + b"x")

        answer = wire.until_closed()

    assert status_of(answer) == 408
    assert b'"code":"body_too_slow"' in answer
    assert b"not complete after 0.3 seconds (1 bytes came)" in answer
    assert b"connection: close" in answer


def test_a_slow_body_is_the_senders_fault_also_when_the_request_runs_out_of_time(
    wire: Wire,
) -> None:
    """408, not 504: with the default settings both limits end together."""
    wire.send(post("Content-Length: 100", "X-Request-Timeout-Ms: 100") + b"x")

    answer = wire.until_closed()

    assert status_of(answer) == 408
    assert b'"code":"body_too_slow"' in answer


def test_a_body_to_a_route_that_takes_none_is_not_read(wire: Wire) -> None:
    wire.send(post("Content-Length: 1000000000", path="/livez"))

    answer = wire.until_closed()

    assert status_of(answer) == 405
    assert b"connection: close" in answer


def test_after_a_refusal_whose_body_has_come_the_connection_goes_on(wire: Wire) -> None:
    """A caller refused for a moment need not connect anew, which costs more than the refusal."""
    wire.send(post("Content-Length: 3", path="/livez") + b"abc")
    wire.send(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    answers = wire.until_closed()

    assert status_of(answers) == 405
    assert answers.count(b"HTTP/1.1 200") == 1


def test_a_caller_that_hangs_up_half_way_does_no_harm(port: int) -> None:
    for _ in range(20):
        with Wire(port) as wire:
            wire.send(post("Content-Length: 100") + b"x")
    with Wire(port) as wire:
        wire.send(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        assert status_of(wire.until_closed()) == 200


def test_requests_in_one_piece_are_answered_in_order(wire: Wire) -> None:
    """Pipelining: the second is the last, the first has the larger answer."""
    first = post(f"Content-Length: {len(PICTURE)}", "X-Request-ID: first") + PICTURE
    second = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-ID: second\r\nConnection: close\r\n\r\n"
    wire.send(first + second)

    answer = wire.until_closed()

    assert 0 < answer.index(b"x-request-id: first") < answer.index(b"x-request-id: second")
    assert answer.count(b"HTTP/1.1 200") == 2


def test_http_1_0_is_answered(wire: Wire) -> None:
    wire.send(b"GET /livez HTTP/1.0\r\n\r\n")

    assert status_of(wire.until_closed()) == 200


NO_HTTP = {
    "bytes": b"\x00\x01\x02\r\n\r\n",
    "method": b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n",
    "negative": post("Content-Length: -5"),
    "two lengths": post("Content-Length: 5", "Content-Length: 6") + b"hello!",
    "length and chunks": post("Content-Length: 5", "Transfer-Encoding: chunked"),
    "other coding": post("Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "two codings": post("Transfer-Encoding: x", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "chunked twice": post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")
    + b"0\r\n\r\n",
    "chunk": post("Transfer-Encoding: chunked") + b"zz\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("name", NO_HTTP)
def test_what_is_no_http_is_refused(wire: Wire, name: str) -> None:
    """Two lengths, or a length and chunks, are how requests are smuggled past a proxy."""
    wire.send(NO_HTTP[name])

    answer = wire.until_closed()

    assert status_of(answer) == 400
    assert b"content-type: application/problem+json" in answer
    assert b'"code":"malformed_request"' in answer


def test_a_caller_that_hangs_up_frees_the_model() -> None:
    """The call that it alone waited for is cancelled, long before its time is up."""
    backend = FakeBackend()
    with served(backend) as port:
        backend.fault = Fault(seconds=3600)
        with Wire(port) as wire:
            calls = len(backend.calls)
            wire.send(post(f"Content-Length: {len(PICTURE)}") + PICTURE)
            while len(backend.calls) == calls:
                time.sleep(0.01)
        backend.fault = None
        with Wire(port) as wire:
            wire.send(post(f"Content-Length: {len(PICTURE)}", "Connection: close") + PICTURE)

            assert status_of(wire.until_closed()) == 200
