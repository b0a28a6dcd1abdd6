"""Labels: names for versions, such as `stable`, in a file beside the versions.

`labels.json` is an object from label to version number, and `labels.history.json` one from label to
the versions it named before, oldest first. No model server looks at either.
"""

import json
from pathlib import Path
from typing import Any

LABELS = "labels.json"
HISTORY = "labels.history.json"

_MAX_HISTORY = 50


def read_labels(servable: Path) -> dict[str, int]:
    """Return the labels of a servable's folder; none when it has no file.

    Raises:
        ValueError: the file is not an object from label to version number.
    """
    labels = _read(servable / LABELS)
    if not all(isinstance(version, int) for version in labels.values()):
        raise ValueError(f"{servable / LABELS} must map labels to version numbers; got {labels}")
    return labels


def former_version(servable: Path, label: str) -> int | None:
    """Return the version that a label named before, None when it never named another.

    Raises:
        ValueError: the history is not as this module writes it.
    """
    versions = _read(servable / HISTORY).get(label, [])
    return int(versions[-1]) if versions else None


def move_label(servable: Path, label: str, version: int, former: int | None) -> None:
    """Let a label name another version, and remember the one before.

    Args:
        servable: its folder.
        label: to move.
        version: that it names from now on.
        former: that it named until now, if any.
    """
    labels, history = read_labels(servable), _read(servable / HISTORY)
    if former not in (None, version):
        history[label] = [*history.get(label, []), former][-_MAX_HISTORY:]
        _write(servable / HISTORY, history)
    _write(servable / LABELS, labels | {label: version})


def move_label_back(servable: Path, label: str, version: int) -> None:
    """Let a label name a version of its history, which forgets that one and those after it."""
    labels, history = read_labels(servable), _read(servable / HISTORY)
    versions = history.get(label, [])
    last = len(versions) - 1 - versions[::-1].index(version)
    _write(servable / HISTORY, history | {label: versions[:last]})
    _write(servable / LABELS, labels | {label: version})


def replace_text(path: Path, text: str) -> None:
    """Replace a file at once: whoever reads it sees the old one or the new one, whole."""
    hidden = path.with_name(f".{path.name}.new")
    hidden.write_text(text, encoding="utf-8")
    hidden.replace(path)


def _read(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a JSON object; got {type(content).__name__}")
    return content


def _write(path: Path, content: dict[str, Any]) -> None:
    replace_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")
