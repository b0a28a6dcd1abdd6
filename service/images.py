"""Pictures: from bytes to arrays and back. Pure: no I/O, no threads, no HTTP.

The header is judged before a single pixel is decoded.
"""

import io
import math
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin, PngImagePlugin

from service.errors import (
    AnimatedImage,
    MissingImage,
    TooManyPixels,
    UndecodableImage,
    UnsupportedFormat,
)
from service.fitting import FitMode, Layout, lay_out
from service.geometry import Fit
from service.headers import check_parts, orientation_of
from service.png import SIGNATURE

# Pillow's own limit warns from 89 million pixels on; ours is lower, a setting, and always an error.
Image.MAX_IMAGE_PIXELS = None
# Compressed text in a PNG may unpack to this much, in one chunk and in all; no photo needs more.
PngImagePlugin.MAX_TEXT_CHUNK = 512 * 1024
PngImagePlugin.MAX_TEXT_MEMORY = 1024 * 1024
# Its warnings about odd metadata are the caller's to hear, not the log's; each text is also kept.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

# The longest side of a JPEG, and of any picture: a strip of one pixel's height would need tables
# for its resizing that are larger than itself.
_MAX_SIDE = 65_535
_MODES = ("L", "LA", "RGB", "RGBA")
_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")
# Each scan of a progressive JPEG passes over all its pixels; some ten are usual, and 40 bytes make
# one. The marker cannot occur within a scan.
_MAX_JPEG_SCANS = 64
_JPEG_SCAN = b"\xff\xda"
# A JPEG is decoded at no less than this many times the size it is then resized to.
_JPEG_OVERSAMPLING = 2


@dataclass(frozen=True)
class InputSpec:
    """What a classifier takes.

    Attributes:
        height: in pixels.
        width: in pixels.
        channels: 1 for grey, 3 for colour.
        background: value of an empty picture: 0 for light on black, 255 for dark on white.
    """

    height: int
    width: int
    channels: int
    background: int


@dataclass(frozen=True)
class FittedImage:
    """A picture laid on a classifier's input.

    Attributes:
        pixels: uint8 `(height, width, channels)`.
        fit: where the picture lies on them.
        num_pixels: how many the picture had.
    """

    pixels: np.ndarray
    fit: Fit
    num_pixels: int


def open_image(content: bytes, max_pixels: int) -> Image.Image:
    """Read the header of a picture, and refuse what must not be decoded.

    Args:
        content: a PNG, JPEG or WebP file; what the bytes are decides.
        max_pixels: the most that width times height may be.

    Raises:
        MissingImage: there are no bytes.
        UnsupportedFormat: it is something else.
        UndecodableImage: the header is broken, or decoding would take too long.
        TooManyPixels: it is too large.
        AnimatedImage: it has several frames.
    """
    if not content:
        raise MissingImage("the image is empty (0 bytes); send a PNG, JPEG or WebP file")
    kind = _sniff(content)
    check_parts(content, kind)
    if kind == "JPEG" and content.count(_JPEG_SCAN) > _MAX_JPEG_SCANS:
        raise UndecodableImage(f"the JPEG has more than {_MAX_JPEG_SCANS} scans; save it anew")
    try:
        image = Image.open(io.BytesIO(content), formats=[kind])
    except Exception as error:
        raise UndecodableImage(f"the {kind} header cannot be read; the file is broken") from error
    width, height = image.size
    check_pixels(width, height, max_pixels, "the image has")
    # A phone's JPEG may carry further pictures behind the first (MPO); the first is the photo.
    if kind != "JPEG" and getattr(image, "n_frames", 1) > 1:
        raise AnimatedImage(f"the {kind} is animated; send a single frame")
    return image


def check_pixels(width: int, height: int, max_pixels: int, subject: str) -> None:
    """Raise `TooManyPixels` when a picture is larger than allowed."""
    if width * height > max_pixels:
        raise TooManyPixels(
            f"{subject} {width} x {height} = {width * height} pixels; at most {max_pixels} are "
            "accepted. Make it smaller."
        )
    if max(width, height) > _MAX_SIDE:
        raise TooManyPixels(
            f"{subject} {width} x {height} pixels; a side may have {_MAX_SIDE}. Make it shorter."
        )


