"""What belongs to one request: its id, its deadline, and where its time went."""

import asyncio
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from service.errors import FieldError, MalformedRequest, ServiceError
from service.options import describe

if TYPE_CHECKING:
    from service.edge import Admission

# Anything else could forge log lines or headers; it is replaced, not refused.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(slots=True)
class RequestContext:
    """One request on its way.

    Attributes:
        request_id: the caller's, or a new one.
        traceparent: the caller's W3C trace context; empty when there is none.
        deadline: by the event loop's clock, in seconds.
        model_version: which version answered.
        stages: seconds by stage, in order: decode, queue, model, encode.
        fault: what was wrong with the headers that this was read from.
        body_is_read: whether all of the body has come in.
        started: when the request came, by `time.perf_counter`, in seconds.
        route: the template of its route, `/models/{name}`; empty where there is none.
        caller: the name of the key that it came with; empty without keys.
        admission: gives places to requests on this route; None where nothing does.
        admitted: whether it holds such a place.
        status: of the answer; 0 until it begins.
        error_code: of the problem that was answered; empty when all went well.
        bytes_received: size of the body as far as it was read.
        bytes_sent: size of the answer's body.
    """

    request_id: str
    traceparent: str
    deadline: float
    model_version: int | None = None
    stages: dict[str, float] = field(default_factory=dict)
    fault: ServiceError | None = None
    body_is_read: bool = False
    started: float = field(default_factory=time.perf_counter)
    route: str = ""
    caller: str = ""
    admission: "Admission | None" = None
    admitted: bool = False
    status: int = 0
    error_code: str = ""
    bytes_received: int = 0
    bytes_sent: int = 0

    def spent(self, stage: str, seconds: float) -> None:
        """Add to the time of a stage."""
        self.stages[stage] = self.stages.get(stage, 0.0) + seconds

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.spent(name, time.perf_counter() - start)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that every answer carries."""
        headers = [(b"x-request-id", self.request_id.encode("ascii"))]
        if self.model_version is not None:
            headers.append((b"x-model-version", b"%d" % self.model_version))
        if self.stages:
            timing = ", ".join(f"{n};dur={s * 1000:.2f}" for n, s in self.stages.items())
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
    return RequestContext(
        request_id=request_id if _REQUEST_ID.fullmatch(request_id) else uuid.uuid4().hex,
        traceparent=traceparent if _TRACEPARENT.fullmatch(traceparent) else "",
        deadline=asyncio.get_running_loop().time() + timeout_ms / 1000,
        fault=fault,
    )


def context_of(scope: Any) -> RequestContext:
    """Return the context that `edge.Edge` put into a request's scope."""
    context: RequestContext = scope["stn.context"]
    return context
