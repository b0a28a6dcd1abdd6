"""WebP files with known ways to hurt a decoder."""

import struct
from collections.abc import Iterator

from PIL import Image

from tests.service.pictures import encoded, noise, photo
from tests.torture.corpus.kinds import ANIMATED, BROKEN, EITHER, READ, TOO_LARGE, Picture


def pictures() -> Iterator[Picture]:
    """Return every family once or more."""
    lossy, lossless = encoded(photo(32, 40), "WEBP"), encoded(noise(9, 11), "WEBP", lossless=True)
    yield Picture("WebP", lossy, READ)
    yield Picture("WebP lossless", lossless, READ)
    yield Picture("WebP alpha", encoded(noise(9, 11, 4), "WEBP"), READ)
    frames = [photo(32, 40, seed=seed) for seed in range(3)]
    moving = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    yield Picture("WebP animated", moving, ANIMATED)
    yield from _riff(lossy)
    yield from _sizes(lossy, lossless)
    yield from _extended(lossy, moving)


def _riff(good: bytes) -> Iterator[Picture]:
    for lie in (0, 1, len(good) + 1000, 2**31, 2**32 - 1):
        yield Picture("WebP length lies", good[:4] + struct.pack("<I", lie) + good[8:], EITHER)
        yield Picture(
            "WebP chunk length lies", good[:16] + struct.pack("<I", lie) + good[20:], EITHER
        )
    for length in (12, 16, 20, 25, 30, len(good) // 2, len(good) - 1):
        yield Picture("WebP cut short", good[:length], EITHER)
    yield Picture("WebP nothing inside", b"RIFF\x04\0\0\0WEBP", BROKEN)
    yield Picture("WebP other chunk", good[:12] + b"JUNK" + good[16:], BROKEN)
    yield Picture("WebP with a tail", good + b"\0" * 300_000, EITHER)
    yield Picture("WebP ones", good[:40] + b"\xff" * 5000, EITHER)


def _sizes(lossy: bytes, lossless: bytes) -> Iterator[Picture]:
    """Width and height lie in the first bytes of the bit stream, 14 bits each."""
    for width, height in ((0, 0), (0, 9), (16383, 16383), (41, 33), (1, 1)):
        size = struct.pack("<HH", width, height)
        codes = EITHER | TOO_LARGE
        yield Picture("WebP size lies", lossy[:26] + size + lossy[30:], codes)
    for bits in (0, 0x0FFFFFFF, 0x00001000):
        size = struct.pack("<I", bits)
        yield Picture(
            "WebP lossless size lies", lossless[:21] + size + lossless[25:], EITHER | TOO_LARGE
        )
    # Colour caches and prefix codes are where libwebp once wrote past its table.
    for place in range(25, min(60, len(lossless))):
        bad = lossless[:place] + b"\xff" * 4 + lossless[place + 4 :]
        yield Picture("WebP codes lie", bad, EITHER | TOO_LARGE)


def _extended(lossy: bytes, moving: bytes) -> Iterator[Picture]:
    exif = Image.Exif()
    exif[0x0112] = 6
    good = encoded(photo(32, 40), "WEBP", exif=exif)
    place = good.index(b"VP8X") + 8
    yield Picture("WebP EXIF", good, READ)
    for flags in range(0, 256, 17):
        bad = good[:place] + bytes([flags]) + good[place + 1 :]
        yield Picture("WebP flags lie", bad, EITHER | ANIMATED)
    for canvas in (b"\xff" * 6, b"\0" * 6, b"\xff\x3f\0\xff\x3f\0"):
        bad = good[: place + 4] + canvas + good[place + 10 :]
        yield Picture("WebP canvas lies", bad, EITHER | TOO_LARGE)
    for content in (b"", b"MM\0*\xff\xff\xff\xff", b"\xff" * 200_000):
        odd = encoded(photo(32, 40), "WEBP", exif=b"Exif\0\0" + content)
        yield Picture("WebP EXIF bomb", odd, EITHER)
    yield Picture(
        "WebP ICC lies", encoded(photo(32, 40), "WEBP", icc_profile=b"x" * 300_000), EITHER
    )
    frame = moving.index(b"ANMF") + 8
    for content in (b"\xff" * 16, b"\0" * 16):
        bad = moving[:frame] + content + moving[frame + 16 :]
        yield Picture("WebP frame lies", bad, EITHER | ANIMATED | TOO_LARGE)
    many = moving[: frame - 8] + moving[frame - 8 :] * 50
    yield Picture("WebP many frames", many, EITHER | ANIMATED)
