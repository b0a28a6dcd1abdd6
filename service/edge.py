"""The outermost layer of the gateway: everything that holds for every request, and nothing else.

A request passes, in this order:

1. its context is read from the headers (`context.RequestContext`), and the openers are told;
2. its route is found, directly where it is a `direct.DirectRoute`, else by FastAPI;
3. the guards look at it, each of which may refuse it;
4. admission looks at it, and once its body is in, gives it a place;
5. the route answers;
6. the observers are told.

Up to admission, nothing waits: a server may have that done at once (`Edge.look`), so that whoever
is refused by the head of a request alone costs no task, and nobody keeps the body.

All of this runs for each request on the event loop: what is added here must cost microseconds and
never block. Errors of guards, admission and routes become problem documents here.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.bodies import BodyMemory, is_body_coming
from service.browsers import SECURITY_HEADERS, Cors, Headers
from service.context import RequestContext, context_of, read_context
from service.direct import RouteTable
from service.errors import InternalError, NotReady, ServiceError
from service.hangup import HungUp
from service.http import WHOLE_ANSWER, problem_answer, send_error
from service.settings import Settings
from service.telemetry.logs import with_fields

log = logging.getLogger("stn_serving")

Guard = Callable[[Scope, RequestContext], None]
"""Refuses a request by raising a `ServiceError`; may write who calls into the context.

Not asked for open routes (`direct.OpenRoute`). What is raised must not hold the caller's bytes.
The body has not been read: after a refusal the connection is closed.
"""

Observer = Callable[[Scope, RequestContext], None]
"""Told of every request once, when its answer has gone or nobody waits for it any more.

