"""The access log: a line for each request, which never holds anything of a picture or an option.

Of a path only its route is told, for options may hold pictures; where there is no route, the
beginning of the path.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from service.context import RequestContext

log = logging.getLogger("stn_serving.access")

# Asked every second or so by machines. That the gateway is not ready is logged when it begins.
QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})
_MOST_OF_A_PATH = 100
# Turned away by the thousand, each line of which would cost as much as the refusal.
_FLOODS = frozenset({429, 503})
_LINES_A_SECOND = 20


class AccessLog:
    """Writes the lines.

    Args:
        sample: share of the requests answered 2xx that get a line, spread evenly; all others do.
        clock: in seconds.
    """

    def __init__(self, sample: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._sample = sample
        self._owed = 0.0
        self._clock = clock
        self._second = 0.0
        self._turned_away = 0

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
        left_out = self._left_out() if status in _FLOODS else 0
        if left_out is None:
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
        fields = _fields(scope, context)
        if left_out:
            fields["left_out"] = left_out
        line.fields = fields
        log.handle(line)

    def _is_its_turn(self) -> bool:
        self._owed += self._sample
        if self._owed < 1.0 - 1e-9:  # ten tenths are less than one
            return False
        self._owed -= 1.0
        return True

    def _left_out(self) -> int | None:
        """Return how many lines were left out before this one; None if it is left out itself."""
        now = self._clock()
        left_out = 0
        if now - self._second >= 1.0:
            left_out = max(0, self._turned_away - _LINES_A_SECOND)
            self._second, self._turned_away = now, 0
        self._turned_away += 1
        return left_out if self._turned_away <= _LINES_A_SECOND else None


def _fields(scope: Any, context: RequestContext) -> dict[str, Any]:
    fields: dict[str, Any] = {"request_id": context.request_id}
    if context.trace_id:
        fields["trace_id"] = context.trace_id
    if context.caller:
        fields["caller"] = context.caller
    if client := scope.get("client"):
        fields["client"] = client[0]
    fields["method"] = scope["method"]
    if context.route:
        fields["route"] = context.route
    else:
        fields["path"] = scope["path"][:_MOST_OF_A_PATH]
    fields["status"] = context.status
    if context.error_code:
        fields["code"] = context.error_code
    fields["duration_ms"] = round(context.elapsed() * 1000, 3)
    if context.stages:
        stages = context.seconds_by_stage()
        fields["stages_ms"] = {name: round(s * 1000, 3) for name, s in stages.items()}
    fields["request_bytes"] = context.bytes_received
    fields["response_bytes"] = context.bytes_sent
    if context.model_version is not None:
        fields["model_version"] = context.model_version
    if context.failure:
        fields["error"] = context.failure
    return fields
