"""OpenTelemetry traces: one server span for each request, its stages, and the calls of the model.

Loaded only when traces are asked for; the extra `otel` brings what it needs. Spans are named after
the semantic conventions for HTTP and RPC (OpenTelemetry 1.x). None carries anything of a picture.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import (
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.backend import Call
from service.context import RequestContext
from service.errors import ServiceError

_W3C = TraceContextTextMapPropagator()
_GRPC = {
    "rpc.system": "grpc",
    "rpc.service": "tensorflow.serving.PredictionService",
    "rpc.method": "Predict",
}
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
# For many spans at a time, attempts together. A collector that is away delays the end as long.
_EXPORT_SECONDS = 2.0
# A request with many pictures has four stages for each.
_MOST_STAGES = 64


def exporting_provider(endpoint: str, sample: float, version: str) -> TracerProvider:
    """Return what makes spans and sends them, many at a time, to a collector.

    `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and the exporter's variables (headers,
    certificates) count as everywhere.

    Args:
        endpoint: of OTLP over gRPC: `http://host:4317`, `https://` with encryption.
        sample: share of the traces begun here that are recorded; those that come in sampled
            always are.
        version: of this service.
    """
    ours = Resource({SERVICE_NAME: "stn-serving", SERVICE_VERSION: version})
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(sample)),
        resource=Resource.create().merge(ours).merge(OTELResourceDetector().detect()),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=_EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class OpenTelemetrySpans:
    """Makes spans: `tracer.Spans`.

    Args:
        provider: of OpenTelemetry; it decides which spans are recorded, and where they go.
        remote: whether calls of the model leave this process.
    """

    def __init__(self, provider: TracerProvider, remote: bool) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("stn-serving")
        self._remote = remote

    def started(self, scope: Any, context: RequestContext) -> None:
        """Begin the span of a request, within the trace that its headers name."""
        carrier = {"traceparent": context.traceparent} if context.traceparent else {}
        if carrier:
            states = [v.decode("latin-1") for n, v in scope["headers"] if n == b"tracestate"]
            carrier["tracestate"] = ",".join(states)
        span = self._tracer.start_span(
            _known(scope["method"]), context=_W3C.extract(carrier), kind=SpanKind.SERVER
        )
        context.span = span
        context.trace_id = f"{span.get_span_context().trace_id:032x}"

    def finished(self, scope: Any, context: RequestContext) -> None:
        """End it, and add what is known only now: an `edge.Observer`."""
        span: Span = context.span
        if span.is_recording():
            method = _known(scope["method"])
            span.update_name(f"{method} {context.route}" if context.route else method)
            span.set_attributes(_attributes(method, context))
            if context.status >= 500:
                span.set_status(Status(StatusCode.ERROR))
        if isinstance(span, ReadableSpan) and span.start_time is not None:
            # One clock for all of a request, whatever becomes of the time of day meanwhile.
            self._add_stages(span, context, span.start_time)
            span.end(span.start_time + _nanoseconds(context.elapsed()))

    @contextmanager
    def model_call(
        self, call: Call, contexts: Sequence[RequestContext]
    ) -> Iterator[dict[str, str]]:
        """Wrap a call of the model in a span.

        It belongs to the trace of the first request, and is linked with those of the others that
        travel in the same batch.

        Yields:
            The headers that pass the trace on.
        """
        requests = list({id(context): context for context in contexts}.values())
        spans: list[Span] = [context.span for context in requests]
        first = next((span for span in spans if span.is_recording()), spans[0])
        others = [span for span in spans if span is not first and span.is_recording()]
        with self._tracer.start_as_current_span(
            f"{_GRPC['rpc.service']}/{_GRPC['rpc.method']}" if self._remote else "predict",
            context=set_span_in_context(first),
            kind=SpanKind.CLIENT if self._remote else SpanKind.INTERNAL,
            attributes={
                **(_GRPC if self._remote else {}),
                "stn.servable": call.servable,
                "stn.version": call.version,
                "stn.signature": call.signature,
                "stn.batch_size": len(contexts),
            },
            links=[Link(span.get_span_context()) for span in others],
            # Messages may hold what a caller sent; the code of the error says enough.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            for context in requests:
                context.model_calls.append(span.get_span_context())
            headers: dict[str, str] = {}
            _W3C.inject(headers)
            try:
                yield headers
            except ServiceError as error:
                span.set_attribute("error.type", error.code)
                span.set_status(Status(StatusCode.ERROR))
                raise

    def close(self) -> None:
        """Send what is left, and stop. It may take seconds when the collector is away."""
        self._provider.shutdown()

    def _add_stages(self, span: Span, context: RequestContext, start: int) -> None:
        parent = set_span_in_context(span)
        for stage in context.stages[:_MOST_STAGES]:
            begun = start + _nanoseconds(stage.start - context.started)
            links = [Link(c) for c in context.model_calls] if stage.name == "model" else ()
            self._tracer.start_span(stage.name, context=parent, links=links, start_time=begun).end(
                begun + _nanoseconds(stage.seconds)
            )


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)


def _known(method: str) -> str:
    return method if method in _METHODS else "HTTP"


def _attributes(method: str, context: RequestContext) -> dict[str, Any]:
    attributes = {
        "http.request.method": "_OTHER" if method == "HTTP" else method,
        "http.route": context.route,
        "http.response.status_code": context.status,
        "http.request.body.size": context.bytes_received,
        "http.response.body.size": context.bytes_sent,
        "error.type": context.error_code,
        "stn.request_id": context.request_id,
        "stn.caller": context.caller,
        "stn.model_version": context.model_version,
    }
    return {name: value for name, value in attributes.items() if value not in ("", None)}
