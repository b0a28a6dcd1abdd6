"""Puts the gateway together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service import errors, problems, schemas
from service.admin import AdminServer
from service.admission import Admission, Traffic
from service.backend import Backend
from service.breaker import Breaker
from service.browsers import Cors
from service.calls import GuardedCalls
from service.catalogue import Catalogue, stop
from service.context import context_of
from service.direct import OpenRoute, RouteTable
from service.edge import Edge
from service.examples import error_examples
from service.guards import guards_for
from service.http import Answer
from service.inference import Inference
from service.keys import KeyRing, read_keys
from service.lane import Jitter, Lane
from service.oip import schemas as inference_protocol
from service.oip.routes import InferenceProtocolRoutes
from service.picture_lane import PictureLane
from service.pictures import SMALL_BYTES, PicturePool
from service.routes import Routes
from service.settings import Settings, split
from service.static import add_pages, choose, prepare
from service.telemetry.access_log import AccessLog
from service.telemetry.metrics import Metrics
from service.telemetry.state import StateCollector
from service.telemetry.tracer import PassOn, Spans

_FIRST_LOOK_SECONDS = 5.0
# A larger picture takes longer than a small request, and may wait longer.
_PICTURE_PATIENCE = 2.0

_DESCRIPTION = """\
Serves spatial transformer networks: a classifier that shows what it looked at (`/predict`), and the
transformer alone with a theta of your own (`/warp`).

An image comes as the multipart part `image`, as a raw body, or as base64 in JSON; options come in
the query, as form fields or as JSON members alike. What goes wrong is answered as
`application/problem+json` with a stable `code`.
"""


class Gateway(FastAPI):
    """A FastAPI application inside an `edge.Edge`, which answers the direct routes itself.

    Attributes:
        edge: it.
        admin: the server of the administrative port; None without one.
    """

    def __init__(self, edge: Edge, **options: Any) -> None:
        super().__init__(**options)
        self.edge = edge
        self.admin: AdminServer | None = None
        self._outermost: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request: the edge first, FastAPI where it passes one on."""
        if self._outermost is None:
            # Not before: until then routes may be added.
            self._outermost = self.edge.around(super().__call__, RouteTable(self.routes))
        await self._outermost(scope, receive, send)

    def drain(self) -> None:
        """Say on /readyz that the end is near, and close each connection after its next answer."""
        self.state.catalogue.stopping = True
        self.edge.stopping = True


def create_app(
    settings: Settings, backend: Backend | None = None, spans: Spans | None = None
) -> Gateway:
    """Return the gateway as an ASGI application.

    Args:
        settings: limits, names and addresses.
        backend: who runs the models; chosen by the settings when left out.
        spans: makes traces; chosen by the settings when left out.
    """
    metrics = Metrics()
    backend = backend or _choose_backend(settings, metrics)
    spans = spans or _choose_spans(settings)
    classifier, warper = servables = (settings.predict_servable, settings.warp_servable)
    calls = GuardedCalls(backend.run, servables)
    catalogue = Catalogue(backend, *servables, settings.poll_seconds, calls)
    pool = PicturePool(settings.decode_threads, settings.max_pixels)
    traffics = {name: _traffic(settings, backend, calls.breakers[name]) for name in servables}
    for traffic in traffics.values():
        traffic.pictures.on_empty = pool.tidy_up_soon
    inference = Inference(
        backend,
        calls.run if backend.is_remote else backend.run,
        catalogue,
        pool,
        settings.max_batch_size,
        settings.max_pixels,
        (traffics[classifier].pictures, traffics[warper].pictures),
        tracer=spans or PassOn(),
        on_batch=metrics.batch,
    )
    metrics.registry.register(
        StateCollector(
            catalogue, calls, traffics, metrics.rejected, package_version(), backend.name
        )
    )

    keys = KeyRing(read_keys(split(settings.api_keys)), settings.api_keys_file)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await backend.start()
        # A model server that hangs must not keep this process from telling so; the look goes on.
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_LOOK_SECONDS if backend.is_remote else None):
                await catalogue.refresh()
        watchers = [
            asyncio.create_task(catalogue.watch()),
            asyncio.create_task(keys.watch(settings.poll_seconds)),
        ]
        try:
            yield
        finally:
            for watcher in watchers:
                await stop(watcher)
            await catalogue.close()
            pool.close()
            await backend.close()
            if spans is not None:
                await asyncio.to_thread(spans.close)

    models = {"/predict": classifier, "/predict/batch": classifier, "/warp": warper}
    edge = Edge(
        settings,
        guards=guards_for(settings, keys),
        cors=Cors(split(settings.cors_origins)),
        admission=Admission(traffics, models, SMALL_BYTES),
        openers=[metrics.started],
        observers=[metrics.finished, AccessLog(settings.access_log_sample).finished],
    )
    if spans is not None:
        edge.openers.append(spans.started)
        edge.observers.append(spans.finished)
    app = Gateway(
        edge,
        title="stn-serving",
        version=package_version(),
        description=_DESCRIPTION,
        lifespan=lifespan,
        # Both would load scripts from elsewhere; static.py has a page of ours.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # _document adds it
        # It would send callers on to whatever their Host header names.
        redirect_slashes=False,
    )
    app.state.catalogue = catalogue
    app.state.calls = calls
    app.state.admission = edge.admission
    routes = Routes(inference, catalogue, pool, settings, metrics)
    routes.add_to(app.router)
    if settings.admin_port is not None:
        own = Edge(settings, observers=[AccessLog(settings.access_log_sample).finished])
        app.admin = AdminServer(own.around(_nothing_here, routes.for_admins()), own, settings)
    protocol = InferenceProtocolRoutes(inference, catalogue, pool, settings, package_version())
    protocol.add_to(app.router)
    add_pages(app.router, settings.page)
    app.add_exception_handler(HTTPException, _routing_error)
    _document(app)
    return app


