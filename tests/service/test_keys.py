"""API keys: how they are made, kept, found and exchanged."""

import asyncio
import hashlib
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service.__main__ import main
from service.keys import KeyRing, line_for, new_key, read_keys
from service.settings import Settings
from tests.service.fakes import FakeBackend, gateway_on
from tests.service.pictures import encoded

PICTURE = encoded(np.full((4, 6), 255, np.uint8))
KEY = new_key()
EVERYWHERE = "0.0.0.0"  # noqa: S104


def ask(headers: Sequence[tuple[str, str]], path: str = "/models", **settings: Any) -> Any:
    """Return the answer of a gateway with keys."""

    async def run() -> httpx.Response:
        async with gateway_on(FakeBackend(), **settings) as (client, _):
            return await client.get(path, headers=list(headers))

    return asyncio.run(run())


def test_a_key_is_long_random_and_stored_as_its_hash() -> None:
    assert new_key() != new_key()
    assert re.fullmatch(r"stn_[\w-]{43}", KEY)
    assert line_for("bob", KEY) == f"bob:{hashlib.sha256(KEY.encode()).hexdigest()}"


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a#b", "x" * 65, "ä", "a\n"])
def test_a_name_that_would_not_read_back_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a name has"):
        line_for(name, KEY)


def test_lines_may_have_words_and_gaps() -> None:
    line = line_for("bob", KEY)

    found = read_keys(["# who may ask", "", f"  {line}  # until March", line_for("eve", "x")])

    assert [name for name, _ in found] == ["bob", "eve"]


@pytest.mark.parametrize(
    "line",
    [KEY, "bob", f"bob:{KEY}", "bob:" + "A" * 64, ":" + "a" * 64],
    ids=["key", "name", "named key", "capitals", "no name"],
)
def test_a_wrong_line_is_refused_without_being_repeated(line: str) -> None:
    """It may be a key itself."""
    with pytest.raises(ValueError, match="entry 1 is not of the form") as caught:
        read_keys([line])

    assert KEY not in str(caught.value)


def test_every_known_key_is_compared_whichever_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    """In constant time, and never less: how long it takes tells nothing about which are known."""
    compared: list[bytes] = []

    def compare(known: bytes, given: bytes) -> bool:
        compared.append(known)
        return known == given

    monkeypatch.setattr("hmac.compare_digest", compare)
    all_keys = [new_key() for _ in range(5)]
    ring = KeyRing(read_keys(line_for(f"k{i}", key) for i, key in enumerate(all_keys)))

    for index, key in enumerate(all_keys):
        assert ring.name_of(key) == f"k{index}"
    assert ring.name_of("wrong") == ""
    assert len(compared) == 6 * 5


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", f"Bearer {KEY}")],
        [("authorization", f"bearer  {KEY}")],
        [("x-api-key", KEY)],
    ],
    ids=["bearer", "bearer, written otherwise", "x-api-key"],
)
def test_a_known_key_is_let_in(headers: list[tuple[str, str]]) -> None:
    assert ask(headers, api_keys=line_for("bob", KEY)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ([], "no API key came"),
        ([("authorization", f"Bearer {KEY}x")], "not known"),
        ([("authorization", "Bearer")], "not known"),
        ([("authorization", f"Basic {KEY}")], "not known"),
        ([("authorization", KEY)], "not known"),
        ([("x-api-key", "")], "not known"),
        ([("x-api-key", KEY.upper())], "not known"),
        ([("x-api-key", hashlib.sha256(KEY.encode()).hexdigest())], "not known"),
        ([("x-api-key", KEY), ("x-api-key", KEY)], "more than one"),
        ([("x-api-key", KEY), ("authorization", "Bearer x")], "more than one"),
    ],
)
@pytest.mark.parametrize("path", ["/models", "/predict", "/nowhere"])
def test_anyone_else_is_not(headers: list[tuple[str, str]], detail: str, path: str) -> None:
    """Nor learns which routes there are; what was brought is not repeated."""
    answer = ask(headers, path, api_keys=line_for("bob", KEY))

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert answer.json()["code"] == "unauthorized"
    assert detail in answer.json()["detail"]
    assert KEY not in answer.text


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/docs", "/openapi.json"])
def test_health_and_documents_need_no_key(path: str) -> None:
    assert ask([], path, api_keys=line_for("bob", KEY)).status_code == 200


