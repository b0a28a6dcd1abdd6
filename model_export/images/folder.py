"""A folder of labelled pictures: one folder for each class, as deep as it likes."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LEAST_PICTURES = 5
_ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}


@dataclass(frozen=True)
class Listing:
    """What lies in a folder of pictures.

    Attributes:
        root: the folder.
        labels: the classes, in alphabetical order: the names of the folders in it.
        paths: of all pictures.
        classes: the number of each one's class.
    """

    root: Path
    labels: tuple[str, ...]
    paths: tuple[Path, ...]
    classes: tuple[int, ...]

    def relative(self, path: Path) -> str:
        """Name a picture as seen from the folder."""
        return str(path.relative_to(self.root))

    def digest(self) -> str:
        """Return the SHA-256 of the pictures' names and sizes: another one means other pictures."""
        digest = hashlib.sha256()
        for path in self.paths:
            digest.update(
                f"{self.relative(path)}\0{path.stat().st_size}\0".encode(errors="surrogateescape")
            )
        return digest.hexdigest()


def list_pictures(folder: Path) -> Listing:
    """List the pictures below the folders of a folder; names that begin with a dot are left out.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it has fewer than two folders with pictures.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; --images needs one folder for each class")
    labels: list[str] = []
    paths: list[Path] = []
    classes: list[int] = []
    for class_folder in sorted(path for path in folder.iterdir() if _counts(path)):
        if class_folder.is_dir() and (found := sorted(_pictures(class_folder))):
            classes += [len(labels)] * len(found)
            paths += found
            labels.append(class_folder.name)
    if len(labels) < 2:
        raise ValueError(
            f"{folder} holds {len(labels)} folders with pictures; a classifier needs at least two: "
            f"one folder for each class, named after it, such as {folder}/cat/1.jpg"
        )
    return Listing(folder, tuple(labels), tuple(paths), tuple(classes))


def _pictures(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if _counts(path):
            if path.is_dir():
                yield from _pictures(path)
            elif path.suffix.lower() in _ENDINGS:
                yield path


def _counts(path: Path) -> bool:
    return not path.name.startswith(".")
