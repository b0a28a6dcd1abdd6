"""What browsers are told: which pages may ask (CORS), and what an answer may do (nothing)."""

from collections.abc import Iterable

from starlette.types import Scope

Headers = list[tuple[bytes, bytes]]

# An answer is data: not to be guessed at, run, framed, kept or told of.
SECURITY_HEADERS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
_EXPOSED = b"retry-after, server-timing, x-model-version, x-request-id"
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, HEAD, POST"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, traceparent, x-api-key, x-request-id, x-request-timeout-ms",
    ),
    (b"access-control-max-age", b"600"),
    (b"content-length", b"0"),
]


class Cors:
    """Lets pages of other origins ask.

    Args:
        origins: which, `https://example.org`; `*` for any.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = {origin.encode("ascii") for origin in origins}

    def __bool__(self) -> bool:
        return bool(self._origins)

    def headers(self, scope: Scope) -> Headers:
        """Return what an answer carries for the page that asked; nothing for others."""
        if not self._origins:
            return []
        vary = (b"vary", b"origin")
        origin = _header(scope, b"origin")
        if origin not in self._origins and b"*" not in self._origins:
            return [vary]
        allowed = b"*" if b"*" in self._origins else origin
        return [
            (b"access-control-allow-origin", allowed),
            (b"access-control-expose-headers", _EXPOSED),
            vary,
        ]

    def preflight(self, scope: Scope) -> Headers | None:
        """Return the answer's headers when a browser asks whether a page may; else None."""
        if scope["method"] != "OPTIONS" or not self._origins:
            return None
        if not _header(scope, b"origin") or not _header(scope, b"access-control-request-method"):
            return None
        return _PREFLIGHT


def _header(scope: Scope, wanted: bytes) -> bytes:
    for name, value in scope["headers"]:
        if name == wanted:
            return bytes(value)
    return b""
