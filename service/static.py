"""What is served from memory: the pages for people (files of the folder `page`), and documents.

The pages load nothing from elsewhere and hold no script or style of their own within the HTML, so
that their Content-Security-Policy can forbid all of that.
"""

import gzip
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from fastapi import APIRouter
from starlette.requests import Request

from service.direct import OpenRoute
from service.errors import NO_SUCH_ROUTE, NotFound
from service.http import Answer

FOLDER = Path(__file__).parent / "page"
MEDIA_TYPES = MappingProxyType(
    {
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".webp": "image/webp",
    }
)
# How the names of those begin that /docs needs, with or without the page at /.
_SHARED = ("base.css", "icon.svg", "docs")
_SECURITY = MappingProxyType(
    {
        "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    }
)


def add_pages(router: APIRouter, page: bool) -> None:
    """Add the documentation at /docs, and, where it is wanted, the page at /."""
    files = dict(_files(page))

    async def serve(request: Request) -> Answer:
        answers = files.get(request.scope["path"])
        if answers is None:
            raise NotFound(NO_SUCH_ROUTE)
        return choose(request, *answers)

    # All that a page needs by one route: each costs the start two milliseconds.
    for path in ("/docs", "/page/{name}", *(["/"] if page else [])):
        router.add_api_route(
            path,
            serve,
            methods=["GET"],
            include_in_schema=False,
            route_class_override=OpenRoute,
        )


def _files(page: bool) -> Iterator[tuple[str, tuple[Answer, Answer]]]:
    yield "/docs", _load(FOLDER / "docs.html")
    if page:
        yield "/", _load(FOLDER / "index.html")
    for file in sorted(FOLDER.iterdir()):
        if file.suffix != ".html" and (page or file.name.startswith(_SHARED)):
            yield f"/page/{file.name}", _load(file)


@cache
def _load(file: Path) -> tuple[Answer, Answer]:
    return prepare(file.read_bytes(), MEDIA_TYPES[file.suffix])


def prepare(content: bytes, media_type: str) -> tuple[Answer, Answer]:
    """Return the answer that holds a file, plain and compressed."""
    headers = {
        # Kept, and asked after each time: after an upgrade nobody sees half of the page before.
        "cache-control": "no-cache",
        "vary": "accept-encoding",
        "etag": f'"{sha256(content).hexdigest()[:20]}"',
        **_SECURITY,
    }
    plain = Answer(content, media_type, headers=headers)
    if media_type == MEDIA_TYPES[".webp"]:
        return plain, plain
    headers = {**headers, "content-encoding": "gzip", "etag": headers["etag"][:-1] + '-gzip"'}
    return plain, Answer(gzip.compress(content, 9, mtime=0), media_type, headers=headers)


def choose(request: Request, plain: Answer, compressed: Answer) -> Answer:
    """Return the one that a request accepts, or 304 where it knows it already."""
    answer = compressed if accepts_gzip(request.headers.get("accept-encoding", "")) else plain
    known = request.headers.get("if-none-match", "")
    if known == "*" or answer.headers["etag"] in _entity_tags(known):
        return Answer(b"", answer.media_type, 304, answer.headers)
    return answer


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether an `Accept-Encoding` header allows gzip (RFC 9110, section 12.5.3)."""
    for part in accept_encoding.lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _entity_tags(header: str) -> set[str]:
    # Compared weakly, as If-None-Match asks.
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}
