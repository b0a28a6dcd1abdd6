"""The HTTP edge: reading a body within bounds, and answering, right or wrong, in one place.

Routes that take pictures go around FastAPI's own parsing and encoding, which would cost more than
the model; FastAPI still routes to them and documents them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import problems
from service.context import context_of, read_context
from service.errors import (
    BodyTooLarge,
    BodyTooSlow,
    DeadlineExceeded,
    InternalError,
    MalformedRequest,
    NotAcceptable,
    ServiceError,
)
from service.settings import Settings

log = logging.getLogger("stn_serving")


@dataclass(frozen=True)
class Answer:
    """What a route gives back.

    Attributes:
        body: the bytes to send.
        media_type: their type.
        status: HTTP status.
    """

    body: bytes
    media_type: str = "application/json"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Endpoint = Callable[[Request], Awaitable[Answer]]


def json_answer(content: Any, status: int = 200) -> Answer:
    """Return an answer in JSON."""
    return Answer(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), status=status)


class DirectRoute(APIRoute):
    """A FastAPI route whose function takes the request and returns an `Answer`, nothing between."""

    def __init__(self, path: str, endpoint: Endpoint, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.app = _answering(endpoint)


class ContextMiddleware:
    """Gives every request its context, and every answer the headers that go with it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = read_context(
            scope["headers"],
            self._settings.request_timeout_ms,
            self._settings.max_request_timeout_ms,
        )
        scope["stn.context"] = context

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *context.headers()]
                if not context.body_is_read and _has_body(scope):
                    # Or the rest of a body that nobody wants would be read to its end.
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        if context.fault is not None:
            await send_error(context.fault, scope, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


async def read_body(request: Request, max_bytes: int, timeout_seconds: float) -> bytes:
    """Read the body of a request, within bounds of size and time.

    Raises:
        BodyTooLarge: it is, or announces itself, larger than allowed.
        BodyTooSlow: it did not arrive in time.
        MalformedRequest: the caller hung up half way.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise BodyTooLarge(
            f"the body announces {announced} bytes; at most {max_bytes} are accepted. "
            "Send a smaller picture."
        )
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise MalformedRequest("the connection closed before the body was complete")
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > max_bytes:
                    raise BodyTooLarge(
                        f"the body has more than {max_bytes} bytes, the most that is accepted. "
                        "Send a smaller picture."
                    )
                chunks.append(chunk)
                if not message.get("more_body", False):
                    context_of(request.scope).body_is_read = True
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    except TimeoutError as error:
        raise BodyTooSlow(
            f"the body was not complete after {timeout_seconds:g} seconds ({size} bytes came)"
        ) from error


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


async def send_error(error: ServiceError, scope: Scope, send: Send) -> None:
    """Answer with a problem document."""
    request_id = context_of(scope).request_id
    status, headers, body = problems.answer(error, scope["path"], request_id)
    if status >= 500:
        name, words = type(error).__name__, f"{error.detail} {error.log_detail}".rstrip()
        log.warning("%s %s, request %s: %s", scope["path"], name, request_id, words)
    await _send(send, status, headers, body)


def _answering(endpoint: Endpoint) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        request = Request(scope, receive)
        try:
            async with asyncio.timeout_at(context.deadline), _HangUpWatch(request):
                answer = await endpoint(request)
        except _HungUp:
            return
        except ServiceError as error:
            await send_error(error, scope, send)
            return
        except TimeoutError:
            await send_error(_out_of_time(request), scope, send)
            return
        except Exception:
            log.exception("a fault of the gateway, request %s", context.request_id)
            await send_error(InternalError("a fault of the gateway; it is logged"), scope, send)
            return
        headers = {"content-type": answer.media_type, **answer.headers}
        await _send(send, answer.status, headers, answer.body)

    return app


def _out_of_time(request: Request) -> ServiceError:
    if _has_body(request.scope) and not context_of(request.scope).body_is_read:
        return BodyTooSlow("the body was not complete within the time that the request had")
    return DeadlineExceeded(
        "no answer within the time that the request had; X-Request-Timeout-Ms may ask for more"
    )


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


class _HungUp(Exception):
    """The caller is gone; nobody is left to answer."""


class _HangUpWatch:
    """Cancels the work on a request when its caller hangs up.

    Listening costs a task, so it begins only with requests that take long enough to be worth it.
    """

    _PATIENCE_SECONDS = 0.05

    def __init__(self, request: Request) -> None:
        self._request = request
        self._worker: asyncio.Task[Any] | None = None
        self._listener: asyncio.Task[None] | None = None
        self._hung_up = False

    async def __aenter__(self) -> None:
        self._worker = asyncio.current_task()
        self._wait()

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        self._timer.cancel()
        if self._listener is not None:
            self._listener.cancel()
        if self._hung_up and isinstance(error, asyncio.CancelledError):
            assert self._worker is not None
            if self._worker.uncancel() == 0:
                raise _HungUp from error

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._PATIENCE_SECONDS, self._begin)

    def _begin(self) -> None:
        # Until the body is read, whoever reads it is the one to notice.
        if context_of(self._request.scope).body_is_read:
            self._listener = asyncio.get_running_loop().create_task(self._listen())
        else:
            self._wait()

    async def _listen(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        if self._worker is not None:
            self._hung_up = True
            self._worker.cancel()


async def _send(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    raw = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
    raw.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _media_range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip() for part in text.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0
