"""What a request brings in its headers, and takes home in the answer's."""

import asyncio
import re

import pytest

from service.context import RequestContext, read_context
from service.errors import MalformedRequest


def context_from(*headers: tuple[bytes, bytes]) -> tuple[RequestContext, float]:
    """Return the context and the seconds that it leaves, with 10 s by default and 30 s at most."""

    async def read() -> tuple[RequestContext, float]:
        now = asyncio.get_running_loop().time()
        context = read_context(list(headers), 10_000, 30_000)
        return context, context.deadline - now

    return asyncio.run(read())


@pytest.mark.parametrize("value", [b"a", b"0af7-65.1_9:/+=@", b"x" * 128])
def test_a_request_id_is_kept(value: bytes) -> None:
    assert context_from((b"x-request-id", value))[0].request_id == value.decode()


@pytest.mark.parametrize(
    "value",
    [b"", b"x" * 129, b"a b", b'a"b', b"a\r\nSet-Cookie: x", b"<script>", b"\xff", b"a\x00"],
)
def test_a_request_id_that_could_forge_something_is_replaced(value: bytes) -> None:
    """By 32 random hexadecimal digits; the request is answered all the same."""
    context = context_from((b"x-request-id", value))[0]

    assert re.fullmatch("[0-9a-f]{32}", context.request_id)
    assert context.fault is None


def test_two_requests_have_two_ids() -> None:
    assert context_from()[0].request_id != context_from()[0].request_id


@pytest.mark.parametrize(
    ("value", "seconds"), [(None, 10), (b"1", 0.001), (b"2500", 2.5), (b"999999999", 30)]
)
def test_the_deadline_is_what_was_asked_for_up_to_the_cap(
    value: bytes | None, seconds: float
) -> None:
    headers = [] if value is None else [(b"x-request-timeout-ms", value)]

    context, left = context_from(*headers)

    assert context.fault is None
    assert seconds <= left <= seconds + 0.5


@pytest.mark.parametrize(
    "value", [b"0", b"-1", b"1.5", b"abc", b"1e3", b"9999999999", b"\xb2", b" "]
)
def test_a_bad_timeout_is_a_fault_of_the_request(value: bytes) -> None:
    fault = context_from((b"x-request-timeout-ms", value))[0].fault

    assert isinstance(fault, MalformedRequest)
    assert fault.errors[0].field == "X-Request-Timeout-Ms"


def test_the_trace_context_is_kept_when_it_is_one() -> None:
    good = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    assert context_from((b"traceparent", good))[0].traceparent == good.decode()
    assert context_from((b"traceparent", good + b"\nx"))[0].traceparent == ""


def test_the_stages_become_server_timing() -> None:
    context = context_from()[0]
    context.spent("decode", 0.0015)
    context.spent("model", 0.002)
    context.spent("model", 0.001)
    context.model_version = 3

    headers = dict(context.headers())

    assert headers[b"server-timing"] == b"decode;dur=1.50, model;dur=3.00"
    assert headers[b"x-model-version"] == b"3"
