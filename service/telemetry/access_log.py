"""The access log: a line for each request, which never holds anything of a picture or an option.

Of a path only its route is told, for options may hold pictures; where there is no route, the
beginning of the path.
"""

import logging
from typing import Any

from service.context import RequestContext

log = logging.getLogger("stn_serving.access")

# Asked every second or so by machines. That the gateway is not ready is logged when it begins.
QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})
_MOST_OF_A_PATH = 100


class AccessLog:
    """Writes the lines.

    Args:
        sample: share of the requests answered 2xx that get a line, spread evenly; all others do.
    """

    def __init__(self, sample: float = 1.0) -> None:
        self._sample = sample
        self._owed = 0.0

    def finished(self, scope: Any, context: RequestContext) -> None:
        """Write a line, or not: an `edge.Observer`."""
        status = context.status
        level = logging.WARNING if status >= 500 else logging.INFO
        if context.route in QUIET_ROUTES:
            level = logging.DEBUG
        if not log.isEnabledFor(level):
            return
        if 200 <= status < 300 and not self._is_its_turn():
            return
        # `log.info` would look for the line of source that called it, for half of the cost.
        line = logging.LogRecord(
            log.name,
            level,
            "",
            0,
            "%s %s %d",
            (scope["method"] or "-", context.route or "-", status),
            None,
        )
        line.fields = _fields(scope, context)
        log.handle(line)

    def _is_its_turn(self) -> bool:
        self._owed += self._sample
        if self._owed < 1.0 - 1e-9:  # ten tenths are less than one
            return False
        self._owed -= 1.0
        return True


def _fields(scope: Any, context: RequestContext) -> dict[str, Any]:
    client = scope.get("client")
    fields = {
        "request_id": context.request_id,
        "trace_id": context.trace_id,
        "caller": context.caller,
        "client": client[0] if client else "",
        "method": scope["method"],
        "route": context.route,
        "path": "" if context.route else scope["path"][:_MOST_OF_A_PATH],
        "status": context.status,
        "code": context.error_code,
        "duration_ms": _milliseconds(context.elapsed()),
        "stages_ms": {
            name: _milliseconds(seconds) for name, seconds in context.seconds_by_stage().items()
        },
        "request_bytes": context.bytes_received,
        "response_bytes": context.bytes_sent,
        "model_version": context.model_version,
        "error": context.failure,
    }
    return {name: value for name, value in fields.items() if value not in ("", None, {})}


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
