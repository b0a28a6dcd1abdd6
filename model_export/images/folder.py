"""A folder of labelled pictures: one folder for each class, as deep as it likes."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_PARTS = {"train", "training", "val", "valid", "validation", "test", "testing"}


@dataclass(frozen=True)
class Listing:
    """What lies in a folder of pictures.

    Attributes:
        root: the folder.
        labels: the classes, in alphabetical order: the names of the folders in it.
        paths: of all files; whether they are pictures shows when they are read.
        classes: the number of each one's class.
    """

    root: Path
    labels: tuple[str, ...]
    paths: tuple[Path, ...]
    classes: tuple[int, ...]

    def name(self, path: Path) -> str:
        """Name a file as seen from the folder, in characters that can be printed."""
        return printable(str(path.relative_to(self.root)))

    def digest(self) -> str:
        """Return the SHA-256 of the files' names and sizes: another one means other pictures."""
        digest = hashlib.sha256()
        for path in self.paths:
            digest.update(f"{self.name(path)}\0{_size(path)}\0".encode())
        return digest.hexdigest()


def list_pictures(folder: Path, least_classes: int = 2) -> Listing:
    """List the files below the folders of a folder; names that begin with a dot are left out.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it has too few folders, or they are the parts of a set and not classes.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; --images needs one folder for each class")
    class_folders = sorted(path for path in folder.iterdir() if _counts(path) and path.is_dir())
    if len(class_folders) < least_classes:
        raise ValueError(
            f"{folder} holds {len(class_folders)} folders; a classifier needs at least "
            f"{least_classes}: one folder for each class, named after it, such as "
            f"{folder}/cat/1.jpg"
        )
    if class_folders and all(path.name.lower() in _PARTS for path in class_folders):
        part = _training_part(class_folders)
        raise ValueError(
            f"{folder} holds {', '.join(path.name for path in class_folders)}, which are parts of "
            f"a set and not classes; name the one to train on, such as {part}. Pictures "
            "to train on are split here, and 'stn-model evaluate --images' takes the others"
        )
    paths: list[Path] = []
    classes: list[int] = []
    for number, class_folder in enumerate(class_folders):
        found = sorted(_files(class_folder))
        paths += found
        classes += [number] * len(found)
    labels = tuple(printable(path.name) for path in class_folders)
    return Listing(folder, labels, tuple(paths), tuple(classes))


def printable(name: str) -> str:
    """Return a name with what cannot be printed escaped: tabs, line ends, bytes of no encoding."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def _training_part(folders: Sequence[Path]) -> Path:
    return next((path for path in folders if path.name.lower().startswith("train")), folders[0])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1  # a link to nothing, or gone by now


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if _counts(path):
            if path.is_dir():
                yield from _files(path)
            else:
                yield path


def _counts(path: Path) -> bool:
    return not path.name.startswith(".")
