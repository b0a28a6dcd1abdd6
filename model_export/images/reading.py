"""One picture file: decoded, upright, and laid on the network's input as the gateway lays it."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, JpegImagePlugin

from model_export.images.orientation import orientation_of, upright, upright_size

Image.MAX_IMAGE_PIXELS = None  # our own limit, which is always an error, not a warning
# Of pixels to decode: a JPEG is decoded smaller, as far as it is to be resized anyway.
MAX_PIXELS = 25_000_000
_MAX_PIXELS_STORED = 100_000_000
# Some twenty bytes a pixel are needed at a time: of pictures larger than this one is read at once.
_LARGE = 4_000_000
_one_large = threading.Lock()
_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")
# A JPEG is decoded at no less than this many times the size it is then resized to.
_JPEG_OVERSAMPLING = 2


class UnreadablePictureError(Exception):
    """A file is no picture that can be read."""


@dataclass(frozen=True)
class PictureSpec:
    """What a network takes.

    Attributes:
        height: in pixels.
        width: in pixels.
        channels: 1 for grey, 3 for colour.
        background: what fills the margins and lies behind what is transparent: 0 or 255.
    """

    height: int
    width: int
    channels: int
    background: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the array: `(height, width, channels)`."""
        return self.height, self.width, self.channels

    @property
    def polarity(self) -> str:
        """The word for the background in the model's card."""
        return "dark_on_light" if self.background else "light_on_dark"


def read_picture(path: Path, spec: PictureSpec) -> np.ndarray:
    """Read a picture, turn it upright, keep its aspect, and fill the input with it.

    Returns:
        uint8 `(height, width, channels)`.

    Raises:
        UnreadablePictureError: the file is broken, or no picture, or too large.
    """
    mode = "L" if spec.channels == 1 else "RGB"
    with _opened(path) as picture:
        orientation = orientation_of(picture)
        width, height = upright_size(picture.size, orientation)
        fitted = fitted_size((width, height), spec)
        num_pixels = math.prod(picture.size)
        # A phone's JPEG may carry further pictures behind the first, and is none by Pillow's name.
        if isinstance(picture, JpegImagePlugin.JpegImageFile):
            scale = _JPEG_OVERSAMPLING * max(fitted[0] / width, fitted[1] / height)
            picture.draft(mode, tuple(math.ceil(side * scale) for side in picture.size))  # type: ignore[arg-type]
        if math.prod(picture.size) > MAX_PIXELS:
            raise _too_large(picture)
        # By what is stored: a progressive JPEG is held whole, however small it is decoded.
        with _one_large if num_pixels > _LARGE else nullcontext():
            picture.load()
            flat = _flatten(upright(picture, orientation), mode, spec.background)
            if flat.size != fitted:
                flat = flat.resize(fitted, Image.Resampling.BILINEAR, reducing_gap=3.0)
    canvas = np.full(spec.shape, spec.background, np.uint8)
    x, y = (spec.width - fitted[0]) // 2, (spec.height - fitted[1]) // 2
    pixels = np.asarray(flat).reshape(fitted[1], fitted[0], spec.channels)
    canvas[y : y + fitted[1], x : x + fitted[0]] = pixels
    return canvas


def read_size(path: Path) -> tuple[int, int]:
    """Return the `(width, height)` of a picture, upright.

    Raises:
        UnreadablePictureError: the file is broken, or no picture, or too large.
    """
    with _opened(path) as picture:
        return upright_size(picture.size, orientation_of(picture))


def is_transparent(path: Path) -> bool:
    """Whether parts of a picture may be transparent; nothing is decoded for it.

    Raises:
        UnreadablePictureError: the file is broken, or no picture, or too large.
    """
    with _opened(path) as picture:
        return _has_alpha(picture)


def fitted_size(size: tuple[int, int], spec: PictureSpec) -> tuple[int, int]:
    """Return the `(width, height)` at which a picture fills the input as far as it can."""
    width, height = size
    scale = min(spec.width / width, spec.height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as picture:
            if math.prod(picture.size) > _MAX_PIXELS_STORED:
                raise _too_large(picture)
            yield picture
    except UnreadablePictureError:
        raise
    except Exception as error:  # Pillow raises many kinds on broken files
        raise UnreadablePictureError(f"{type(error).__name__}: {error}") from error


def _too_large(picture: Image.Image) -> UnreadablePictureError:
    return UnreadablePictureError(
        f"{picture.width} x {picture.height} is too large: at most {MAX_PIXELS / 1e6:g} million "
        f"pixels can be decoded, or {_MAX_PIXELS_STORED / 1e6:g} million of a JPEG"
    )


def _has_alpha(picture: Image.Image) -> bool:
    return picture.mode[-1:] in ("A", "a") or "transparency" in picture.info


def _flatten(picture: Image.Image, mode: str, background: int) -> Image.Image:
    """Convert to `L` or `RGB`; transparent parts show the background."""
    if picture.mode in _SIXTEEN_BIT_MODES:
        wide = np.asarray(picture).clip(0, 65535).astype(np.uint32)
        picture = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
    if _has_alpha(picture):
        with_alpha = "LA" if picture.mode in ("1", "L", "LA", "La") else "RGBA"
        picture = picture.convert(with_alpha)
        opaque = Image.new(with_alpha[:-1], picture.size, (background,) * (len(with_alpha) - 1))
        opaque.paste(picture.convert(with_alpha[:-1]), mask=picture.getchannel("A"))
        picture = opaque
    return picture.convert(mode)
