"""The compose files as Compose understands them: merged, variables replaced by their defaults."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
GPU = ("docker-compose.yml",)
CPU = ("docker-compose.yml", "docker-compose.cpu.yml")
FILES = {"gpu": GPU, "cpu": CPU}

_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
_RESET = object()


class _Loader(yaml.SafeLoader):
    """Knows Compose's tag `!reset`, which takes a member of an earlier file away."""


_Loader.add_constructor("!reset", lambda loader, node: _RESET)


def compose_model(files: tuple[str, ...]) -> dict[str, Any]:
    """Return what the files say together."""
    model: Any = {}
    for name in files:
        text = _VARIABLE.sub(lambda match: match[2], (ROOT / name).read_text())
        model = _merged(model, yaml.load(text, _Loader))  # noqa: S506 - a SafeLoader
    assert isinstance(model, dict)
    return model


def variables(files: tuple[str, ...]) -> dict[str, str]:
    """Return the variables that the files use, with their defaults; an earlier file's count."""
    found: dict[str, str] = {}
    for name in files:
        for variable, default in _VARIABLE.findall((ROOT / name).read_text()):
            found.setdefault(variable, default)
    return found


def unclear_variables(files: tuple[str, ...]) -> list[str]:
    """Return the uses of variables that are not of the form `${NAME:-default}`."""
    return [
        use
        for name in files
        for use in re.findall(r"\$\{?\w[^}\s]*\}?", (ROOT / name).read_text())
        if not _VARIABLE.fullmatch(use)
    ]


def seconds(duration: str) -> int:
    """Return a duration of one unit, `45s` or `15m`, in seconds."""
    return int(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    together = {**old, **{name: _merged(old.get(name), value) for name, value in new.items()}}
    return {name: value for name, value in together.items() if value is not _RESET}