The context then says all: `route`, `caller`, `status`, `error_code`, `bytes_received`,
`bytes_sent`, `started`, `stages`, `model_version`. It must not raise and must not wait.
"""

Opener = Callable[[Scope, RequestContext], None]
"""Told of every request once, before anything is done with it; whoever is told so is told of its
end as well. Like an observer it must not raise and must not wait.
"""

# Who answers a request, in the scope of one that has been looked at.
_ANSWERING = "stn.answering"

CALLER_GONE = 499
"""The status of a request whose caller hung up first; never sent. nginx uses the same number."""


class Admission(Protocol):
    """Bounds the work in progress, on every route that reads a body."""

    def check(self, scope: Scope, context: RequestContext) -> None:
        """Look at a request whose body has not been read; it holds nothing yet.

        Raises:
            ServiceError: there is no hope for it.
        """

    async def enter(self, scope: Scope, context: RequestContext) -> None:
        """Take a place for a request whose body is in; wait for one for a short time.

        Cancelled when the request's deadline comes or its caller hangs up.

        Raises:
            ServiceError: there is none.
        """

    def leave(self, scope: Scope, context: RequestContext) -> None:
        """Give the place back. Called once for each `enter` that returned, whatever happened."""


class Edge:
    """An ASGI application around the one that it is given.

    Args:
        settings: hold the limits.

    Attributes:
        guards: asked in order.
        admission: bounds the work in progress; None where nothing does.
        openers: told at the beginning, in order.
        observers: told at the end, in order.
        cors: the pages of other origins that may ask.
        body_memory: what the bodies of all requests hold.
        stopping: whether connections are closed after their next answer.
    """

    def __init__(
        self,
        settings: Settings,
        guards: Sequence[Guard] = (),
        admission: Admission | None = None,
        observers: Sequence[Observer] = (),
        cors: Cors | None = None,
        openers: Sequence[Opener] = (),
    ) -> None:
        self._settings = settings
        self.openers = list(openers)
        self.guards = list(guards)
        self.admission = admission
        self.observers = list(observers)
        self.cors = cors or Cors(())
        self.stopping = False
        self.body_memory = BodyMemory(settings.max_body_memory_bytes)
        self._app: ASGIApp
        self._table: RouteTable | None = None

    def around(self, app: ASGIApp, table: RouteTable) -> ASGIApp:
        """Return the application that answers requests.

        Args:
            app: answers what no direct route does.
            table: the direct routes.
        """
        self._app, self._table = app, table
        return self._edge

    def look(self, scope: Scope) -> tuple[int, Headers, bytes] | None:
        """Look at the head of a request, before the application is called.

        Returns:
            Status, headers and body of the answer that refuses it; None when the application is to
            be called.
        """
        if self._table is None or scope["type"] != "http":
            return None
        context = self._begin(scope)
        try:
            scope[_ANSWERING] = self._find(self._table, scope, context)
        except ServiceError as error:
            status, headers, body = problem_answer(error, scope)
            headers = self._headers(scope, context, headers)
            context.status = status
            context.bytes_sent = 0 if scope["method"] == "HEAD" else len(body)
            self._end(scope, context)
            return status, headers, body
        except Exception as error:  # the application answers for it
            scope[_ANSWERING] = partial(_fail, error)
        return None

    async def _edge(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._table is not None
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = context_of(scope) if _ANSWERING in scope else self._begin(scope)
        send = self._sending(scope, context, send)
        try:
            answering = scope.get(_ANSWERING) or self._find(self._table, scope, context)
            await answering(scope, receive, send)
        except HungUp:
            context.status = CALLER_GONE
        except ServiceError as error:
            await send_error(error, scope, send)
        except asyncio.CancelledError:
            # The grace is over. Elsewhere, nobody cancels a request from outside.
            if not self.stopping or context.status:
                raise
            stopped = NotReady("the gateway stopped before the answer was ready; ask another")
            await send_error(stopped, scope, send)
        except Exception:
            log.exception(
                "a fault of the gateway", extra=with_fields(request_id=context.request_id)
            )
            if context.status:
                raise  # too late for an answer; the server closes the connection
            await send_error(InternalError("a fault of the gateway; it is logged"), scope, send)
        finally:
            self._end(scope, context)

    def refuse(self, error: ServiceError) -> tuple[int, Headers, bytes]:
        """Return status, headers and body for what was refused before it was a request.

        Openers and observers are told, with a scope that has an empty method and path.
        """
        scope: Scope = {"type": "http", "method": "", "path": "", "headers": []}
        context = self._begin(scope)
        status, headers, body = problem_answer(error, scope)
        context.status, context.bytes_sent = status, len(body)
        self._end(scope, context)
        closing = (b"connection", b"close")
        return status, [*headers, *context.headers(), *SECURITY_HEADERS, closing], body

    def _begin(self, scope: Scope) -> RequestContext:
        context: RequestContext = read_context(
            scope["headers"],
            self._settings.request_timeout_ms,
            self._settings.max_request_timeout_ms,
        )
        scope["stn.context"] = context
        for tell in self.openers:
            tell(scope, context)
        return context

    def _end(self, scope: Scope, context: RequestContext) -> None:
        self.body_memory.give(context.bytes_received)
        if context.admitted and self.admission is not None:
            self.admission.leave(scope, context)
        for observe in self.observers:
            observe(scope, context)

    def _find(self, table: RouteTable, scope: Scope, context: RequestContext) -> ASGIApp:
        """Return who answers a request, for which there is room as far as its head tells."""
        if context.fault is not None:
            raise context.fault
        preflight = self.cors.preflight(scope)
        if preflight is not None:
            return partial(_answer_preflight, preflight)
        place = table.find(scope)
        if place is None:
            self._guard(scope, context)
            return self._app
        context.route = place.path
        route = place.routes.get(scope["method"])
        if route is None:
            self._guard(scope, context)
            raise place.not_allowed()
        if not route.is_open:
            self._guard(scope, context)
            context.admission = self.admission
            context.body_memory = self.body_memory
            if self.admission is not None and scope["method"] == "POST":
                self.admission.check(scope, context)
        return route.app

    def _guard(self, scope: Scope, context: RequestContext) -> None:
        for guard in self.guards:
            guard(scope, context)

    def _sending(self, scope: Scope, context: RequestContext, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] != "http.response.body":
                context.status = message["status"]
                message["headers"] = self._headers(scope, context, message.get("headers", ()))
            if message["type"] != "http.response.start" and scope["method"] != "HEAD":
                context.bytes_sent += len(message.get("body", b""))
            if message["type"] != WHOLE_ANSWER:
                await send(message)
            elif WHOLE_ANSWER in scope:
                await scope[WHOLE_ANSWER](message["status"], message["headers"], message["body"])
            else:
                await send({**message, "type": "http.response.start"})
                await send({"type": "http.response.body", "body": message["body"]})

        return send_with_headers

    def _headers(
        self, scope: Scope, context: RequestContext, of_answer: Iterable[tuple[bytes, bytes]]
    ) -> Headers:
        """Return all headers of an answer, its own first."""
        own = list(of_answer)
        headers = [*own, *self._headers_for_browsers(scope, own), *context.headers()]
        if self.stopping or (not context.body_is_read and is_body_coming(scope)):
            # Or the rest of a body that nobody wants would be read to its end.
            headers.append((b"connection", b"close"))
        return headers

    def _headers_for_browsers(self, scope: Scope, headers: Headers) -> Headers:
        """Return the headers for browsers that an answer does not have of its own."""
        if len(headers) <= 2 and not self.cors:
            return SECURITY_HEADERS  # most answers bring their type and length alone
        own = {name for name, _ in headers}
        return [
            *(line for line in SECURITY_HEADERS if line[0] not in own),
            *self.cors.headers(scope),
        ]


async def _answer_preflight(headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _fail(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    raise error
