"""Files made to be read slowly, or to fill memory, before a pixel is decoded."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from service.errors import TooManyPixels, UndecodableImage
from service.headers import check_parts, orientation_of
from service.images import check_pixels, decode_for_warp, open_image
from tests.service.pictures import encoded, photo

MAX_PIXELS = 25_000_000


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png_with(extra: bytes) -> bytes:
    plain = encoded(photo(4, 6))
    after_header = 8 + 25
    return plain[:after_header] + extra + plain[after_header:]


def jpeg_with(extra: bytes) -> bytes:
    plain = encoded(photo(4, 6), "JPEG")
    return plain[:2] + extra + plain[2:]


def webp_with(extra: bytes) -> bytes:
    plain = encoded(photo(4, 6), "WEBP")
    body = b"WEBP" + extra + plain[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


BOMBS = {
    "private chunks": png_with(chunk(b"prVt") * 200_000),
    "texts": png_with(chunk(b"tEXt", b"a\0b") * 200_000),
    "pixels in crumbs": png_with(chunk(b"IDAT") * 200_000),
    "segments": jpeg_with(b"\xff\xe5\x00\x02" * 200_000),
    "comments": jpeg_with(b"\xff\xfe\x00\x02" * 200_000),
    "chunks": webp_with(b"abcd\0\0\0\0" * 200_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_of_countless_parts_is_refused(name: str) -> None:
    """Pillow would read them one by one, in Python, for seconds."""
    with pytest.raises(UndecodableImage, match="more than 10000 parts"):
        open_image(BOMBS[name], MAX_PIXELS)


@pytest.mark.parametrize(
    "content",
    [
        png_with(chunk(b"tEXt", b"a\0b") * 500),
        jpeg_with(b"\xff\xe5\x00\x04ab" * 500),
        encoded(photo(40, 60), "WEBP"),
        encoded(photo(40, 60)) + bytes(200_000),
        encoded(photo(40, 60), "JPEG") + bytes(200_000),
        encoded(photo(40, 60), "WEBP") + bytes(200_000),
    ],
)
def test_some_hundred_parts_and_what_follows_the_picture_are_nothing_special(
    content: bytes,
) -> None:
    assert decode_for_warp(open_image(content, MAX_PIXELS)).shape[2] == 3


@given(st.binary(max_size=200), st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_no_bytes_keep_the_count_from_ending(content: bytes, kind: str) -> None:
    check_parts(content, kind)


def exif_of(entries: list[bytes], order: str = "<", tail: bytes = b"") -> bytes:
    start = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + b"\0\0\0\0"
    return b"Exif\0\0" + start + struct.pack(f"{order}I", 8) + directory + tail


def entry(tag: int, kind: int, count: int, value: int, order: str = "<") -> bytes:
    return struct.pack(f"{order}HHIHH", tag, kind, count, value, 0)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("value", range(1, 9))
def test_the_orientation_is_found_in_either_byte_order(order: str, value: int) -> None:
    exif = exif_of([entry(0x010F, 3, 1, 7, order), entry(0x0112, 3, 1, value, order)], order)

    assert orientation_of(exif) == value
    assert orientation_of(exif.removeprefix(b"Exif\0\0")) == value


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [entry(0x0112, 3, 1, 0)],
        [entry(0x0112, 3, 1, 9)],
        [entry(0x0112, 4, 1, 6)],
        [entry(0x0112, 3, 2, 6)],
        [entry(0x0113, 3, 1, 6)],
    ],
)
def test_what_is_no_orientation_counts_as_none(entries: list[bytes]) -> None:
    assert orientation_of(exif_of(entries)) == 1


@given(st.binary(max_size=300))
def test_no_bytes_are_more_than_no_orientation(content: bytes) -> None:
    assert 1 <= orientation_of(content) <= 8
    assert 1 <= orientation_of(b"Exif\0\0II*\0" + content) <= 8


@given(st.integers(1, 8))
def test_it_is_what_pillow_writes(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    exif[0x010F] = "a camera"

    assert orientation_of(exif.tobytes()) == value


def test_entries_that_all_point_at_the_same_megabytes_cost_none() -> None:
    """Each would be a copy: 4,000 times 8 MB of a file of 8 MB."""
    big = 8 * 1024 * 1024
    entries = [struct.pack("<HHII", 0x8000 + i, 1, big, 8) for i in range(4000)]
    exif = exif_of([*entries, entry(0x0112, 3, 1, 6)], tail=bytes(big))
    content = png_with(chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    tracemalloc.start()
    try:
        picture = decode_for_warp(open_image(content, MAX_PIXELS))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert picture.shape == (6, 4, 3)
    assert peak < 4 * len(content)


@pytest.mark.parametrize(("width", "height"), [(65_536, 1), (1, 65_536)])
def test_a_side_may_not_be_endless(width: int, height: int) -> None:
    """Few pixels as they are, a strip needs tables larger than itself to be made smaller."""
    file = io.BytesIO()
    Image.fromarray(np.zeros((height, width), np.uint8)).save(file, "PNG")

    with pytest.raises(TooManyPixels, match="a side may have 65535"):
        open_image(file.getvalue(), MAX_PIXELS)
    check_pixels(min(width, 65_535), min(height, 65_535), MAX_PIXELS, "it has")
