"""Which files are meant, and where what is made of them goes."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}


def pictures(paths: Iterable[Path]) -> list[Path]:
    """Return the files named, and of each folder the pictures in it and below, each file once."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = (p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file())
            found |= dict.fromkeys(sorted(inside))
        else:
            found[path] = None
    return list(found)


def names_below(folder: Path, files: Sequence[Path]) -> dict[Path, Path]:
    """Return for each file where its warped picture goes, no two to one place.

    The folders that tell the files apart are kept, and the whole names: `a/7.png` and `b/7.jpg` go
    to `a/7.png.warped.png` and `b/7.jpg.warped.png`.
    """
    whole = {file: Path(os.path.abspath(file)) for file in files}  # noqa: PTH100 (takes ".." out)
    top = os.path.commonpath([path.parent for path in whole.values()]) if files else ""
    below = {file: path.relative_to(top) for file, path in whole.items()}
    return {
        file: folder / path.with_name(f"{path.name}.warped.png") for file, path in below.items()
    }


def write(path: Path, content: bytes) -> None:
    """Write a file, and the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