def _choose_spans(settings: Settings) -> Spans | None:
    if settings.trace_endpoint is None:
        return None
    try:
        from service.telemetry.spans import OpenTelemetrySpans, exporting_provider
    except ImportError as error:
        raise errors.InternalError(
            "traces need OpenTelemetry, and it is not installed. Leave --trace-endpoint "
            "(STN_TRACE_ENDPOINT) out, or install it: pip install 'stn-serving[otel]'"
        ) from error
    provider = exporting_provider(settings.trace_endpoint, settings.trace_sample, package_version())
    return OpenTelemetrySpans(provider, settings.model_server is not None)


def _traffic(settings: Settings, backend: Backend, breaker: Breaker) -> Traffic:
    jitter = Jitter()
    wait_seconds = settings.queue_ms / 1000
    # What one round of calls takes from the event loop, the next is gathered from.
    full = settings.max_batch_size * backend.max_predict_calls
    pictures = PictureLane(settings.decode_threads, _PICTURE_PATIENCE * wait_seconds, jitter)
    return Traffic(Lane(full, wait_seconds), pictures, breaker, jitter)


def _choose_backend(settings: Settings, metrics: Metrics) -> Backend:
    # Each brings large libraries that the other does without.
    if settings.model_server is None:
        from service.embedded import EmbeddedBackend

        return EmbeddedBackend(settings.models, (settings.predict_servable, settings.warp_servable))
    from service.model_server import ModelServerAddress, ModelServerBackend

    address = ModelServerAddress(
        settings.model_server,
        # Whoever names a certificate wants it used.
        tls=settings.model_server_tls or settings.model_server_ca is not None,
        ca=settings.model_server_ca,
    )
    # The largest answer is a picture with four channels.
    return ModelServerBackend(address, max_elements=4 * settings.max_pixels, on_call=metrics.rpc)


def package_version() -> str:
    """Return the version of this distribution."""
    try:
        return version("stn-serving")
    except PackageNotFoundError:
        return "0+unknown"


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    raise errors.NotFound("here are /metrics, /livez and /readyz")


async def _routing_error(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: no such path, or not with this method."""
    assert isinstance(error, HTTPException)
    ours: errors.ServiceError = errors.NotFound(errors.NO_SUCH_ROUTE)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        ours = errors.MethodNotAllowed(f"this route answers {allowed}", allowed=(allowed,))
    context = context_of(request.scope)
    context.error_code = ours.code
    status, headers, body = problems.answer(ours, request.url.path, context.request_id)
    return Response(body, status, headers)


def _document(app: FastAPI) -> None:
    """Serve the OpenAPI document, with the schemas that only errors use, their examples, and keys.

    FastAPI would encode it anew for everyone who asks: milliseconds, and anyone may.
    """
    generate = app.openapi

    @cache
    def openapi() -> dict[str, Any]:
        document = generate()
        for model in (*schemas.EXTRA_SCHEMAS, *inference_protocol.EXTRA_SCHEMAS):
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            for name, definition in schema.pop("$defs", {}).items():
                document["components"]["schemas"].setdefault(name, definition)
            document["components"]["schemas"].setdefault(model.__name__, schema)
        document["components"]["examples"] = error_examples()
        document["components"]["securitySchemes"] = schemas.SECURITY_SCHEMES
        # Any one of them, or none where the gateway knows no keys.
        document["security"] = [{}, *({name: []} for name in schemas.SECURITY_SCHEMES)]
        return document

    @cache
    def answers() -> tuple[Answer, Answer]:
        return prepare(orjson.dumps(openapi()), "application/json")

    async def serve(request: Request) -> Answer:
        return choose(request, *answers())

    app.openapi = openapi  # type: ignore[method-assign]
    app.router.add_api_route(
        "/openapi.json", serve, include_in_schema=False, route_class_override=OpenRoute
    )
