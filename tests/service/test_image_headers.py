"""What is refused before a pixel is decoded."""

import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.errors import (
    AnimatedImage,
    MissingImage,
    TooManyPixels,
    UndecodableImage,
    UnsupportedFormat,
)
from service.images import decode_for_warp, open_image
from tests.service.pictures import PNG_SIGNATURE, chunk, encoded, header, noise, photo, png
from tests.service.refusals import refusal_of

LIMIT = 25_000_000
ROOT = Path(__file__).parents[2]


def test_no_bytes_are_no_image() -> None:
    with pytest.raises(MissingImage):
        open_image(b"", LIMIT)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PPM", "ICO"])
def test_formats_that_are_not_asked_for_are_refused(kind: str) -> None:
    """Pillow reads many more formats; each would be a parser open to strangers."""
    with pytest.raises(UnsupportedFormat):
        open_image(encoded(noise(16, 16), kind), LIMIT)


@pytest.mark.parametrize(
    "content",
    [b"hello", b"<svg/>", b"%PDF-1.7", b"\x89PNG\r\n\x1a", b"RIFF\0\0\0\0WAVE", b"\xff\xd8"],
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(UnsupportedFormat):
        open_image(content, LIMIT)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_bytes_decide_the_format(kind: str) -> None:
    assert open_image(encoded(photo(20, 30), kind), LIMIT).format == kind


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_limit_is_exact(kind: str) -> None:
    """20 x 30 pixels pass a limit of 600, and not one of 599."""
    content = encoded(photo(20, 30), kind)

    assert open_image(content, 600).size == (30, 20)
    with pytest.raises(TooManyPixels, match="30 x 20 = 600 pixels; at most 599"):
        open_image(content, 599)


def test_an_animated_gif_is_no_accepted_format() -> None:
    frames = [Image.fromarray(noise(8, 8, seed=seed)) for seed in range(3)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])

    with pytest.raises(UnsupportedFormat):
        open_image(content, LIMIT)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_several_frames_are_refused(kind: str) -> None:
    """One picture is asked for; which of the frames would be a guess."""
    frames = [Image.fromarray(noise(8, 8, seed=seed)) for seed in range(3)]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])

    with pytest.raises(AnimatedImage):
        open_image(content, LIMIT)


def test_the_first_picture_of_a_phones_jpeg_is_the_photo() -> None:
    """Phones put further pictures behind the first, in the MPO format; that is no animation."""
    photos = [photo(32, 48, seed=seed) for seed in range(2)]
    content = encoded(photos[0], "MPO", save_all=True, append_images=photos[1:])

    pixels = decode_for_warp(open_image(content, LIMIT))

    assert pixels.shape == (32, 48, 3)
    difference = np.abs(pixels.astype(int) - np.asarray(photos[0], int)).mean()
    assert difference < np.abs(pixels.astype(int) - np.asarray(photos[1], int)).mean() / 4


def lying_webp() -> bytes:
    """Return a lossless WebP of 16 x 16 whose header says 16,383 x 16,383."""
    content = encoded(photo(16, 16), "WEBP", lossless=True)
    place = content.index(b"VP8L") + 9
    (bits,) = struct.unpack_from("<I", content, place)
    claim = bits >> 28 << 28 | 16_382 << 14 | 16_382
    return content[:place] + struct.pack("<I", claim) + content[place + 4 :]


LARGE_CLAIMS = {
    "png": PNG_SIGNATURE + header(20_000, 20_000, 8, 0) + chunk(b"IDAT", zlib.compress(b"\0" * 99)),
    "jpeg": encoded(photo(16, 16), "JPEG").replace(
        struct.pack(">HH", 16, 16), struct.pack(">HH", 65_000, 65_000)
    ),
    "webp": lying_webp(),
}


@pytest.mark.parametrize("kind", LARGE_CLAIMS)
def test_a_header_that_claims_too_much_is_refused(kind: str) -> None:
    with pytest.raises(TooManyPixels):
        open_image(LARGE_CLAIMS[kind], LIMIT)


