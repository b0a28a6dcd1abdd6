"""Metrics, under the names that the field uses where it has names (docs/operations.md lists them).

Labels are bounded by construction: routes are templates, codes are those of `errors.py`, callers
are names out of the configuration. Looking a labelled metric up costs as much as counting, so what
a request needs is looked up once and kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import prometheus_client
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from service.context import RequestContext

_KILO, _MEGA = 2**10, 2**20
_REQUEST_SECONDS = (
    *(0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1),
    *(0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
_STAGE_SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
_PIXELS = (
    *(_KILO, 4 * _KILO, 16 * _KILO, 64 * _KILO, 256 * _KILO),
    *(_MEGA, 2 * _MEGA, 4 * _MEGA, 8 * _MEGA, 16 * _MEGA, 32 * _MEGA),
)
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
STAGES = ("decode", "queue", "model", "encode")
# Codes of requests turned away, good as they may have been. Admission counts those of its own.
REJECTIONS = ("rate_limited", "unauthorized", "not_ready")
OK = "ok"
OTHER_ROUTES = "other"

# When each series began is of no use to Prometheus, and doubles what a histogram shows.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """What is counted and measured, in a registry of its own.

    Attributes:
        registry: all of it.
        rejected: requests turned away without work, by code, since the start.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = self._counter(
            "http_requests", "Requests answered.", ("route", "status", "code")
        )
        self._request_seconds = self._histogram(
            "http_request_duration_seconds",
            "Time from a request's head to the end of its answer.",
            _REQUEST_SECONDS,
            ("route", "status"),
        )
        self._in_flight = self._gauge("http_requests_in_flight", "Requests being worked on.")
        self._bytes_in = self._counter(
            "http_request_body_bytes", "Bytes of request bodies read.", ("route",)
        )
        self._bytes_out = self._counter(
            "http_response_body_bytes", "Bytes of answers sent, heads not counted.", ("route",)
        )
        self._caller_requests = self._counter(
            "stn_caller_requests",
            "Requests answered, by the name of the API key that they came with.",
            ("caller", "status"),
        )
        self._stage_seconds = self._histogram(
            "stn_stage_duration_seconds",
            "Time in a stage: decoding, waiting for the model, the model, encoding.",
            _STAGE_SECONDS,
            ("stage",),
        )
        self._pixels = self._histogram(
            "stn_image_pixels", "Pixels of each picture decoded, as it was sent.", _PIXELS
        )
        self._batch_size = self._histogram(
            "stn_batch_size", "Pictures in each call of the classifier.", _BATCH_SIZES
        )
        self._rpcs = self._counter(
            "grpc_client_handled",
            "Calls of the model server that ended, by gRPC code.",
            ("grpc_service", "grpc_method", "grpc_code"),
        )
        self._rpc_seconds = self._histogram(
            "grpc_client_handling_seconds",
            "Time of each call of the model server.",
            _STAGE_SECONDS,
            ("grpc_service", "grpc_method"),
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.rejected = dict.fromkeys(REJECTIONS, 0)
        self._answers: dict[tuple[str, int, str], _Answers] = {}
        self._callers: dict[tuple[str, int], Counter] = {}
        self._calls: dict[tuple[str, str], tuple[Any, Any]] = {}
        self._stages = {stage: self._stage_seconds.labels(stage) for stage in STAGES}

    def started(self, scope: Any, context: RequestContext) -> None:
        """Count a request that has come: an `edge.Opener`."""
        self._in_flight.inc()

    def finished(self, scope: Any, context: RequestContext) -> None:
        """Count and measure a request that is over: an `edge.Observer`."""
        self._in_flight.dec()
        key = (context.route, context.status, context.error_code)
        answers = self._answers.get(key) or self._look_up(key)
        answers.count.inc()
        answers.seconds.observe(context.elapsed())
        if context.bytes_received:
            answers.bytes_in.inc(context.bytes_received)
        answers.bytes_out.inc(context.bytes_sent)
        if context.error_code in REJECTIONS:
            self.rejected[context.error_code] += 1
        if context.caller:
            self._count_caller(context.caller, context.status)
        for stage in context.stages:
            self._stages[stage.name].observe(stage.seconds)
        for pixels in context.pixels:
            self._pixels.observe(pixels)

    def _count_caller(self, caller: str, status: int) -> None:
        count = self._callers.get((caller, status))
        if count is None:
            count = self._callers[caller, status] = self._caller_requests.labels(caller, status)
        count.inc()

    def batch(self, size: int) -> None:
        """Note a call of the classifier with so many pictures."""
        self._batch_size.observe(size)

    def rpc(self, path: str, code: str, seconds: float) -> None:
        """Note a call of the model server.

        Args:
            path: of the method, `/package.Service/Method`.
            code: what it ended with, by name.
            seconds: how long it took.
        """
        call = self._calls.get((path, code))
        if call is None:
            service, method = path.strip("/").split("/")
            call = self._calls[path, code] = (
                self._rpcs.labels(service, method, code),
                self._rpc_seconds.labels(service, method),
            )
        count, duration = call
        count.inc()
        duration.observe(seconds)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics as text, and its media type: see `exposition`."""
        return exposition(self.registry, accept)

    def _look_up(self, key: tuple[str, int, str]) -> "_Answers":
        route, status, code = key
        route = route or OTHER_ROUTES
        answers = self._answers[key] = _Answers(
            count=self._requests.labels(route, status, code or OK),
            seconds=self._request_seconds.labels(route, status),
            bytes_in=self._bytes_in.labels(route),
            bytes_out=self._bytes_out.labels(route),
        )
        return answers

    def _counter(self, name: str, words: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(name, words, labels, registry=self.registry)

    def _gauge(self, name: str, words: str, labels: Iterable[str] = ()) -> Gauge:
        return Gauge(name, words, labels, registry=self.registry)

    def _histogram(
        self, name: str, words: str, buckets: tuple[float, ...], labels: Iterable[str] = ()
    ) -> Histogram:
        return Histogram(name, words, labels, buckets=buckets, registry=self.registry)


def exposition(collector: Collector, accept: str) -> tuple[bytes, str]:
    """Return metrics as text, and its media type.

    Args:
        collector: gives them.
        accept: the header; Prometheus names OpenMetrics there.
    """
    if openmetrics.CONTENT_TYPE_LATEST.partition(";")[0] in accept:
        body: bytes = openmetrics.generate_latest(collector)  # type: ignore[no-untyped-call]
        return body, openmetrics.CONTENT_TYPE_LATEST
    return prometheus_client.generate_latest(collector), CONTENT_TYPE_PLAIN_0_0_4


@dataclass(frozen=True, slots=True)
class _Answers:
    """The series that a route's answers of one status and code go to."""

    count: Counter
    seconds: Histogram
    bytes_in: Counter
    bytes_out: Counter
