"""The pages for people as files: what is served, how, and what they may do."""

import asyncio
import gzip
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from service.app import Gateway
from service.static import FOLDER, MEDIA_TYPES, accepts_gzip
from tests.service.fakes import FakeBackend, gateway_on

FILES = sorted(FOLDER.iterdir())
PATHS = ["/", "/docs", *(f"/page/{file.name}" for file in FILES if file.suffix != ".html")]


def get(path: str, headers: dict[str, str] | None = None, page: bool = True) -> httpx.Response:
    """Ask a gateway for a path."""

    async def ask() -> httpx.Response:
        async with gateway_on(FakeBackend(), page=page) as (client, _):
            # Not unpacked: what is sent is what is looked at.
            request = client.build_request(
                "GET", path, headers={"accept-encoding": "identity"} | (headers or {})
            )
            answer = await client.send(request, stream=True)
            answer._content = b"".join([part async for part in answer.aiter_raw()])
            return answer

    return asyncio.run(ask())


@pytest.mark.parametrize("path", PATHS)
def test_every_file_is_served_with_its_type_and_a_policy(path: str) -> None:
    answer = get(path)

    assert answer.status_code == 200
    name = {"/": "index.html", "/docs": "docs.html"}.get(path, path.removeprefix("/page/"))
    assert answer.content == (FOLDER / name).read_bytes()
    assert answer.headers["content-type"] == MEDIA_TYPES[f".{name.rpartition('.')[2]}"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy


def test_the_camera_is_allowed_and_the_microphone_is_not() -> None:
    policy = get("/").headers["permissions-policy"]

    assert "camera=(self)" in policy
    assert "microphone=()" in policy


def test_a_file_comes_compressed_to_who_can_read_that() -> None:
    plain, compressed = get("/"), get("/", {"accept-encoding": "br, gzip"})

    assert "content-encoding" not in plain.headers
    assert compressed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(compressed.content) == plain.content
    assert compressed.headers["etag"] != plain.headers["etag"]
    assert "accept-encoding" in compressed.headers["vary"]


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP;q=0.5, br", True),
        ("deflate", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("notgzip", False),
    ],
)
def test_gzip_is_sent_only_to_who_accepts_it(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


@pytest.mark.parametrize("known", ["{}", 'W/{}, "other"', '"other", {}', "*"])
def test_what_is_known_is_not_sent_again(known: str) -> None:
    first = get("/page/base.css")

    again = get("/page/base.css", {"if-none-match": known.format(first.headers["etag"])})

    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]
    assert "content-length" not in again.headers


def test_what_has_changed_is_sent() -> None:
    assert get("/page/base.css", {"if-none-match": '"other"'}).status_code == 200


def test_only_what_was_known_in_this_form_is_left_out() -> None:
    """The compressed file has another tag than the plain one."""
    plain = get("/").headers["etag"]

    answer = get("/", {"if-none-match": plain, "accept-encoding": "gzip"})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", ["/page/", "/page/index.html", "/page/../static.py", "/page/%2e%2e/static.py"]
)
def test_nothing_else_is_served(path: str) -> None:
    assert get(path).status_code == 404


def test_the_page_is_off_with_one_setting_and_the_documentation_stays() -> None:
    served = {path for path in PATHS if get(path, page=False).status_code == 200}

    assert "/" not in served
    assert "/page/page.js" not in served
    assert {"/docs", "/page/base.css", "/page/docs.js"} <= served


def test_the_page_is_light() -> None:
    """Below 150,000 bytes as it is, and below 60,000 as it travels."""
    files = [file for file in FILES if not file.name.startswith("docs")]

    assert sum(file.stat().st_size for file in files) < 150_000
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 60_000


class _Reader(HTMLParser):
    """Gathers what the policy would forbid, and what is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.forbidden: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in names):
            self.forbidden.append(tag)
        self.forbidden += [name for name in names if name == "style" or name.startswith("on")]
        self.links += [names[name] or "" for name in ("href", "src") if name in names]


@pytest.mark.parametrize("name", ["index.html", "docs.html"])
def test_no_script_or_style_lies_within_the_html(name: str) -> None:
    reader = _Reader()
    reader.feed((FOLDER / name).read_text())

    assert reader.forbidden == []
    assert all(not link.startswith(("http:", "https:", "//", "/")) for link in reader.links)


def test_every_module_is_loaded_ahead() -> None:
    """Or the browser would find them one after the other."""
    ahead = _Reader(), _Reader()
    for reader, name in zip(ahead, ("index.html", "docs.html"), strict=True):
        reader.feed((FOLDER / name).read_text())

    modules = {f"page/{file.name}" for file in FILES if file.suffix == ".js"}
    of_docs = {module for module in modules if module.startswith("page/docs")}
    assert [set(reader.links) & modules for reader in ahead] == [modules - of_docs, of_docs]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_file_names_another_host(file: Any) -> None:
    if file.suffix == ".webp":
        return
    named = set(re.findall(r"https?://[\w.-]+", file.read_text()))

    assert named <= {"http://www.w3.org"}


@pytest.mark.parametrize("path", ["/", "/docs", "/page/page.js"])
def test_no_key_is_needed_to_see_the_pages(path: str) -> None:
    """The guards are not even asked."""

    async def ask() -> int:
        async with gateway_on(FakeBackend()) as (client, app):
            assert isinstance(app, Gateway)
            refuse: Callable[..., None] = lambda *_: pytest.fail("asked")  # noqa: E731
            app.edge.guards.append(refuse)
            return (await client.get(path)).status_code

    assert asyncio.run(ask()) == 200
