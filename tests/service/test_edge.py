"""The outermost layer: what happens to every request, in which order, whatever becomes of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from service.app import Gateway, create_app
from service.context import RequestContext
from service.direct import RouteTable
from service.errors import MalformedRequest, Overloaded
from service.settings import Settings
from tests.service.fakes import FakeBackend, Fault, gateway_on
from tests.service.pictures import encoded

PICTURE = encoded(np.full((4, 6), 255, np.uint8))


@pytest.fixture(autouse=True, params=[False, True], ids=["at once", "head first"])
def is_looked_at(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application is handed all requests, or, as the server does it, those not refused."""
    monkeypatch.setattr(f"{__name__}.HEAD_FIRST", request.param)


HEAD_FIRST = False


def asked(
    work: Callable[[httpx.AsyncClient, Gateway], Awaitable[None]],
    backend: FakeBackend | None = None,
) -> None:
    async def run() -> None:
        async with gateway_on(backend or FakeBackend()) as (client, app):
            await client.get("/livez")  # the edge is complete with the first request
            transport = httpx.ASGITransport(_server(app), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as asking:
                await work(asking, app)

    asyncio.run(run())


def _server(app: Gateway) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        refused = app.edge.look(scope) if HEAD_FIRST else None
        if refused is None:
            await app(scope, receive, send)
            return
        status, headers, body = refused
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return serve


class Recorder:
    """Fills every place of the edge, and writes down what it was told.

    Args:
        refused: the steps that refuse.
    """

    def __init__(self, refused: Sequence[str] = ()) -> None:
        self.refused = refused
        self.steps: list[str] = []
        self.seen: list[RequestContext] = []

    def put_into(self, app: Gateway) -> None:
        app.edge.guards.append(self.guard)
        app.edge.admission = self
        app.edge.observers.append(self.observe)

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if name in self.refused:
            raise Overloaded(f"refused by {name}")

    def guard(self, scope: Any, context: RequestContext) -> None:
        self._step("guard")

    def check(self, scope: Any, context: RequestContext) -> None:
        assert not context.body_is_read
        self._step("check")

    async def enter(self, scope: Any, context: RequestContext) -> None:
        assert context.body_is_read
        self._step("enter")

    def leave(self, scope: Any, context: RequestContext) -> None:
        self._step("leave")

    def observe(self, scope: Any, context: RequestContext) -> None:
        self._step("observe")
        self.seen.append(context)


@pytest.mark.parametrize(
    ("refused", "steps"),
    [
        ((), ["guard", "check", "enter", "leave", "observe"]),
        (("guard",), ["guard", "observe"]),
        (("check",), ["guard", "check", "observe"]),
        (("enter",), ["guard", "check", "enter", "observe"]),
    ],
    ids=["answered", "refused by a guard", "refused before the body", "refused after it"],
)
def test_a_request_passes_its_steps_in_order(refused: Sequence[str], steps: list[str]) -> None:
    """What refuses it ends it; only a place that was given is given back."""

    async def work(client: httpx.AsyncClient, app: Gateway) -> None:
        recorder = Recorder(refused)
        recorder.put_into(app)
        answer = await client.post("/predict", content=PICTURE)

        assert answer.status_code == (503 if refused else 200)
        assert recorder.steps == steps

    asked(work)


def test_a_faulty_guard_is_a_fault_of_the_gateway() -> None:
    """It is answered, and its end told, as any other."""

    def divide(scope: Any, context: RequestContext) -> None:
        raise ZeroDivisionError

    async def work(client: httpx.AsyncClient, app: Gateway) -> None:
        recorder = Recorder()
        recorder.put_into(app)
        app.edge.guards.append(divide)
        answer = await client.get("/models")

        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert recorder.steps == ["guard", "observe"]

    asked(work)


@pytest.mark.parametrize(
    ("method", "path", "steps"),
    [
        ("GET", "/livez", ["observe"]),
        ("HEAD", "/readyz", ["observe"]),
        ("GET", "/openapi.json", ["observe"]),
        ("GET", "/docs", ["observe"]),
        ("GET", "/models", ["guard", "observe"]),
        ("GET", "/models/stn", ["guard", "observe"]),
        ("GET", "/nowhere", ["guard", "observe"]),
        ("GET", "//livez", ["guard", "observe"]),
        ("GET", "/livez/", ["guard", "observe"]),
        ("GET", "/LIVEZ", ["guard", "observe"]),
        ("GET", "/predict", ["guard", "observe"]),
        ("POST", "/livez", ["guard", "observe"]),
        ("GET", "/docs/..%2fpredict", ["guard", "observe"]),
        ("POST", "/predict%00", ["guard", "observe"]),
    ],
)
def test_only_health_and_documents_are_open(method: str, path: str, steps: list[str]) -> None:
    """By exactly their paths; whatever else is asked for, the guards see it."""

    async def work(client: httpx.AsyncClient, app: Gateway) -> None:
        recorder = Recorder()
        recorder.put_into(app)
        await client.request(method, httpx.URL("http://gateway", raw_path=path.encode()))

        assert recorder.steps == steps

    asked(work)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (None, 200, ""),
        (Fault(error=MalformedRequest("no")), 400, "malformed_request"),
        (Fault(error=ZeroDivisionError()), 500, "internal_error"),
    ],
)
def test_observers_hear_what_became_of_a_request(
    fault: Fault | None, status: int, code: str
) -> None:
    """Its place is given back also when the gateway itself is at fault."""
    backend = FakeBackend()

    async def work(client: httpx.AsyncClient, app: Gateway) -> None:
        recorder = Recorder()
        recorder.put_into(app)
        backend.fault = fault
        answer = await client.post("/predict", content=PICTURE, headers={"x-request-id": "me"})

        assert recorder.steps.count("leave") == 1
        (context,) = recorder.seen
        assert (context.status, context.error_code) == (status, code)
        assert answer.status_code == status
        assert context.request_id == "me"
        assert context.route == "/predict"
        assert context.bytes_received == len(PICTURE)
        assert context.bytes_sent == len(answer.content)

    asked(work, backend)


