"""Answers, right or wrong, and the choice of their form."""

import logging
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import Scope, Send

from service import problems
from service.browsers import Headers
from service.context import context_of
from service.errors import NotAcceptable, ServiceError

log = logging.getLogger("stn_serving")

# A message to the edge: head and body in one, where ASGI has two. A server that takes answers whole
# puts a function under this name into the scope, `async (status, headers, body)`.
WHOLE_ANSWER = "stn.answer"


@dataclass(frozen=True)
class Answer:
    """What a route gives back.

    Attributes:
        body: the bytes to send.
        media_type: their type.
        status: HTTP status.
        headers: further headers.
    """

    body: bytes
    media_type: str = "application/json"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def json_answer(content: Any, status: int = 200) -> Answer:
    """Return an answer in JSON."""
    return Answer(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), status=status)


async def send_answer(answer: Answer, send: Send) -> None:
    """Send what a route gave back."""
    headers = {"content-type": answer.media_type, **answer.headers}
    await _send(send, answer.status, _raw(answer.status, headers, answer.body), answer.body)


async def send_error(error: ServiceError, scope: Scope, send: Send) -> None:
    """Answer with a problem document."""
    await _send(send, *problem_answer(error, scope))


def problem_answer(error: ServiceError, scope: Scope) -> tuple[int, Headers, bytes]:
    """Return status, headers and body of the answer to an error, and note it in the context."""
    context = context_of(scope)
    context.error_code = error.code
    status, headers, body = problems.answer(error, scope["path"], context.request_id)
    if status >= 500:
        context.failure = f"{error.detail} {error.log_detail}".rstrip()
    return status, _raw(status, headers, body), body


def choose_media_type(accept: str, offered: tuple[str, ...]) -> str:
    """Return which of the offered types an `Accept` header likes best; the first when it is equal.

    Raises:
        NotAcceptable: none of them.

    Source: RFC 9110, section 12.5.1.
    """
    if not accept or accept == "*/*":
        return offered[0]
    ranges = [_media_range(part) for part in accept.lower().split(",")]
    best, best_quality = offered[0], 0.0
    for media_type in offered:
        main = media_type.partition("/")[0] + "/*"
        # The most specific range that matches decides, whatever the others say.
        for pattern in (media_type, main, "*/*"):
            qualities = [quality for name, quality in ranges if name == pattern]
            if qualities:
                if qualities[0] > best_quality:
                    best, best_quality = media_type, qualities[0]
                break
    if best_quality == 0.0:
        raise NotAcceptable(f"this route answers {' or '.join(offered)}; Accept allows none of it")
    return best


async def _send(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": WHOLE_ANSWER, "status": status, "headers": headers, "body": body})


def _raw(status: int, headers: dict[str, str], body: bytes) -> Headers:
    raw = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
    if status != 304:  # its length would be taken for that of what has not changed
        raw.append((b"content-length", b"%d" % len(body)))
    return raw


def _media_range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip() for part in text.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0
