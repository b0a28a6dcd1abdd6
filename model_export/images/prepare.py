"""From files to one file of equal pictures, read once, so that each epoch costs no decoding."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from model_export.images.folder import Listing
from model_export.images.reading import PictureSpec, UnreadablePictureError, read_picture
from model_export.images.split import LEFT_OUT, split_by_content

PIXELS, INDEX, SKIPPED = "pictures.bin", "pictures.npz", "skipped.tsv"
LEAST_PICTURES = 5
_AT_ONCE = 256
_EMPTY = "nothing of it differs from its ground"


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
        digests: SHA-256 of the pixels of each, `(num,)` of at most 32 bytes.
        skipped: name and reason of each file that was left out.
        source: digest of the listing that they were read from.
        shares: of each class for validation and for the test.
    """

    folder: Path
    labels: tuple[str, ...]
    spec: PictureSpec
    paths: np.ndarray
    classes: np.ndarray
    parts: np.ndarray
    digests: np.ndarray
    skipped: tuple[tuple[str, str], ...]
    source: str
    shares: tuple[float, float]

    def part(self, number: int) -> np.ndarray:
        """Return the indices of the pictures of a part."""
        return np.flatnonzero(self.parts == number)

    def distinct(self, number: int) -> np.ndarray:
        """Return the indices of the pictures of a part, of copies but the first."""
        indices = self.part(number)
        _, firsts = np.unique(self.digests[indices], return_index=True)
        return indices[np.sort(firsts)]

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Read pictures, uint8 `(num, height, width, channels)`, and nothing but them.

        A memory map would count the whole file as this process's memory once it has been through
        it.

        Raises:
            OSError: the file of the pixels ends early.
        """
        size = int(np.prod(self.spec.shape))
        pixels = np.empty((len(indices), size), np.uint8)
        with (self.folder / PIXELS).open("rb", buffering=0) as file:
            for row, index in enumerate(indices):
                file.seek(int(index) * size)
                if file.readinto(pixels[row].data) != size:
                    raise OSError(f"{file.name} is damaged: it ends before picture {index}")
        return pixels.reshape(-1, *self.spec.shape)


def prepare(
    listing: Listing,
    spec: PictureSpec,
    folder: Path,
    shares: tuple[float, float] = (0.15, 0.15),
    least: int = LEAST_PICTURES,
    told: Callable[[], None] = lambda: None,
) -> Prepared:
    """Read all pictures of a listing into a run folder, and split them.

    What cannot be read, or shows nothing, is written to `skipped.tsv`, and so is a picture that
    lies in two classes.

    Args:
        listing: what there is.
        spec: what every picture becomes.
        folder: the run folder.
        shares: of each class for validation and for the test.
        least: how many different pictures each class must have.
        told: of each file that was read.

    Raises:
        ValueError: a class has too few pictures that can be read.
    """
    # Before anything is read: more than there are files there will not be.
    _refuse_small_classes(listing.labels, Counter(listing.classes), least, "")
    folder.mkdir(parents=True, exist_ok=True)
    kept: list[int] = []
    digests: list[bytes] = []
    skipped: list[tuple[str, str]] = []
    with (folder / PIXELS).open("wb") as file:
        for index, pixels in enumerate(_read_all(listing, spec)):
            told()
            if isinstance(pixels, str):
                skipped.append((listing.name(listing.paths[index]), pixels))
                continue
            kept.append(index)
            digests.append(hashlib.sha256(pixels.tobytes()).digest())
            file.write(pixels.tobytes())
    classes = np.array([listing.classes[index] for index in kept], np.int32)
    parts = split_by_content(digests, classes.tolist(), *shares)
    names = [listing.name(listing.paths[index]) for index in kept]
    doubtful = "the same picture lies in another class"
    skipped += [(names[index], doubtful) for index in np.flatnonzero(parts == LEFT_OUT)]
    _write_skipped(folder / SKIPPED, skipped)
    usable = {
        (classes[index], digest) for index, digest in enumerate(digests) if parts[index] != LEFT_OUT
    }
    why = f" Copies count once. {len(skipped):,} files were left out, see {folder / SKIPPED}."
    _refuse_small_classes(listing.labels, Counter(number for number, _ in usable), least, why)
    prepared = Prepared(
        folder,
        listing.labels,
        spec,
        np.array(names),
        classes,
        parts,
        np.array(digests, "S32"),
        tuple(skipped),
        listing.digest(),
        shares,
    )
    _save(prepared)
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
            stored["digests"],
            tuple((name, reason) for name, reason in notes["skipped"]),
            notes["source"],
            tuple(notes["shares"]),
        )


def _save(prepared: Prepared) -> None:
    """Last, and in one go: with it, the pictures are whole."""
    notes = {
        "labels": prepared.labels,
        "spec": asdict(prepared.spec),
        "skipped": prepared.skipped,
        "source": prepared.source,
        "shares": prepared.shares,
    }
    part = prepared.folder / f".part-{INDEX}"
    with part.open("wb") as out:
        np.savez_compressed(
            out,
            paths=prepared.paths,
            classes=prepared.classes,
            parts=prepared.parts,
            digests=prepared.digests,
            notes=json.dumps(notes),
        )
    part.replace(prepared.folder / INDEX)


def _read_all(listing: Listing, spec: PictureSpec) -> Iterator[np.ndarray | str]:
    """Give each picture in turn, or why it cannot be read; a few are read ahead."""

    def read(path: Path) -> np.ndarray | str:
        try:
            pixels = read_picture(path, spec)
        except UnreadablePictureError as error:
            return " ".join(str(error).split())
        # Ink on nothing, say, as dark as the ground that it is laid on.
        return pixels if (pixels != spec.background).any() else _EMPTY

    waiting = iter(listing.paths)
    with ThreadPoolExecutor(4) as pool:
        while some := list(islice(waiting, _AT_ONCE)):
            yield from pool.map(read, some)


def _write_skipped(path: Path, skipped: Sequence[tuple[str, str]]) -> None:
    lines = ["file\twhy", *(f"{name}\t{reason}" for name, reason in skipped)]
    text = "\n".join(lines) + "\n"
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _refuse_small_classes(
    labels: tuple[str, ...], counts: Counter[int], least: int, why: str
) -> None:
    small = [
        f"{label} ({counts[number]:,})"
        for number, label in enumerate(labels)
        if counts[number] < least
    ]
    if small:
        raise ValueError(
            f"each class needs at least {least} different pictures that can be read; too few are "
            f"in {', '.join(small)}.{why} Add pictures, or take the folder away."
        )
