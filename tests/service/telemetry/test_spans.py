"""Traces: what spans there are, whose children they are, and what is passed on."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from concurrent import futures
from itertools import pairwise
from pathlib import Path
from queue import Queue
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from opentelemetry.trace import SpanKind, StatusCode

from service.errors import ModelServerUnavailable
from service.telemetry.spans import OpenTelemetrySpans
from tests.service.fakes import FakeBackend, Fault, gateway_on
from tests.service.gateway_process import start_gateway
from tests.service.pictures import encoded
from tests.service.served import until

PICTURE = encoded(np.full((4, 6), 255, np.uint8))
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
CALL = "tensorflow.serving.PredictionService/Predict"


class Traced:
    """The spans of a gateway on a backend, made while some work was done."""

    def __init__(
        self,
        work: Callable[[httpx.AsyncClient], Awaitable[Any]],
        backend: FakeBackend | None = None,
        sampler: Sampler = ALWAYS_ON,
    ) -> None:
        self.backend = backend or FakeBackend()
        exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=ParentBased(sampler), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        spans = OpenTelemetrySpans(provider, remote=True)

        async def run() -> None:
            async with gateway_on(self.backend, spans, poll_seconds=60) as (client, _):
                await work(client)

        asyncio.run(run())
        self.spans: tuple[ReadableSpan, ...] = exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def is_child(span: ReadableSpan, parent: ReadableSpan) -> bool:
    assert span.parent is not None
    assert span.context is not None
    assert parent.context is not None
    return (span.parent.span_id, span.context.trace_id) == (
        parent.context.span_id,
        parent.context.trace_id,
    )


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_request_has_a_span_and_its_stages_and_the_call_are_its_children() -> None:
    traced = Traced(lambda client: client.post("/predict", content=PICTURE))

    server = traced.one("POST /predict")
    children = {span.name: span for span in traced.spans if span is not server}
    assert set(children) == {"decode", "queue", "model", "encode", CALL}
    assert all(is_child(span, server) for span in children.values())
    assert server.kind is SpanKind.SERVER
    assert children[CALL].kind is SpanKind.CLIENT
    assert children["model"].links[0].context.span_id == id_of(children[CALL])


def test_stages_lie_within_their_request_one_after_the_other() -> None:
    traced = Traced(lambda client: client.post("/predict", content=PICTURE))

    server = traced.one("POST /predict")
    stages = [traced.one(name) for name in ("decode", "queue", "model", "encode")]
    times = [time for span in stages for time in (span.start_time, span.end_time)]
    in_order = [server.start_time, *times, server.end_time]
    rounding = 1_000  # nanoseconds
    assert all(b - a >= -rounding for a, b in pairwise(in_order))  # type: ignore[operator]


def test_a_span_says_what_the_conventions_ask_for_and_nothing_of_a_picture() -> None:
    text = base64.b64encode(PICTURE).decode()
    headers = {"x-request-id": "me"}
    traced = Traced(lambda c: c.post("/predict?top_k=2", json={"image": text}, headers=headers))

    said = attributes(traced.one("POST /predict"))
    assert said.pop("http.response.body.size") > 0
    assert said == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "http.request.body.size": len(text) + len('{"image":""}'),
        "stn.request_id": "me",
        "stn.model_version": 1,
    }
    assert attributes(traced.one(CALL)) == {
        "rpc.system": "grpc",
        "rpc.service": "tensorflow.serving.PredictionService",
        "rpc.method": "Predict",
        "stn.servable": "stn",
        "stn.version": 1,
        "stn.signature": "predict",
        "stn.batch_size": 1,
    }
    assert text[:16] not in "".join(span.to_json() for span in traced.spans)


def test_it_belongs_to_the_caller_s_trace_and_passes_it_on() -> None:
    """The model server hears of the call's span, and of the caller's tracestate."""
    traced = Traced(lambda client: client.post("/predict", content=PICTURE, headers=SAMPLED))

    server = traced.one("POST /predict")
    assert {f"{span.context.trace_id:032x}" for span in traced.spans if span.context} == {TRACE}
    assert server.parent is not None
    assert f"{server.parent.span_id:016x}" == PARENT
    passed_on = traced.backend.calls[-1].headers
    assert passed_on == {
        "traceparent": f"00-{TRACE}-{id_of(traced.one(CALL)):016x}-01",
        "tracestate": "vendor=1",
    }


@pytest.mark.parametrize(
    ("flags", "sampler", "recorded"),
    [("00", ALWAYS_ON, False), ("01", ALWAYS_OFF, True), (None, ALWAYS_OFF, False)],
)
def test_the_caller_decides_what_is_recorded_and_else_the_share_does(
    flags: str | None, sampler: Sampler, recorded: bool
) -> None:
    """What is not recorded is passed on all the same, as not sampled."""
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-{flags}"} if flags else {}
    traced = Traced(
        lambda client: client.post("/predict", content=PICTURE, headers=headers), sampler=sampler
    )

    assert bool(traced.spans) == recorded
    passed_on = traced.backend.calls[-1].headers["traceparent"]
    assert int(passed_on[-2:], 16) & 1 == recorded
    if flags:
        assert passed_on[3:35] == TRACE


def test_a_call_shared_by_several_requests_is_linked_with_each() -> None:
    """It lies in the trace of one of them; the others' model stages point to it."""

    async def work(client: httpx.AsyncClient) -> None:
        await asyncio.gather(*(client.post("/predict", content=PICTURE) for _ in range(3)))

    traced = Traced(work)

    servers = traced.named("POST /predict")
    calls = traced.named(CALL)
    assert len(servers) == 3
    assert sum(attributes(call)["stn.batch_size"] for call in calls) == 3
    shared = max(calls, key=lambda call: int(attributes(call)["stn.batch_size"]))
    assert attributes(shared)["stn.batch_size"] >= 2
    (owner,) = [server for server in servers if is_child(shared, server)]
    joined = {link.context.span_id for link in shared.links}
    assert joined < {id_of(server) for server in servers}
    assert id_of(owner) not in joined
    assert len(joined) == attributes(shared)["stn.batch_size"] - 1
    stages = [s for s in traced.named("model") if s.links[0].context.span_id == id_of(shared)]
    assert len(stages) == attributes(shared)["stn.batch_size"]


