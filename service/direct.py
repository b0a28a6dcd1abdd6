"""Routes without a framework between them and the edge, and the table that finds them.

FastAPI writes these routes into its document, and its own parsing, encoding and middleware, which
would cost more than the model, are left out.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ClassVar

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from service.bodies import has_body
from service.context import context_of
from service.errors import BodyTooSlow, DeadlineExceeded, MethodNotAllowed, ServiceError
from service.hangup import HangUpWatch
from service.http import Answer, send_answer

Endpoint = Callable[[Request], Awaitable[Answer]]


class DirectRoute(APIRoute):
    """A FastAPI route whose function takes the request and returns an `Answer`, nothing between.

    It answers within the request's deadline, and stops working for a caller who has hung up.
    """

    is_open: ClassVar[bool] = False

    def __init__(self, path: str, endpoint: Endpoint, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.app = self._answering(endpoint)

    def _answering(self, endpoint: Endpoint) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive)
            try:
                async with asyncio.timeout_at(context_of(scope).deadline), HangUpWatch(request):
                    answer = await endpoint(request)
            except TimeoutError as error:
                raise _out_of_time(scope) from error
            await send_answer(answer, send)

        return app


class OpenRoute(DirectRoute):
    """A route for anyone at any time: it asks for no key, counts against no rate, and never waits.

    For what tells of health, and for the page that explains the rest.
    """

    is_open = True

    def _answering(self, endpoint: Endpoint) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send_answer(await endpoint(Request(scope, receive)), send)

        return app


class Place:
    """A path, and the routes there by method.

    Attributes:
        path: its template, `/models/{name}`.
        routes: by method.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.routes: dict[str, DirectRoute] = {}

    def add(self, route: DirectRoute) -> None:
        """Add a route, which answers HEAD where it answers GET: the server leaves the body out."""
        for method in route.methods or ():
            self.routes[method] = route
            if method == "GET":
                self.routes["HEAD"] = route

    def not_allowed(self) -> MethodNotAllowed:
        """Return the error for a method that is not there."""
        allowed = sorted(self.routes)
        return MethodNotAllowed(f"this route answers {', '.join(allowed)}", allowed=allowed)


class RouteTable:
    """Finds direct routes by path.

    Args:
        routes: all routes of the application; those that are not direct are passed over.

    Attributes:
        places: all that it can find, by the template of their path.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self.places: dict[str, Place] = {}
        self._patterns: list[tuple[re.Pattern[str], Place]] = []
        for route in routes:
            if not isinstance(route, DirectRoute):
                continue
            if route.path not in self.places:
                self.places[route.path] = place = Place(route.path)
                if route.param_convertors:
                    self._patterns.append((route.path_regex, place))
            self.places[route.path].add(route)
        self._exact = {
            path: place
            for path, place in self.places.items()
            if place not in (templated for _, templated in self._patterns)
        }

    def find(self, scope: Scope) -> Place | None:
        """Return the place that a request asks for; None where no direct route has its path.

        Writes the path's parameters into the scope.
        """
        path = scope["path"]
        place = self._exact.get(path)
        if place is not None:
            return place
        for pattern, place in self._patterns:
            match = pattern.match(path)
            if match is not None:
                scope["path_params"] = match.groupdict()
                return place
        return None


def _out_of_time(scope: Scope) -> ServiceError:
    if has_body(scope) and not context_of(scope).body_is_read:
        return BodyTooSlow("the body was not complete within the time that the request had")
    return DeadlineExceeded(
        "no answer within the time that the request had; X-Request-Timeout-Ms may ask for more"
    )
