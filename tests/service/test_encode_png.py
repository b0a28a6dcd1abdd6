"""Pictures that go out."""

import io

import numpy as np
import pytest
from PIL import Image

from service.images import decode_for_warp, open_image
from service.png import encode_png
from tests.service.pictures import PNG_SIGNATURE, noise


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(5, 7), (1, 1), (1, 300_000), (1001, 997)])
def test_pixels_survive(channels: int, size: tuple[int, int]) -> None:
    """The largest are encoded in several pieces, the last of which is smaller."""
    pixels = noise(*size, channels)

    again = np.asarray(Image.open(io.BytesIO(encode_png(pixels))))

    np.testing.assert_array_equal(again.reshape(pixels.shape), pixels)


def test_sixteen_bits_survive() -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (5, 7, 1)).astype(np.uint16)

    again = decode_for_warp(open_image(encode_png(pixels), 100))

    assert again.dtype == np.uint16
    np.testing.assert_array_equal(again, pixels)


@pytest.mark.parametrize("size", [(5, 7), (1001, 997)])
def test_nothing_but_pixels_is_written(size: tuple[int, int]) -> None:
    """No time, no software, no profile: header, data, end."""
    content = encode_png(noise(*size))

    chunks, place = [], len(PNG_SIGNATURE)
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        chunks.append(content[place + 4 : place + 8])
        place += length + 12
    assert chunks == [b"IHDR", b"IDAT", b"IEND"]
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.info == {}
