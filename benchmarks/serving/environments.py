"""The peers' environments: one each, made once by uv, outside the repository."""

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.serving.candidates import PEERS

NAMES = ("bentoml", "fastapi", "litserve", "mlserver", "ray")
# Whose versions a report names.
TOLD = {
    "bentoml": ("bentoml", "uvicorn", "tensorflow"),
    "fastapi": ("fastapi", "uvicorn", "tensorflow"),
    "litserve": ("litserve", "fastapi", "uvicorn", "tensorflow"),
    "mlserver": ("mlserver", "fastapi", "uvicorn", "tensorflow"),
    "ray": ("ray", "uvicorn", "tensorflow"),
}


class CannotSetUp(Exception):
    """An environment could not be made; the message says why."""


def default_folder() -> Path:
    """Return where the environments are kept if nothing else is said."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "stn-serving" / "bench"


def set_up(name: str, folder: Path) -> None:
    """Make an environment, unless it is there and follows its requirements.

    uv links what it unpacked once into each of them, so that the five TensorFlows take the room and
    the time of one.

    Raises:
        CannotSetUp: uv is missing, or could not install it.
    """
    requirements = PEERS / name / "requirements.txt"
    place = folder / name
    stamp = place / ".stn-serving-bench"
    wanted = f"2 {sys.version} {hashlib.sha256(requirements.read_bytes()).hexdigest()}"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    uv = shutil.which("uv")
    if uv is None:
        raise CannotSetUp("uv is not installed: pip install uv, or https://docs.astral.sh/uv/")
    folder.mkdir(parents=True, exist_ok=True)
    # Compiled beforehand: else the first start, or every one, would compile what it imports.
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode"]
    for command in (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)],
        [*install, "--python", str(place / "bin" / "python"), "-r", str(requirements)],
    ):
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise CannotSetUp(" ".join(ran.stderr.split()) or f"{command[1]} failed")
    stamp.write_text(wanted)


def versions(name: str, folder: Path) -> dict[str, str]:
    """Return the versions installed in an environment, of the packages that matter."""
    site = [str(path) for path in (folder / name).glob("lib/python*/site-packages")]
    return _versions(importlib.metadata.distributions(path=site), TOLD[name])


def own_versions() -> dict[str, str]:
    """Return the same of the environment that runs the gateway."""
    wanted = ("fastapi", "uvicorn", "orjson", "pillow", "numpy", "tensorflow")
    return _versions(importlib.metadata.distributions(), wanted)


def _versions(
    found: Iterable[importlib.metadata.Distribution], wanted: tuple[str, ...]
) -> dict[str, str]:
    all_of_them = {each.metadata["Name"].lower(): each.version for each in found}
    return {name: all_of_them[name] for name in wanted if name in all_of_them}
