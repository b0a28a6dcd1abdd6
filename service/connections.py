"""Connections: bounds on what a caller may send, and how slowly, before and after a request.

uvicorn's protocol for httptools bounds neither the head of a request nor the time in which it
comes, and hands a request that offers another protocol (`Upgrade: h2c`) on without its body, which
it then reads as the next request.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from service.bodies import BODY_IS_IN
from service.browsers import Headers
from service.edge import Edge
from service.errors import HeadTooLarge, HeadTooSlow, MalformedRequest, Overloaded, ServiceError
from service.http import WHOLE_ANSWER

# More than any client sends.
_MAX_HEADERS = 100
# Requests that wait behind one another on one connection.
_MAX_PIPELINED = 64
# How long the rest of a body is read and dropped after an answer that did not wait for it: closed
# at once, the answer would be lost to whoever is still sending (RFC 9112, section 9.6).
_LINGER_SECONDS = 5.0
# Who keeps the gateway waiting for less is never cut off to make room.
_PATIENCE_SECONDS = 1.0
# On, for 0 seconds.
_DROP_THE_REST = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class ConnectionLimits:
    """What a connection may take.

    Attributes:
        max_connections: open at the same time.
        max_head_bytes: of a request line and headers together, and of trailers.
        head_timeout_seconds: time in which they must have come.
        answer_timeout_seconds: time in which an answer must have been taken.
    """

    max_connections: int
    max_head_bytes: int
    head_timeout_seconds: float
    answer_timeout_seconds: float


class Connection(HttpToolsProtocol):
    """One connection, within bounds.

    Args:
        edge: is told of what is refused before it is a request.
        limits: the bounds.
        options: what uvicorn gives.
    """

    def __init__(self, edge: Edge, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(**options)
        self._edge = edge
        self._limits = limits
        # Since when a head, or the rest of a body, is waited for.
        self._head_since: float | None = None
        self._body_since: float | None = None
        # Bytes that came since the parser last gave something out.
        self._pending = 0
        self._offered_upgrade = False
        self._is_parsing = False
        # To be begun when all that came with its head has been parsed.
        self._to_begin: tuple[RequestResponseCycle, Any] | None = None
        self._unsent_since: float | None = None
        self._closing_since: float | None = None

    # --- asyncio's calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, in the place of one that idles if there are too many."""
        super().connection_made(transport)
        self._cycle_transport = _CycleTransport(transport, self._close_gently)
        self._head_since = self.loop.time()
        if len(self.connections) > self._limits.max_connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._closing_since is not None:
            return
        self._unset_keepalive_if_required()
        cycle: RequestResponseCycle | None = self.cycle
        if self._head_since is None and (cycle is None or cycle.response_complete):
            self._head_since = self.loop.time()
        self._pending += len(data)
        fault: ServiceError | None = None
        self._is_parsing = True
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline_upgrade(data[offer.args[0] :])
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            fault = cause if isinstance(cause, ServiceError) else _no_http()
        except httptools.HttpParserError:
            fault = _no_http()
        else:
            if self._pending > self._limits.max_head_bytes:
                fault = self._too_large()
        self._is_parsing = False
        if self._to_begin is not None:
            begun, self._to_begin = self._to_begin, None
            self._begin(*begun)
        if fault is not None and not self._is_ending():
            self._refuse(fault)

    # --- the parser's calls

    def on_headers_complete(self) -> None:
        """Start to answer a request whose head is whole."""
        if self.parser.should_upgrade():
            self._offered_upgrade = True
            return
        if len(self.headers) > _MAX_HEADERS:
            raise HeadTooLarge(f"the request has more than {_MAX_HEADERS} headers")
        codings = [value for name, value in self.headers if name == b"transfer-encoding"]
        if codings and [coding.lower() for coding in codings] != [b"chunked"]:
            # The parser reads them all as chunked; a proxy may not, and see another request there.
            raise MalformedRequest("the only Transfer-Encoding that is read is chunked")
        # Only a piece of that length can hold such a head; then it is counted exactly.
        if self._pending > self._limits.max_head_bytes and self._head_bytes() > (
            self._limits.max_head_bytes
        ):
            raise self._too_large()
        self._pending = 0
        self._head_since = None
        self._body_since = self.loop.time()
        super().on_headers_complete()
        self.cycle.transport = self._cycle_transport  # type: ignore[assignment]
        scope: Any = self.cycle.scope  # takes what is not in its type, too
        scope[WHOLE_ANSWER] = partial(_answer, self.cycle)
        # What comes after the body (trailers) is read, and dropped.
        self.headers = []
        if len(self.pipeline) > _MAX_PIPELINED:
            self.cut_off()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Begin a request whose turn it is; uvicorn's own, which does not look at it before."""
        if self._is_parsing:
            self._to_begin = cycle, app
        else:
            self._begin(cycle, app)

    def _begin(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Answer a request at once if its head alone refuses it, or else start a task for it."""
        # While answers pile up, the next one has to wait.
        scope: Any = cycle.scope
        refused = None if self.flow.write_paused else self._edge.look(scope)
        if refused is None:
            super()._start_asgi_task(cycle, app)
        else:
            _write(cycle, *refused)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of the body."""
        if self._offered_upgrade:
            return
        self._pending = 0
        self._body_since = None
        scope: Any = self.cycle.scope
        scope[BODY_IS_IN] = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, unless this was the last."""
        self._unsent_since = None
        if self._closing_since is None:
            super().on_response_complete()
        else:
            self.server_state.total_requests += 1

    # --- bounds

    def look(self, now: float) -> None:
        """Cut off a caller who has been too slow. Called about once a second.

        Args:
            now: by the event loop's clock, in seconds.
        """
        if self.transport.get_write_buffer_size():
            if self._unsent_since is None:
                self._unsent_since = now
            elif now - self._unsent_since > self._limits.answer_timeout_seconds:
                self.cut_off()
        elif self._closing_since is not None:
            if now - self._closing_since > _LINGER_SECONDS:
                self.cut_off()
        elif self._head_since is not None:
            if now - self._head_since > self._limits.head_timeout_seconds:
                self._refuse_slow_head()
        else:
            self._unsent_since = None

    def cut_off(self) -> None:
        """Close at once, and let the system forget what was not taken yet."""
        connected = self.transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP_THE_REST)
        self.transport.abort()

    def waits_since(self) -> float | None:
        """Return since when the caller keeps the gateway waiting; None when it does not."""
        if self._closing_since is not None:
            return self._closing_since
        if self._head_since is not None or self._body_since is not None:
            return self._head_since or self._body_since
        if self.timeout_keep_alive_task is not None:
            return self.timeout_keep_alive_task.when() - self.timeout_keep_alive
        return None

    def is_beginning(self) -> bool:
        """Whether the first request, or part of a next one, is on its way."""
        cycle: RequestResponseCycle | None = self.cycle
        return self._closing_since is None and (cycle is None or self._pending > 0)

    def _make_room(self) -> None:
        """Close the connection that has kept the gateway waiting for longest, or this one."""
        patience_ends = self.loop.time() - _PATIENCE_SECONDS
        since, slowest = patience_ends, None
        for connection in self.connections:
            assert isinstance(connection, Connection)
            waits = connection.waits_since()
            if waits is not None and waits < since:
                since, slowest = waits, connection
        if slowest is not None:
            slowest.cut_off()
        else:
            most = self._limits.max_connections
            self._refuse(Overloaded(f"{most} connections are open, the most that are accepted"))

    def _is_ending(self) -> bool:
        return self._closing_since is not None or self.transport.is_closing()

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _too_large(self) -> ServiceError:
        return HeadTooLarge(
            f"the request line and the headers have more than {self._limits.max_head_bytes} bytes"
        )

    def _refuse_slow_head(self) -> None:
        if not self._pending:
            self.transport.close()  # it never said anything, and expects no answer
            return
        self._refuse(
            HeadTooSlow(
                f"the headers were not complete after {self._limits.head_timeout_seconds:g} seconds"
            )
        )

    def _refuse(self, error: ServiceError) -> None:
        """Answer what never became a request, and close."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if self.pipeline or cycle.response_started:
                self.cut_off()
                return
            if not cycle.more_body:
                # Answers go out in order: first that of the request before.
                cycle.keep_alive = False
                self.flow.pause_reading()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        status, headers, body = self._edge.refuse(error)
        lines = [STATUS_LINE[status]]
        lines += [b"%b: %b\r\n" % line for line in [*self.server_state.default_headers, *headers]]
        self.transport.write(b"".join([*lines, b"\r\n", body]))
        self._close_gently()

    def _close_gently(self) -> None:
        """Close, but not before the caller has had its answer."""
        self._unset_keepalive_if_required()
        if self._head_since is None and self._body_since is None:
            self.transport.close()  # nothing is left unread
        elif self._closing_since is None:
            self._closing_since = self.loop.time()
            self.transport.write_eof()
            self.flow.resume_reading()

    def _decline_upgrade(self, rest: bytes) -> None:
        """Read the request again as if it had offered no other protocol (RFC 9110, section 7.8)."""
        self._offered_upgrade = False
        method = self.parser.get_method()
        version = self.parser.get_http_version().encode("ascii")
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                tokens = [token.strip() for token in value.split(b",")]
                value = b", ".join(token for token in tokens if token.lower() != b"upgrade")
            if name != b"upgrade":
                lines.append(b"%b: %b" % (name, value))
        if method == b"CONNECT":
            self._refuse(_no_http())
            return
        self.parser = httptools.HttpRequestParser(self)
        self._pending = 0
        self.data_received(b"\r\n".join([*lines, b"", b""]) + rest)


class _CycleTransport:
    """What a request does to its transport, but for the way to close it."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


async def _answer(cycle: RequestResponseCycle, status: int, headers: Headers, body: bytes) -> None:
    """Send a whole answer as soon as the caller takes it."""
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if not cycle.disconnected:
        _write(cycle, status, headers, body)


def _write(cycle: RequestResponseCycle, status: int, headers: Headers, body: bytes) -> None:
    """Write a whole answer at once; uvicorn writes, and checks, its head line by line."""
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    if any(name == b"connection" for name, _ in headers):
        cycle.keep_alive = False  # ours only ever say close
    elif not cycle.keep_alive:
        headers = [*headers, (b"connection", b"close")]
    headers = [*cycle.default_headers, *headers]
    head = b"".join([STATUS_LINE[status], *(b"%b: %b\r\n" % line for line in headers), b"\r\n"])
    if head.count(b"\n") != len(headers) + 2:
        raise RuntimeError("a header holds the end of a line")
    cycle.transport.write(head if cycle.scope["method"] == "HEAD" else head + body)
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()


def _no_http() -> ServiceError:
    return MalformedRequest("what came is not a request of HTTP/1.1 or 1.0")
