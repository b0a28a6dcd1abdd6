"""Version folders, as model servers watch them: whole, or not there."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def versions(servable: Path) -> list[int]:
    """Return the numbers of the versions in a servable's folder, lowest first."""
    return sorted(int(p.name) for p in servable.glob("*") if p.name.isdecimal() and p.is_dir())


def next_version(servable: Path) -> int:
    """Return the number above the highest version in a servable's folder, 1 if there is none."""
    return max(versions(servable), default=0) + 1


def version_folder(models: Path, name: str, version: int | None) -> Path:
    """Return `models/name/version`, the next version when None.

    Raises:
        ValueError: the name or the number cannot be served.
        FileExistsError: the version is there already.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(f"a servable's name is letters, digits, - and _; got {name!r}")
    if version is not None and version < 1:
        raise ValueError(f"a version is a whole number from 1 up; got {version}")
    folder = models / name / str(version or next_version(models / name))
    _refuse_existing(folder)
    return folder


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 of a version folder: of the names and bytes of all its files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Give a hidden folder to write to, which at the end becomes `folder`.

    A model server looks only at names that are numbers, so it never sees half a version. After an
    exception nothing is left behind.

    Raises:
        FileExistsError: somebody else has made that version in the meantime.
    """
    servable = folder.parent
    made = [parent for parent in (servable, servable.parent) if not parent.exists()]
    servable.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=f".{folder.name}.tmp-", dir=servable))
    try:
        # mkdtemp lets nobody else in, and the model server runs as somebody else.
        hidden.chmod(0o777 & ~_umask())
        yield hidden
        _refuse_existing(folder)
        hidden.rename(folder)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        for parent in made:
            with suppress(OSError):
                parent.rmdir()
        raise


def _refuse_existing(folder: Path) -> None:
    if folder.exists():
        raise FileExistsError(
            f"{folder} exists, and a version never changes. Leave --version out for the next one."
        )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