_MEASURE = """
import resource, sys
from service.errors import TooManyPixels
from service.images import open_image
content = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    open_image(content, 25_000_000)
except TooManyPixels:
    print(len(content), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def bomb(kind: str) -> bytes:
    """Return a valid file of some 50 KB with hundreds of millions of black pixels."""
    if kind == "png":
        rows = zlib.compressobj(9)
        data = b"".join(rows.compress(b"\0" * 2501) for _ in range(20_000)) + rows.flush()
        return (
            PNG_SIGNATURE
            + header(20_000, 20_000, 1, 0)
            + chunk(b"IDAT", data)
            + chunk(b"IEND", b"")
        )
    return LARGE_CLAIMS[kind]


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_a_bomb_is_refused_without_memory(kind: str) -> None:
    """A 20,000 x 20,000 PNG of 50 KB would take 400 MB; a fresh process stays below 16."""
    run = subprocess.run(
        [sys.executable, "-c", _MEASURE],
        input=bomb(kind),
        cwd=ROOT,
        capture_output=True,
        check=True,
    )

    num_bytes, kilobytes = (int(text) for text in run.stdout.split())
    assert num_bytes < 64 * 1024
    assert kilobytes < 16 * 1024, f"{kilobytes} KB for {num_bytes} bytes"


def with_scans(count: int) -> bytes:
    """Return a progressive JPEG with this many scans: its last one again and again."""
    content = encoded(photo(64, 64), "JPEG", progressive=True)
    scan = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + scan * (count - content.count(b"\xff\xda")) + content[-2:]


@pytest.mark.parametrize("size", [(65_536, 1), (1, 65_536)], ids=["wide", "tall"])
def test_a_strip_is_refused_however_few_its_pixels(size: tuple[int, int]) -> None:
    """The tables for its resizing would be larger than itself."""
    with pytest.raises(TooManyPixels, match="a side may have 65535"):
        open_image(png(header(*size, 8, 0), b""), LIMIT)
    shorter = (min(size[0], 65_535), min(size[1], 65_535))
    assert open_image(png(header(*shorter, 8, 0), b""), LIMIT).size == shorter


def test_a_jpeg_of_countless_scans_is_refused() -> None:
    """Each takes 40 bytes, and a pass over all pixels: a small file can take hours to decode."""
    assert decode_for_warp(open_image(with_scans(60), LIMIT)).shape == (64, 64, 3)
    with pytest.raises(UndecodableImage, match="more than 64 scans"):
        open_image(with_scans(65), LIMIT)


def metadata_bomb(name: bytes, before_pixels: bool) -> bytes:
    unpacked = zlib.compress(b"\0" * 50_000_000)
    data = {
        b"zTXt": b"Comment\0\0" + unpacked,
        b"iTXt": b"Comment\0\1\0\0\0" + unpacked,
        b"iCCP": b"profile\0\0" + unpacked,
    }[name]
    extra = chunk(name, data)
    return png(
        header(4, 4, 8, 0),
        b"\0" * 20,
        *((extra,) if before_pixels else ()),
        after=() if before_pixels else (extra,),
    )


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
@pytest.mark.parametrize("before_pixels", [True, False])
def test_metadata_that_unpacks_to_too_much_is_not_unpacked(
    name: bytes, before_pixels: bool
) -> None:
    """50 MB of compressed text or colour profile in a file of 50 KB: refused, or left alone."""
    content = metadata_bomb(name, before_pixels)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    refusal = refusal_of(lambda: decode_for_warp(open_image(content, LIMIT)))

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert len(content) < 64 * 1024
    assert grown < 32 * 1024, f"{grown} KB"
    assert not refusal or "broken" in refusal


def test_many_small_metadata_bombs_are_refused_together() -> None:
    """Each chunk alone is allowed; a hundred of them are not."""
    text = b"Comment\0\0" + zlib.compress(b"\0" * 500_000)
    content = png(header(4, 4, 8, 0), b"\0" * 20, *[chunk(b"zTXt", text)] * 100)

    with pytest.raises(UndecodableImage):
        decode_for_warp(open_image(content, LIMIT))
