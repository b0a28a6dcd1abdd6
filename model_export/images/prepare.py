"""From files to one file of equal pictures, read once, so that each epoch costs no decoding."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from model_export.images.folder import LEAST_PICTURES, Listing
from model_export.images.reading import PictureSpec, UnreadablePictureError, read_picture
from model_export.images.split import LEFT_OUT, split_by_content

PIXELS, INDEX, SKIPPED = "pictures.bin", "pictures.npz", "skipped.tsv"
_AT_ONCE = 256


@dataclass(frozen=True)
class Prepared:
    """Pictures in a run folder, ready to be trained on.

    Attributes:
        folder: which holds the pixels.
        labels: of the classes.
        spec: of every picture.
        paths: where each one came from, relative to the folder of pictures.
        classes: int32 `(num,)`.
        parts: int8 `(num,)`, see `split_by_content`.
        num_skipped: files that could not be read.
        source: digest of the listing that they were read from.
    """

    folder: Path
    labels: tuple[str, ...]
    spec: PictureSpec
    paths: np.ndarray
    classes: np.ndarray
    parts: np.ndarray
    num_skipped: int
    source: str

    def part(self, number: int) -> np.ndarray:
        """Return the indices of the pictures of a part."""
        return np.flatnonzero(self.parts == number)

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Read pictures, uint8 `(num, height, width, channels)`, and nothing but them.

        A memory map would count the whole file as this process's memory once it has been through
        it.
        """
        size = int(np.prod(self.spec.shape))
        pixels = np.empty((len(indices), size), np.uint8)
        with (self.folder / PIXELS).open("rb", buffering=0) as file:
            for row, index in enumerate(indices):
                file.seek(int(index) * size)
                file.readinto(pixels[row].data)
        return pixels.reshape(-1, *self.spec.shape)


def prepare(
    listing: Listing,
    spec: PictureSpec,
    folder: Path,
    shares: tuple[float, float] = (0.15, 0.15),
    least: int = LEAST_PICTURES,
) -> Prepared:
    """Read all pictures of a listing into a run folder, and split them.

    What cannot be read is written to `skipped.tsv`, and so is a picture that lies in two classes.

    Args:
        listing: what there is.
        spec: what every picture becomes.
        folder: the run folder.
        shares: of each class for validation and for the test.
        least: how many pictures each class must have.

    Raises:
        ValueError: a class has too few pictures that can be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept: list[int] = []
    digests: list[bytes] = []
    skipped: list[tuple[Path, str]] = []
    with (folder / PIXELS).open("wb") as file:
        for index, pixels in enumerate(_read_all(listing, spec)):
            if isinstance(pixels, str):
                skipped.append((listing.paths[index], pixels))
                continue
            kept.append(index)
            digests.append(hashlib.sha256(pixels.tobytes()).digest())
            file.write(pixels.tobytes())
    num_unreadable = len(skipped)
    classes = np.array([listing.classes[index] for index in kept], np.int32)
    parts = split_by_content(digests, classes.tolist(), *shares)
    paths = [listing.paths[index] for index in kept]
    doubtful = "the same picture lies in another class"
    skipped += [(paths[i], doubtful) for i in np.flatnonzero(parts == LEFT_OUT)]
    lines = [f"{listing.relative(path)}\t{' '.join(reason.split())}" for path, reason in skipped]
    (folder / SKIPPED).write_text("\n".join(["file\twhy", *lines]) + "\n")
    _refuse_small_classes(listing.labels, classes[parts != LEFT_OUT], least, num_unreadable, folder)
    prepared = Prepared(
        folder,
        listing.labels,
        spec,
        np.array([listing.relative(path) for path in paths]),
        classes,
        parts,
        len(skipped),
        listing.digest(),
    )
    notes = {
        "labels": listing.labels,
        "spec": asdict(spec),
        "num_skipped": len(skipped),
        "source": prepared.source,
    }
    # Last, and in one go: with it, the pictures are whole.
    part = folder / f".part-{INDEX}"
    with part.open("wb") as out:
        np.savez_compressed(
            out, paths=prepared.paths, classes=classes, parts=parts, notes=json.dumps(notes)
        )
    part.replace(folder / INDEX)
    return prepared


def open_prepared(folder: Path) -> Prepared:
    """Open the pictures of a run folder.

    Raises:
        FileNotFoundError: there are none.
    """
    if not (folder / INDEX).is_file():
        raise FileNotFoundError(f"{folder} holds no pictures that were read to the end")
    with np.load(folder / INDEX, allow_pickle=False) as stored:
        notes = json.loads(str(stored["notes"]))
        return Prepared(
            folder,
            tuple(notes["labels"]),
            PictureSpec(**notes["spec"]),
            stored["paths"],
            stored["classes"],
            stored["parts"],
            notes["num_skipped"],
            notes["source"],
        )


def _read_all(listing: Listing, spec: PictureSpec) -> Iterator[np.ndarray | str]:
    """Give each picture in turn, or why it cannot be read; a few are read ahead."""

    def read(path: Path) -> np.ndarray | str:
        try:
            return read_picture(path, spec)
        except UnreadablePictureError as error:
            return str(error)

    waiting = iter(listing.paths)
    with ThreadPoolExecutor(4) as pool:
        while some := list(islice(waiting, _AT_ONCE)):
            yield from pool.map(read, some)


def _refuse_small_classes(
    labels: tuple[str, ...], classes: np.ndarray, least: int, num_unreadable: int, folder: Path
) -> None:
    counts = np.bincount(classes, minlength=len(labels))
    small = [f"{label} ({n})" for label, n in zip(labels, counts, strict=True) if n < least]
    if small:
        raise ValueError(
            f"each class needs at least {least} pictures that can be read; too few are in "
            f"{', '.join(small)}. {num_unreadable} files could not be read, see "
            f"{folder / SKIPPED}. Add pictures, or take the folder away."
        )