def test_without_keys_everyone_is_let_in() -> None:
    assert ask([]).status_code == 200


def test_the_name_of_the_key_is_known_to_observers() -> None:
    async def run() -> None:
        async with gateway_on(FakeBackend(), api_keys=line_for("bob", KEY)) as (client, app):
            seen: list[str] = []
            app.edge.observers.append(lambda scope, context: seen.append(context.caller))
            await client.get("/models", headers={"x-api-key": KEY})
            await client.get("/models", headers={"x-api-key": "wrong"})

            assert seen == ["bob", ""]

    asyncio.run(run())


def test_keys_come_and_go_without_a_restart(tmp_path: Path) -> None:
    """Two at once while one replaces the other; then the old one is let in no more."""
    old, new = new_key(), new_key()
    file = tmp_path / "keys"
    file.write_text(line_for("bob", old))

    async def run() -> None:
        async with gateway_on(FakeBackend(), api_keys_file=file) as (client, _):

            async def until(key: str, status: int) -> None:
                async with asyncio.timeout(30):
                    while True:
                        answer = await client.get("/models", headers={"x-api-key": key})
                        if answer.status_code == status:
                            return
                        await asyncio.sleep(0.005)

            await until(old, 200)
            file.write_text(f"{line_for('bob', old)}\n{line_for('bob', new)}")
            await until(new, 200)
            await until(old, 200)
            file.write_text(line_for("bob", new))
            await until(old, 401)
            await until(new, 200)

    asyncio.run(run())


@pytest.mark.parametrize("broken", [None, "", "bob", "\xff\xfe"])
def test_a_file_that_breaks_changes_nothing_and_is_told_once(
    broken: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Gone, empty because somebody is writing it, or nonsense: nobody is locked out or let in."""
    file = tmp_path / "keys"
    file.write_text(line_for("bob", KEY))
    ring = KeyRing((), file)
    if broken is None:
        file.unlink()
    else:
        file.write_bytes(broken.encode("latin-1"))

    with caplog.at_level(logging.ERROR, "stn_serving"):
        ring.reload()
        ring.reload()

    assert ring.name_of(KEY) == "bob"
    assert len([r for r in caplog.records if "stay as they were" in r.getMessage()]) == 1
    file.write_text(line_for("eve", KEY))
    ring.reload()
    assert ring.name_of(KEY) == "eve"


def test_a_broken_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("bob")

    with pytest.raises(ValueError, match="entry 1 is not of the form"):
        Settings(api_keys_file=file)


def test_the_command_makes_a_key_and_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "new", "bob"]) == 0

    key, line = (text.split()[-1] for text in capsys.readouterr().out.splitlines())
    assert KeyRing(read_keys([line])).name_of(key) == "bob"


@pytest.mark.parametrize("arguments", [[], ["new"], ["new", "a b"], ["old", "bob"]])
def test_the_command_says_how_it_is_used(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", *arguments]) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"host": "127.0.0.1"}, False),
        ({"host": "127.8.8.8"}, False),
        ({"host": "::1"}, False),
        ({"host": "localhost"}, False),
        ({"host": EVERYWHERE}, True),
        ({"host": "::"}, True),
        ({"host": "192.0.2.1"}, True),
        ({"host": "gateway.example"}, True),
        ({"host": EVERYWHERE, "allow_anonymous": True}, False),
        ({"host": EVERYWHERE, "api_keys": line_for("bob", KEY)}, False),
        ({"host": EVERYWHERE, "published_address": "127.0.0.1"}, False),
        ({"host": EVERYWHERE, "published_address": EVERYWHERE}, True),
        ({"host": "127.0.0.1", "published_address": EVERYWHERE}, True),
    ],
)
def test_an_open_door_must_be_asked_for(settings: dict[str, Any], refused: bool) -> None:
    """Off on this machine alone; elsewhere only said aloud."""
    if not refused:
        Settings(**settings)
        return
    with pytest.raises(ValueError, match="no API keys are set"):
        Settings(**settings)
