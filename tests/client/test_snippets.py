"""What the pages on the API and the client show runs as it stands, against a real gateway."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.conftest import CAT, DIGIT, ROOT

_FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
_ADDRESS = "http://127.0.0.1:8000"


def shell(text: str) -> list[str]:
    """Fail when the gateway refuses, which curl alone would not call a failure."""
    text = re.sub(r"^\$ ", "", text, flags=re.MULTILINE)
    text = re.sub(r"\bcurl ", "curl --fail --silent --show-error ", text)
    text = text.replace("stn-client ", f"{sys.executable} -m stn_client --url {_ADDRESS} ")
    return ["bash", "-euo", "pipefail", "-c", text]


RUNNERS: dict[str, Callable[[str], list[str]]] = {
    "sh": shell,
    "console": shell,
    "python": lambda text: [sys.executable, "-W", "error", "-c", text],
    "js": lambda text: ["node", "--input-type=module", "--eval", text],
}


def snippets() -> list[tuple[str, str]]:
    found = []
    for page in ("api.md", "client.md"):
        blocks: list[tuple[str, str]] = _FENCE.findall((ROOT / "docs" / page).read_text())
        found += [(language, text) for language, text in blocks if language in RUNNERS]
    return found


@pytest.mark.parametrize(("language", "text"), snippets())
def test_a_snippet_runs(gateway: str, tmp_path: Path, language: str, text: str) -> None:
    command = RUNNERS[language](text)
    needed = "curl" if "curl" in text else command[0]
    if not shutil.which(needed):
        pytest.skip(f"needs {needed}")
    (tmp_path / "scans").mkdir()
    for name, source in (("digit.png", DIGIT), ("scans/7.png", DIGIT), ("photo.jpg", CAT)):
        shutil.copy(source, tmp_path / name)

    ran = subprocess.run(
        [word.replace(_ADDRESS, gateway) for word in command],
        cwd=tmp_path,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout or list(tmp_path.glob("*.jsonl")) or (tmp_path / "turned.png").exists()


def test_each_language_is_shown() -> None:
    assert {language for language, _ in snippets()} == set(RUNNERS)
