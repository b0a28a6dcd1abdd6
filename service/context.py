"""What belongs to one request: its id, its deadline, and where its time went."""

import asyncio
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from service.errors import FieldError, MalformedRequest, ServiceError
from service.options import describe

if TYPE_CHECKING:
    from service.admission import Traffic
    from service.bodies import BodyMemory
    from service.edge import Admission

# Anything else could forge log lines or headers; it is replaced, not refused.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Stage(NamedTuple):
    """A part of a request's time: decode, queue, model or encode.

    Attributes:
        name: which.
        start: when it began, by `time.perf_counter`, in seconds.
        seconds: how long it took.
    """

    name: str
    start: float
    seconds: float


@dataclass(slots=True)
class RequestContext:
    """One request on its way.

    Attributes:
        request_id: the caller's, or a new one.
        traceparent: the caller's W3C trace context; empty when there is none.
        deadline: by the event loop's clock, in seconds.
        model_version: which version answered.
        stages: where its time went, in the order in which it is known; with several pictures, the
            stages of each.
        fault: what was wrong with the headers that this was read from.
        body_is_read: whether all of the body has come in.
        started: when the request came, by `time.perf_counter`, in seconds.
        route: the template of its route, `/models/{name}`; empty where there is none.
        caller: the name of the key that it came with; empty without keys.
        body_memory: bounds what all bodies together hold; None where nothing does.
        admission: gives places to requests on this route; None where nothing does.
        admitted: whether it holds such a place.
        traffic: the requests that it is counted among; None where they are not bounded.
        holder: whose share it is counted towards: the caller, or the address it came from.
        units: as how many it is counted.
        status: of the answer; 0 until it begins.
        error_code: of the problem that was answered; empty when all went well.
        bytes_received: size of the body as far as it was read.
        bytes_sent: size of the answer's body.
        pixels: of each picture, as it was sent.
        failure: what the log says when the fault is not the caller's; callers never see it.
        trace_id: of the trace that it belongs to; empty when there is none.
        span: its span, when traces are made.
        model_calls: contexts of the spans of the model's calls that it had a part in.
    """

    request_id: str
    traceparent: str
    deadline: float
    model_version: int | None = None
    stages: list[Stage] = field(default_factory=list)
    fault: ServiceError | None = None
    body_is_read: bool = False
    started: float = field(default_factory=time.perf_counter)
    route: str = ""
    caller: str = ""
    body_memory: "BodyMemory | None" = None
    admission: "Admission | None" = None
    admitted: bool = False
    traffic: "Traffic | None" = None
    holder: str = ""
    units: int = 0
    status: int = 0
    error_code: str = ""
    bytes_received: int = 0
    bytes_sent: int = 0
    pixels: list[int] = field(default_factory=list)
    failure: str = ""
    trace_id: str = ""
    span: Any = None
    model_calls: list[Any] = field(default_factory=list)

    def elapsed(self) -> float:
        """Return how long the request has been here, in seconds."""
        return time.perf_counter() - self.started

    def spent(self, stage: str, seconds: float, start: float | None = None) -> None:
        """Note the time of a stage; it ended just now where no start is given."""
        if start is None:
            start = time.perf_counter() - seconds
        self.stages.append(Stage(stage, start, seconds))

    def seconds_by_stage(self) -> dict[str, float]:
        """Return how long each stage took, for all pictures together."""
        sums: dict[str, float] = {}
        for name, _, seconds in self.stages:
            sums[name] = sums.get(name, 0.0) + seconds
        return sums

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.spent(name, time.perf_counter() - start, start)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that every answer carries."""
        headers = [(b"x-request-id", self.request_id.encode("ascii"))]
        if self.model_version is not None:
            headers.append((b"x-model-version", b"%d" % self.model_version))
        if self.stages:
            timing = ", ".join(
                f"{name};dur={seconds * 1000:.2f}"
                for name, seconds in self.seconds_by_stage().items()
            )
            headers.append((b"server-timing", timing.encode("ascii")))
        return headers


def read_context(
    headers: list[tuple[bytes, bytes]], default_timeout_ms: int, max_timeout_ms: int
) -> RequestContext:
    """Read a request's context from its raw headers; names are lower case, as ASGI has them."""
    request_id = traceparent = timeout = ""
    for name, value in headers:
        if name == b"x-request-id":
            request_id = value.decode("latin-1")
        elif name == b"traceparent":
            traceparent = value.decode("latin-1")
        elif name == b"x-request-timeout-ms":
            timeout = value.decode("latin-1")
    timeout_ms, fault = default_timeout_ms, None
    if timeout:
        if timeout.isascii() and timeout.isdigit() and 0 < len(timeout) < 10 and int(timeout):
            timeout_ms = min(int(timeout), max_timeout_ms)
        else:
            expected = "a whole number of milliseconds from 1"
            got = describe(timeout)
            fault = MalformedRequest(
                f"X-Request-Timeout-Ms must be {expected}; got {got}",
                (FieldError("X-Request-Timeout-Ms", got, expected),),
            )
    if not _TRACEPARENT.fullmatch(traceparent):
        traceparent = ""
    return RequestContext(
        request_id=request_id if _REQUEST_ID.fullmatch(request_id) else os.urandom(16).hex(),
        traceparent=traceparent,
        trace_id=traceparent[3:35],
        deadline=asyncio.get_running_loop().time() + timeout_ms / 1000,
        fault=fault,
    )


def context_of(scope: Any) -> RequestContext:
    """Return the context that `edge.Edge` put into a request's scope."""
    context: RequestContext = scope["stn.context"]
    return context
