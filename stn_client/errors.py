"""What can go wrong, as one exception, and where answers and faults of the line become it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson

# Codes of the client's own; the others are the gateway's (docs/errors.md).
CONNECTION_FAILED = "connection_failed"
TIMED_OUT = "timed_out"
UNEXPECTED_ANSWER = "unexpected_answer"


@dataclass(frozen=True)
class FieldProblem:
    """One field of a request that was not right: its name, what arrived, what was expected."""

    field: str
    got: str
    expected: str


class GatewayError(Exception):
    """The gateway refused, or did not answer.

    Attributes:
        code: stable, for programs: one of docs/errors.md, or `connection_failed`, `timed_out` or
            `unexpected_answer` (what answered is no gateway) of the client's own.
        detail: a sentence for people.
        status: of HTTP; None when there was no answer.
        request_id: to find the request in the gateway's log; None when there was no answer.
        retry_after: seconds after which to try again, where the gateway said so.
        fields: the fields to blame, where there are any.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        fields: tuple[FieldProblem, ...] = (),
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.fields = fields

    @property
    def is_passing(self) -> bool:
        """Whether the same request may well succeed later: 429, 503, or a broken connection."""
        return self.status in (429, 503) or self.code == CONNECTION_FAILED


def from_transport(error: httpx.RequestError, url: str) -> GatewayError:
    """Return the error for a request that got no answer."""
    words = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return GatewayError(TIMED_OUT, f"{url} did not answer in time")
    if isinstance(error, httpx.TransportError):
        return GatewayError(CONNECTION_FAILED, f"no answer from {url}: {words}")
    return GatewayError(UNEXPECTED_ANSWER, f"the answer of {url} cannot be read: {words}")


def from_response(response: httpx.Response) -> GatewayError:
    """Return the error for an answer that is none of the good ones."""
    try:
        document: Any = orjson.loads(response.content)
        code, detail = document["code"], document["detail"]
        fields = tuple(
            FieldProblem(f["field"], f["got"], f["expected"]) for f in document.get("errors", ())
        )
        assert isinstance(code, str)
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError):
        code, fields = UNEXPECTED_ANSWER, ()
        detail = f"HTTP {response.status_code} without a problem document; is this the gateway?"
    return GatewayError(
        code,
        str(detail),
        status=response.status_code,
        request_id=response.headers.get("x-request-id"),
        retry_after=_seconds(response.headers.get("retry-after", "")),
        fields=fields,
    )


def _seconds(retry_after: str) -> float | None:
    """Read `Retry-After`: seconds from the gateway, a date from some proxies (RFC 9110, 10.2.3)."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