@pytest.mark.parametrize(
    ("method", "path", "route", "status", "code"),
    [
        ("GET", "/models/stn", "/models/{name}", 200, ""),
        ("GET", "/models/nobody", "/models/{name}", 404, "unknown_model"),
        ("GET", "/predict", "/predict", 405, "method_not_allowed"),
        ("GET", "/docs", "/docs", 200, ""),
        ("GET", "/nowhere", "", 404, "not_found"),
        ("POST", "/openapi.json", "/openapi.json", 405, "method_not_allowed"),
    ],
)
def test_observers_hear_the_template_of_the_route(
    method: str, path: str, route: str, status: int, code: str
) -> None:
    """Never the path itself, of which callers can make up as many as they like."""

    async def work(client: httpx.AsyncClient, app: Gateway) -> None:
        recorder = Recorder()
        recorder.put_into(app)
        answer = await client.request(method, path)

        (context,) = recorder.seen
        assert (context.route, context.status, context.error_code) == (route, status, code)
        assert answer.status_code == status

    asked(work)


def test_a_request_with_bad_headers_is_observed_too() -> None:
    async def work(client: httpx.AsyncClient, app: Gateway) -> None:
        recorder = Recorder()
        recorder.put_into(app)
        await client.get("/livez", headers={"x-request-timeout-ms": "soon"})

        assert [context.error_code for context in recorder.seen] == ["malformed_request"]

    asked(work)


def test_a_wrong_method_is_told_which_are_right() -> None:
    async def work(client: httpx.AsyncClient, app: Gateway) -> None:
        answer = await client.delete("/models/stn")

        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD"
        assert "this route answers GET, HEAD" in answer.json()["detail"]

    asked(work)


def test_the_routes_found_directly_are_those_of_the_openapi_document() -> None:
    """FastAPI, which writes the document, does not answer them; the two must not part ways."""
    app = create_app(Settings(), FakeBackend())
    documented = {
        (method.upper(), path)
        for path, operations in app.openapi()["paths"].items()
        for method in operations
    }

    places = RouteTable(app.routes).places.values()
    found = {
        (method, place.path)
        for place in places
        for method, route in place.routes.items()
        if route.include_in_schema  # the page's files are not
    }

    assert {(method, path) for method, path in found if method != "HEAD"} == documented
    assert {path for method, path in found if method == "HEAD"} == {
        path for method, path in documented if method == "GET"
    }
