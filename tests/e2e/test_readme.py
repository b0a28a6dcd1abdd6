"""What the README shows is what the gateway answers."""

import itertools
import json
import re
import shlex
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
_FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def examples() -> list[tuple[str, Any]]:
    """Return the README's curl calls, each with the JSON shown right after it, if any."""
    blocks = _FENCE.findall(README)
    calls = []
    for (language, text), (next_language, next_text) in zip(
        blocks, [*blocks[1:], ("", "")], strict=True
    ):
        if language == "sh" and text.startswith("curl"):
            shown = json.loads(next_text) if next_language == "json" else None
            calls.append((text, shown))
    return calls


@pytest.mark.parametrize(("call", "shown"), examples())
def test_a_call_answers_as_shown(embedded_gateway: str, call: str, shown: Any) -> None:
    answer = run(call, embedded_gateway)

    if shown is None:
        assert answer.headers["content-type"] == "image/png"
    else:
        assert_alike(answer.json(), shown)


def test_there_are_three_calls() -> None:
    assert len(examples()) == 3


def run(call: str, url: str) -> httpx.Response:
    """Send what a curl call of the README would send."""
    words = shlex.split(call.replace("\\\n", " "))
    files, fields = {}, {}
    for flag, value in itertools.pairwise(words):
        name, _, content = value.partition("=")
        if flag == "-F" and content.startswith("@"):
            files[name] = (ROOT / content[1:]).read_bytes()
        elif flag == "-F":
            fields[name] = content
    address = next(word for word in words if word.startswith("127.0.0.1:8000"))
    path = address.removeprefix("127.0.0.1:8000")
    return httpx.post(url + path, files=files, data=fields, timeout=60)


def assert_alike(answer: Any, shown: Any) -> None:
    """Compare, numbers up to what differs between processors, request ids not at all."""
    if isinstance(shown, dict):
        assert answer.keys() == shown.keys()
        for name in shown.keys() - {"request_id"}:
            assert_alike(answer[name], shown[name])
    elif isinstance(shown, list):
        assert len(answer) == len(shown)
        for ours, theirs in zip(answer, shown, strict=True):
            assert_alike(ours, theirs)
    elif isinstance(shown, float):
        assert answer == pytest.approx(shown, abs=0.02)
    else:
        assert answer == shown