def test_the_pictures_of_one_request_share_its_span() -> None:
    """Its calls are linked with nobody, and it has the first stages of its pictures alone."""
    files = [("image", ("a.png", PICTURE))] * 40
    traced = Traced(lambda client: client.post("/predict/batch", files=files))

    server = traced.one("POST /predict/batch")
    calls = traced.named(CALL)
    assert all(is_child(call, server) and not call.links for call in calls)
    assert sum(attributes(call)["stn.batch_size"] for call in calls) == 40
    assert len(traced.spans) == 1 + len(calls) + 64


def test_what_fails_is_marked_with_its_code_and_not_its_words() -> None:
    backend = FakeBackend()

    async def work(client: httpx.AsyncClient) -> None:
        backend.fault = Fault(error=ModelServerUnavailable("secret words", log_detail="more"))
        await client.post("/predict", content=PICTURE)

    traced = Traced(work, backend)

    for name in ("POST /predict", CALL):
        span = traced.one(name)
        assert attributes(span)["error.type"] == "model_server_unavailable"
        assert span.status.status_code is StatusCode.ERROR
    assert "secret words" not in "".join(span.to_json() for span in traced.spans)


def test_the_caller_s_own_mistakes_are_no_errors_of_the_gateway() -> None:
    traced = Traced(lambda client: client.post("/predict", content=b"no picture"))

    server = traced.one("POST /predict")
    assert attributes(server)["error.type"] == "unsupported_image_format"
    assert server.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("method", ["GET", "BREW"])
def test_what_has_no_route_is_named_after_its_method_if_that_is_known(method: str) -> None:
    traced = Traced(lambda client: client.request(method, "/made/up"))

    (span,) = traced.spans
    assert span.name == ("GET" if method == "GET" else "HTTP")


class Collector:
    """A collector that takes OTLP over gRPC on a free port."""

    def __init__(self) -> None:
        self.names: Queue[str] = Queue()
        self.services: set[str] = set()
        self._server = grpc.server(futures.ThreadPoolExecutor(1))
        method: Any = grpc.unary_unary_rpc_method_handler(
            self._export,
            request_deserializer=ExportTraceServiceRequest.FromString,
            response_serializer=ExportTraceServiceResponse.SerializeToString,
        )
        service = "opentelemetry.proto.collector.trace.v1.TraceService"
        handler = grpc.method_handlers_generic_handler(service, {"Export": method})
        self._server.add_generic_rpc_handlers((handler,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> "Collector":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0)

    def _export(self, request: ExportTraceServiceRequest, _: Any) -> ExportTraceServiceResponse:
        for resource in request.resource_spans:
            for attribute in resource.resource.attributes:
                if attribute.key == "service.name":
                    self.services.add(attribute.value.string_value)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.names.put(span.name)
        return ExportTraceServiceResponse()


def test_a_process_sends_its_spans_to_a_collector(models_folder: Path) -> None:
    """The last ones when it ends; nobody listens where the model server should be."""
    with Collector() as collector:
        flags = ("--model-server", "127.0.0.1:1")
        traces = ("--trace-endpoint", f"http://127.0.0.1:{collector.port}")
        with start_gateway(models_folder, *flags, *traces) as gateway:
            httpx.get(f"{gateway.url}/models", timeout=60)
            gateway.process.terminate()
            status, said = gateway.ended()
        assert status == 0, said
        assert collector.names.get(timeout=30) == "GET /models"
        assert collector.services == {"stn-serving"}


def test_a_collector_that_is_away_holds_up_nothing(models_folder: Path) -> None:
    """Requests are answered, and the process ends well."""
    flags = ("--model-server", "127.0.0.1:1", "--trace-endpoint", "http://127.0.0.1:1")
    with start_gateway(models_folder, *flags) as gateway:
        assert httpx.get(f"{gateway.url}/models", timeout=60).status_code == 200
        gateway.process.terminate()
        until(lambda: gateway.process.poll() is not None, "the end")
        status, said = gateway.ended()
    assert status == 0, said
    assert "Traceback" not in said
