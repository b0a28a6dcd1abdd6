"""How calls of the model take part in traces, without a word of OpenTelemetry."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from service.backend import Call
from service.context import RequestContext


class Tracer(Protocol):
    """Follows the calls of the model."""

    def model_call(
        self, call: Call, contexts: Sequence[RequestContext]
    ) -> AbstractContextManager[Mapping[str, str]]:
        """Follow one call, made for these requests.

        Returns:
            A context for the call, which gives the headers that pass the trace on.
        """


class Spans(Tracer, Protocol):
    """Follows requests as well: see `spans.OpenTelemetrySpans`."""

    def started(self, scope: Any, context: RequestContext) -> None:
        """Begin a span: an `edge.Opener`."""

    def finished(self, scope: Any, context: RequestContext) -> None:
        """End it: an `edge.Observer`."""

    def close(self) -> None:
        """Send what is left, and stop; may take seconds."""


class PassOn:
    """Makes no traces, and passes on the one that the first caller to name one is in."""

    def model_call(
        self, call: Call, contexts: Sequence[RequestContext]
    ) -> AbstractContextManager[Mapping[str, str]]:
        """Return the header of W3C's Trace Context, when there is one."""
        for context in contexts:
            if context.traceparent:
                return nullcontext({"traceparent": context.traceparent})
        return _NOTHING


_NOTHING: AbstractContextManager[Mapping[str, str]] = nullcontext({})
