"""Picture files for tests, odd ones included: written by Pillow, or chunk by chunk."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encoded(picture: Image.Image | np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    """Encode a picture, or an array `(height, width[, channels])`, with Pillow."""
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def decoded(content: bytes) -> np.ndarray:
    """Decode a picture with Pillow; `(height, width[, channels])`."""
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture)


def noise(height: int, width: int, channels: int | None = 3, seed: int = 0) -> np.ndarray:
    """Return a picture of random pixels; grey `(height, width)` when `channels` is None."""
    shape = (height, width) if channels is None else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def photo(height: int, width: int, seed: int = 0) -> Image.Image:
    """Return a smooth colour picture, which JPEG does not harm much."""
    coarse = Image.fromarray(noise(max(2, height // 16), max(2, width // 16), 3, seed))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def chunk(name: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def header(width: int, height: int, depth: int, colour: int, interlace: int = 0) -> bytes:
    """Return the IHDR chunk; colour 0 is grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def png(ihdr: bytes, raw: bytes, *extra: bytes, after: tuple[bytes, ...] = ()) -> bytes:
    """Assemble a PNG: header, extra chunks, scan lines (each with its filter byte), rest."""
    body = chunk(b"IDAT", zlib.compress(raw))
    return PNG_SIGNATURE + ihdr + b"".join(extra) + body + b"".join(after) + chunk(b"IEND", b"")
