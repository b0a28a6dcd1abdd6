"""What browsers are told."""

import asyncio
from typing import Any

import httpx
import pytest

from service.settings import Settings
from tests.service.fakes import FakeBackend, gateway_on

OURS = "https://ours.example"
PREFLIGHT = {"origin": OURS, "access-control-request-method": "POST"}


def ask(method: str, path: str, headers: dict[str, str], **settings: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        async with gateway_on(FakeBackend(), **settings) as (client, _):
            return await client.request(method, path, headers=headers)

    return asyncio.run(run())


@pytest.mark.parametrize("path", ["/livez", "/models", "/predict", "/nowhere"])
def test_every_answer_is_data_and_nothing_else(path: str) -> None:
    """Right ones and wrong ones: not guessed at, not run, not framed, not kept, not told of."""
    headers = ask("GET", path, {}).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert len(headers.get_list("cache-control")) == 1


def test_the_documentation_may_load_from_its_own_host_and_from_nowhere_else() -> None:
    policy = ask("GET", "/docs", {}).headers["content-security-policy"]

    assert policy.startswith("default-src 'none'")
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_pages_of_other_origins_may_not_ask_by_default() -> None:
    answer = ask("GET", "/models", {"origin": OURS})

    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert ask("OPTIONS", "/predict", PREFLIGHT).status_code == 405


@pytest.mark.parametrize("origins", [OURS, f"https://other.example, {OURS}", "*"])
def test_pages_of_the_origins_named_may(origins: str) -> None:
    answer = ask("GET", "/models", {"origin": OURS}, cors_origins=origins)

    assert answer.headers["access-control-allow-origin"] == ("*" if origins == "*" else OURS)
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert answer.headers["vary"] == "origin"


@pytest.mark.parametrize("origin", ["https://ours.example.evil", "http://ours.example", "null", ""])
def test_others_still_may_not(origin: str) -> None:
    answer = ask("GET", "/models", {"origin": origin}, cors_origins=OURS)

    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"] == "origin"


def test_a_preflight_is_answered_without_a_key() -> None:
    """Browsers send none with it; what it allows still needs one."""
    keys = "bob:" + "0" * 64
    answer = ask("OPTIONS", "/predict", PREFLIGHT, cors_origins=OURS, api_keys=keys)

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == OURS
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "x-api-key" in answer.headers["access-control-allow-headers"]


def test_an_error_is_readable_for_the_page_too() -> None:
    answer = ask("POST", "/predict", {"origin": OURS}, cors_origins=OURS)

    assert answer.status_code == 400
    assert answer.headers["access-control-allow-origin"] == OURS


@pytest.mark.parametrize(
    "origin", ["ours.example", "https://ours.example/", "https://a b", "ftp://x"]
)
def test_what_is_no_origin_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ValueError, match="an origin looks like"):
        Settings(cors_origins=origin)
