"""Request lines, headers and framing that no client of good will sends."""

from collections.abc import Iterator
from dataclasses import replace

from tests.torture.client import get, post
from tests.torture.corpus.bodies import PICTURE
from tests.torture.corpus.kinds import MALFORMED, READ, Codes, Hostile

# A bare refusal, before there is a request that a problem document could answer.
_REFUSED: Codes = frozenset(
    {"400", "413", "414", "431", "501", "505", "closed", "malformed_request"}
)
_ABSENT: Codes = frozenset({"not_found", "400"})
_NOT_HERE: Codes = _ABSENT | {"method_not_allowed", "unknown_model"}
SMUGGLED = "smuggled-request"
_SECOND = f"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-ID: {SMUGGLED}\r\n\r\n".encode()


def heads() -> Iterator[Hostile]:
    """Return every one once."""
    for kind in (_headers, _paths, _methods, _chunked, _smuggling, _no_http):
        for one in kind():
            yield replace(one, alone=True)


def _headers() -> Iterator[Hostile]:
    def sent(codes: Codes, *headers: str) -> Hostile:
        return Hostile("header", post("/predict", PICTURE, *headers), codes)

    for value in ("0", "-1", "x", "1.5", "1" * 30, "1e3", "\xff", " ", "0x10", "1,2"):
        yield sent(MALFORMED | READ, f"X-Request-Timeout-Ms: {value}")
    yield sent(READ, "X-Request-Timeout-Ms: 999999999")
    for value in (
        "a b",
        "\xff\xfe",
        "x" * 200,
        "<script>",
        "../..",
        "%0d%0aSet-Cookie: a=b",
        "${jndi:x}",
    ):
        yield sent(READ, f"X-Request-ID: {value}")
    for value in ("", "x", "00-0-0-0", "zz-" + "0" * 32, "\xff" * 55, "00-" + "0" * 4000):
        yield sent(READ, f"traceparent: {value}", f"tracestate: {value}", f"baggage: {value}")
    for value in (
        "image/png",
        "text/html",
        "application/json;q=0",
        "*/*;q=0",
        ";",
        "x",
        "," * 1000,
    ):
        yield sent(frozenset({"not_acceptable", "ok"}), f"Accept: {value}")
    for value in (
        "*/*;q=nan",
        "*/*;q=inf",
        "*/*;q=-1",
        "*/*;q=" + "9" * 400,
        "*/*" * 500,
        "\xff/\xff",
    ):
        yield sent(frozenset({"not_acceptable", "ok"}), f"Accept: {value}")
    for header in (
        "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: evil.invalid", "X-Real-IP: 127.0.0.1",
        "X-Original-URL: /metrics", "X-Rewrite-URL: /metrics", "X-HTTP-Method-Override: DELETE",
        "Forwarded: for=127.0.0.1", "Proxy: http://evil.invalid", "Cookie: " + "a=b;" * 1000,
        "Range: bytes=0-1,0-2", "If-None-Match: *", "Accept-Encoding: gzip;q=x",
        "Content-Language: \xff",
        "Origin: https://evil.invalid", "Referer: javascript:x", "Content-MD5: x",
        "TE: trailers, x",
        "User-Agent: () { :; }; id", "Via: " + "1.1 x, " * 500, "Upgrade: websocket",
        "Upgrade: h2c",
    ):  # fmt: skip
        yield sent(READ | MALFORMED | _REFUSED, header)
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")  # fmt: skip
    codes = _REFUSED | _NOT_HERE | {"403", "426", "404", "missing_image"}
    yield Hostile("header", get("/predict", *upgrade), codes)
    yield Hostile("header", get("/livez", *upgrade), codes | READ)
    yield Hostile(
        "header", get("/livez", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"), codes | READ
    )
    yield sent(READ | _REFUSED, "Expect: 200-maybe")
    yield sent(READ | _REFUSED, "Host: other", "Host: another")
    yield sent(READ | _REFUSED, *[f"X-{n}: y" for n in range(1000)])
    yield sent(READ | _REFUSED, *["X-A: " + "y" * 8000] * 20)
    yield sent(READ | _REFUSED, "X-A: " + "y" * 200_000)
    yield sent(READ | _REFUSED, "y" * 70_000 + ": x")
    bad = b"POST /predict HTTP/1.1\r\nHost: x\r\n"
    for line in (b"A\0B: c", b"A: b\0c", b"A : b", b" A: b", b"A", b": b", b"A\xff: b",
                 b"A: b\rC: d",
                 b"A: b\r\n C", b"(A): b"):  # fmt: skip
        yield Hostile(
            "header", bad + line + b"\r\nContent-Length: 0\r\n\r\n", _REFUSED | {"missing_image"}
        )
    no_host = b"GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n"
    yield Hostile("header", no_host, READ | _REFUSED)


def _paths() -> Iterator[Hostile]:
    for path in (
        "/../etc/passwd", "/../../../../etc/passwd", "/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/%252e%252e/etc/passwd", "/..\\..\\etc\\passwd", "/%c0%ae%c0%ae/etc/passwd",
        "/.git/config", "/.env",
        "//predict", "/predict/", "/predict//", "/predict;a=b", "/PREDICT", "/predict%00",
        "/predict%20", "/./predict", "/x/../predict", "/predict.json", "/models/", "/models/stn/1",
        "/models/../livez", "/models/%2e%2e%2flivez", "/static/../service/settings.py",
        "/docs/../livez",
        "/" + "a/" * 3000, "/" + "%41" * 2000, "/\xff\xfe", "/%ff%fe", "/%", "/%zz", "/<script>",
        "/wp-admin", "/actuator/env", "/debug/pprof", "/v1/models/stn:predict", "/admin",
        "/metrics/..",
    ):  # fmt: skip
        yield Hostile("path", get(path), _NOT_HERE)
        yield Hostile("path", post(path, PICTURE), _NOT_HERE)
    for name in (
        "x",
        "%00",
        "..",
        "stn%00",
        "stn%2f1",
        "<script>",
        "a" * 3000,
        "%ff",
        "stn'--",
        "${x}",
    ):
        yield Hostile("path", get(f"/models/{name}"), _NOT_HERE)
    for path in (
        "http://evil.invalid/predict",
        "predict",
        "*",
        "?",
        "\\predict",
        "/predict#x",
        "/ predict",
    ):
        yield Hostile("path", get(path), _NOT_HERE | _REFUSED)
    yield Hostile("path", get("/" + "a" * 100_000), _NOT_HERE | _REFUSED)


def _methods() -> Iterator[Hostile]:
    wrong: Codes = frozenset({"method_not_allowed", "400", "405", "not_found"})
    for method in (
        "GET",
        "PUT",
        "DELETE",
        "PATCH",
        "OPTIONS",
        "TRACE",
        "HEAD",
        "PROPFIND",
        "PURGE",
    ):
        request = f"{method} /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        yield Hostile("method", request.encode(), wrong | READ | {"204"})
    for line in (b"FOO / HTTP/1.1", b"get /livez HTTP/1.1", b"GET", b"GET /livez",
                 b"GET  /livez HTTP/1.1",
                 b"GET /livez HTTP/9.9", b"GET /livez HTTP/2.0", b"GET /livez HTTPS/1.1",
                 b"\0 / HTTP/1.1",
                 b"GET /livez HTTP/1.1 x", b"G\xffT / HTTP/1.1",
                 b"CONNECT evil.invalid:80 HTTP/1.1",
                 b"GET\t/livez\tHTTP/1.1", b"POST " + b"A" * 70_000):  # fmt: skip
        yield Hostile("request line", line + b"\r\nHost: x\r\n\r\n", _REFUSED | wrong | READ)


def _chunked() -> Iterator[Hostile]:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    size = b"%x" % len(PICTURE)
    right = size + b"\r\n" + PICTURE + b"\r\n0\r\n\r\n"
    yield Hostile("chunked", head + b"\r\n" + right, READ)
    by_byte = b"".join(b"1\r\n%c\r\n" % byte for byte in PICTURE) + b"0\r\n\r\n"
    yield Hostile("chunked", head + b"\r\n" + by_byte, READ)
    extended = size + b";a=" + b"b" * 3000 + b"\r\n" + PICTURE + b"\r\n0\r\n\r\n"
    yield Hostile("chunked", head + b"\r\n" + extended, READ | _REFUSED)
    trailing = right[:-2] + b"X-Request-Timeout-Ms: 0\r\nContent-Length: 5\r\n\r\n"
    yield Hostile("chunked", head + b"\r\n" + trailing, READ | _REFUSED)
    endless = right[:-2] + b"X: y\r\n" * 20_000 + b"\r\n"
    yield Hostile("chunked", head + b"\r\n" + endless, READ | _REFUSED)
    for line in (
        b"zz",
        b"-1",
        b"",
        b"0x5",
        b"+5",
        b" 5",
        b"5 ",
        b"5\n",
        b"F" * 17,
        b"F" * 5000,
        b"\0",
        b"5\r5",
    ):
        body = line + b"\r\nhello\r\n0\r\n\r\n"
        yield Hostile(
            "chunked",
            head + b"\r\n" + body,
            _REFUSED | {"unsupported_image_format", "missing_image", "body_too_large"},
        )
    wrong = size + b"\r\n" + PICTURE + b"xx0\r\n\r\n"
    yield Hostile("chunked", head + b"\r\n" + wrong, _REFUSED)
    yield Hostile("chunked", head + b"\r\n0\r\n\r\n", frozenset({"missing_image"}))


def _smuggling() -> Iterator[Hostile]:
    """Two readers could disagree on where these end; a second request must not be answered."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nX-Request-Timeout-Ms: 1000\r\n"
    hidden = b"0\r\n\r\n" + _SECOND
    for first in (
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(hidden),
        b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n" % len(hidden),
        b"Content-Length: 5\r\nContent-Length: %d\r\n" % len(hidden),
        b"Content-Length: 5, %d\r\n" % len(hidden),
        b"Content-Length: +5\r\n",
        b"Content-Length: 5 5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5_0\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Content-Length : 5\r\n",
        b"Content-Length:\x0b5\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"X: y\nTransfer-Encoding: chunked\r\n",
        b"X: y\rTransfer-Encoding: chunked\r\n",
    ):
        request = head + first + b"\r\n" + hidden
        codes = _REFUSED | {
            "missing_image",
            "unsupported_image_format",
            "body_too_large",
            "body_too_slow",
        }
        yield Hostile("smuggling", request, codes)
    for method in (b"GET /livez", b"GET /models"):
        request = method + b" HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(_SECOND)
        yield Hostile("smuggling", request + _SECOND, READ | _REFUSED)


def _no_http() -> Iterator[Hostile]:
    for content in (
        b"\0\1\2\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"\0" * 500 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b"*1\r\n$4\r\nPING\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        b"EHLO x\r\n\r\n", b"\xff" * 5000 + b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
        b"{}\r\n\r\n", b"GET\r\n\r\n",
        PICTURE + b"\r\n\r\n",
    ):  # fmt: skip
        yield Hostile("no HTTP", content, _REFUSED | {"silent"})
