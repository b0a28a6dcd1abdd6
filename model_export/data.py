"""Where the digits come from: a folder of idx files, Keras, or the sample in this package."""

import gzip
import math
import zlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

_IDX_FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
_IDX_UINT8 = 0x08


@dataclass(frozen=True)
class Digits:
    """A data set of grey digits, white on black.

    Attributes:
        name: what to call it in a model card.
        train_images: uint8 `(num, 28, 28)`.
        train_labels: uint8 `(num,)`.
        test_images: uint8 `(num, 28, 28)`.
        test_labels: uint8 `(num,)`.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if images.shape != (len(labels), 28, 28) or images.dtype != np.uint8:
                raise ValueError(
                    f"{part} images must be uint8 ({len(labels)}, 28, 28), one for each label; "
                    f"got {images.dtype} {images.shape}"
                )
            if not len(labels) or labels.ndim != 1 or labels.max() > 9:
                raise ValueError(
                    f"{part} labels must be digits 0 to 9, one for each image and at least one; "
                    f"got {labels.dtype} {labels.shape}"
                )


def load_digits(source: str | None) -> Digits:
    """Load MNIST, or what is laid out like it.

    Args:
        source: a folder with the four idx files, plain or gzipped; `sample` for the 2,000 digits in
            this package; None to let Keras download MNIST.

    Raises:
        ConnectionError: Keras could not download it.
        FileNotFoundError: the folder lacks one of the files.
        ValueError: a file is not a valid idx file.
    """
    if source == "sample":
        return load_sample()
    if source is None:
        return _download()
    folder = Path(source)
    arrays = {key: read_idx(_find(folder, name)) for key, name in _IDX_FILES.items()}
    return Digits("MNIST", **arrays)


def _download() -> Digits:
    import keras

    try:
        (train_images, train_labels), (test_images, test_labels) = keras.datasets.mnist.load_data()
    except Exception as error:  # Keras raises no narrower one
        raise ConnectionError(
            f"MNIST could not be downloaded: {error}. Name a folder that holds its four idx files "
            "with --data, or take the 2,000 digits of the package with '--data sample'."
        ) from error
    return Digits("MNIST", train_images, train_labels, test_images, test_labels)


def load_sample() -> Digits:
    """Load the sample: the first 1,000 training and the first 1,000 test digits of MNIST."""
    with (
        resources.as_file(resources.files("model_export") / "sample" / "digits.npz") as path,
        np.load(path) as arrays,
    ):
        return Digits("MNIST sample", **{key: arrays[key] for key in _IDX_FILES})


def read_idx(path: Path) -> np.ndarray:
    """Read an idx file of unsigned bytes, plain or gzipped.

    Raises:
        ValueError: it is no idx file of bytes, or its length is not what its header says.
    """
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{path} is a damaged gzip file: {error}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _IDX_UINT8:
        raise ValueError(f"{path} is not an idx file of unsigned bytes")
    rank = content[3]
    header, body = content[4 : 4 + 4 * rank], content[4 + 4 * rank :]
    shape = [int.from_bytes(header[i : i + 4], "big") for i in range(0, len(header), 4)]
    if len(header) != 4 * rank or len(body) != math.prod(shape):
        raise ValueError(
            f"{path} announces {math.prod(shape)} bytes of shape {tuple(shape)}, but holds "
            f"{len(body)}: it is cut short, or not what it says"
        )
    return np.frombuffer(body, np.uint8).reshape(shape)


def _find(folder: Path, name: str) -> Path:
    # Both spellings are in circulation: train-images-idx3-ubyte and train-images.idx3-ubyte.
    names = [f"{stem}{end}" for stem in (name, name.replace("-idx", ".idx")) for end in ("", ".gz")]
    for candidate in names:
        if (folder / candidate).is_file():
            return folder / candidate
    raise FileNotFoundError(
        f"{folder} holds none of {', '.join(names)}. --data needs the four idx files of MNIST; "
        "'--data sample' uses the 2,000 digits that come with the package."
    )