def decode_for_model(
    image: Image.Image, spec: InputSpec, mode: FitMode = "pad", invert: bool = False
) -> FittedImage:
    """Decode a picture and lay it on a classifier's input.

    Resizing is bilinear and antialiased. Transparent parts take the colour of an empty picture.

    Args:
        image: from `open_image`.
        spec: what the classifier takes.
        mode: see `fitting.lay_out`.
        invert: swap dark and light, for dark ink on light paper where the model wants the reverse.

    Raises:
        UndecodableImage: the file is broken.
    """
    orientation = _orientation(image)
    width, height = reversed(image.size) if orientation > 4 else image.size
    layout = lay_out(width, height, spec.width, spec.height, mode)
    colour = "L" if spec.channels == 1 else "RGB"
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        scale = max(layout.fit.scale) * _JPEG_OVERSAMPLING
        image.draft(colour, tuple(math.ceil(side * scale) for side in image.size))  # type: ignore[arg-type]
    picture = _load_upright(image, orientation)
    picture = _flatten(picture, colour, 255 - spec.background if invert else spec.background)
    if invert:
        picture = ImageOps.invert(picture)
    pixels = _lay(picture, (width, height), layout, spec)
    return FittedImage(pixels, layout.fit, width * height)


def decode_for_warp(image: Image.Image) -> np.ndarray:
    """Decode a picture as it is, EXIF orientation applied.

    Returns:
        uint8 `(height, width, channels)` with 1 to 4 channels (grey, grey and alpha, colour, colour
        and alpha), or uint16 with one channel for a 16-bit grey picture.

    Raises:
        UndecodableImage: the file is broken.
    """
    picture = _load_upright(image, _orientation(image))
    if picture.mode in _SIXTEEN_BIT_MODES:
        return np.asarray(picture).clip(0, 65535).astype(np.uint16)[..., np.newaxis]
    if picture.mode not in _MODES or "transparency" in picture.info:
        picture = picture.convert(_nearest_mode(picture))
    array = np.asarray(picture)
    return array[..., np.newaxis] if array.ndim == 2 else array


def _sniff(content: bytes) -> str:
    if content.startswith(SIGNATURE):
        return "PNG"
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    raise UnsupportedFormat(
        "the image is not a PNG, JPEG or WebP file; its first bytes decide, not its name"
    )


def _orientation(image: Image.Image) -> int:
    exif = image.info.get("exif")
    return orientation_of(exif) if isinstance(exif, bytes) else 1


_TRANSPOSE_OF = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _load_upright(image: Image.Image, orientation: int) -> Image.Image:
    try:
        image.load()
    except Exception as error:  # decoders raise whatever they like on broken files
        raise UndecodableImage(
            f"the {image.format} file is broken or cut short and cannot be decoded"
        ) from error
    return image.transpose(_TRANSPOSE_OF[orientation]) if orientation != 1 else image


def _flatten(picture: Image.Image, colour: str, background: int) -> Image.Image:
    """Convert to `L` or `RGB`; transparent parts show the background."""
    if picture.mode == colour and "transparency" not in picture.info:
        return picture
    if picture.mode in _SIXTEEN_BIT_MODES:
        wide = np.asarray(picture).clip(0, 65535).astype(np.uint32)
        picture = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
    mode = _nearest_mode(picture)
    if mode in ("LA", "RGBA"):
        picture = picture.convert(mode)
        opaque = Image.new(mode[:-1], picture.size, (background,) * (len(mode) - 1))
        opaque.paste(picture.convert(mode[:-1]), mask=picture.getchannel("A"))
        picture = opaque
    return picture.convert(colour)


def _nearest_mode(picture: Image.Image) -> str:
    """Return the mode among L, LA, RGB and RGBA that loses least."""
    grey = picture.mode in ("1", "L", "LA", "La", *_SIXTEEN_BIT_MODES)
    alpha = picture.mode[-1:] in ("A", "a") or "transparency" in picture.info
    return ("L" if grey else "RGB") + ("A" if alpha else "")


def _lay(
    picture: Image.Image, original: tuple[int, int], layout: Layout, spec: InputSpec
) -> np.ndarray:
    if picture.size != layout.size or layout.box != (0, 0, *original):
        # The decoder may have reduced the picture already; the box counts in original pixels.
        shrink_x, shrink_y = picture.width / original[0], picture.height / original[1]
        left, top, right, bottom = layout.box
        picture = picture.resize(
            layout.size,
            Image.Resampling.BILINEAR,
            box=(
                left * shrink_x,
                top * shrink_y,
                min(right * shrink_x, picture.width),
                min(bottom * shrink_y, picture.height),
            ),
            reducing_gap=3.0,
        )
    pixels = np.asarray(picture).reshape(picture.height, picture.width, spec.channels)
    if layout.size == (spec.width, spec.height):
        return pixels
    canvas = np.full((spec.height, spec.width, spec.channels), spec.background, np.uint8)
    x, y = layout.corner
    canvas[y : y + picture.height, x : x + picture.width] = pixels
    return canvas
