"""Every kind of picture becomes the right pixels."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from service.images import InputSpec, decode_for_model, decode_for_warp, open_image
from tests.service.pictures import chunk, encoded, header, noise, photo, png

LIMIT = 1_000_000
GREY = InputSpec(height=6, width=8, channels=1, background=0)
COLOUR = InputSpec(height=6, width=8, channels=3, background=0)
PICTURE = noise(6, 8)
SHADES = noise(6, 8, None)
ALPHA = noise(6, 8, None, seed=1)


def for_warp(content: bytes) -> np.ndarray:
    return decode_for_warp(open_image(content, LIMIT))


def for_model(content: bytes, spec: InputSpec, invert: bool = False) -> np.ndarray:
    return decode_for_model(open_image(content, LIMIT), spec, invert=invert).pixels


def luma(colours: np.ndarray) -> np.ndarray:
    """ITU-R 601-2: what grey a colour has."""
    return colours @ np.array([0.299, 0.587, 0.114])


def over(colours: np.ndarray, alpha: np.ndarray, background: int) -> np.ndarray:
    share = alpha / 255
    return colours * share + background * (1 - share)


def test_grey_stays_grey() -> None:
    content = encoded(SHADES)

    np.testing.assert_array_equal(for_warp(content)[..., 0], SHADES)
    np.testing.assert_array_equal(for_model(content, GREY)[..., 0], SHADES)
    np.testing.assert_array_equal(for_model(content, COLOUR), np.dstack([SHADES] * 3))


def test_colour_stays_colour() -> None:
    content = encoded(PICTURE)

    np.testing.assert_array_equal(for_warp(content), PICTURE)
    np.testing.assert_array_equal(for_model(content, COLOUR), PICTURE)
    np.testing.assert_allclose(for_model(content, GREY)[..., 0], luma(PICTURE), atol=1)


def test_one_bit_is_black_and_white() -> None:
    bits = SHADES > 127
    content = encoded(Image.fromarray(bits))
    expected = bits.astype(np.uint8) * 255

    np.testing.assert_array_equal(for_warp(content)[..., 0], expected)
    np.testing.assert_array_equal(for_model(content, GREY)[..., 0], expected)


@pytest.mark.parametrize("background", [0, 255])
@pytest.mark.parametrize("invert", [False, True])
def test_grey_with_alpha_lies_over_the_background_of_an_empty_picture(
    background: int, invert: bool
) -> None:
    """The paper is what the model takes for empty, also when dark and light are swapped."""
    content = encoded(Image.fromarray(np.dstack([SHADES, ALPHA]), "LA"))
    spec = InputSpec(6, 8, 1, background)
    shades = 255 - SHADES if invert else SHADES

    pixels = for_model(content, spec, invert)

    np.testing.assert_allclose(pixels[..., 0], over(shades, ALPHA, background), atol=1)
    assert for_warp(content).shape == (6, 8, 2)
    np.testing.assert_array_equal(for_warp(content)[..., 1], ALPHA)


@pytest.mark.parametrize("background", [0, 255])
@pytest.mark.parametrize("invert", [False, True])
def test_colour_with_alpha_lies_over_the_background(background: int, invert: bool) -> None:
    content = encoded(np.dstack([PICTURE, ALPHA]))
    spec = InputSpec(6, 8, 3, background)
    colours = 255 - PICTURE if invert else PICTURE

    pixels = for_model(content, spec, invert)

    np.testing.assert_allclose(pixels, over(colours, ALPHA[..., None], background), atol=1)
    np.testing.assert_array_equal(for_warp(content), np.dstack([PICTURE, ALPHA]))


def test_black_ink_on_nothing_is_seen() -> None:
    """Ink drawn on a transparent layer, the commonest picture of a drawing program."""
    drawn = np.zeros((6, 8, 4), np.uint8)
    drawn[2, 3, 3] = 255

    pixels = for_model(encoded(drawn), GREY, invert=True)[..., 0]

    assert pixels[2, 3] == 255
    assert pixels.sum() == 255


def test_a_palette_becomes_its_colours() -> None:
    picture = Image.fromarray(PICTURE).quantize(16)
    colours = np.asarray(picture.convert("RGB"))

    np.testing.assert_array_equal(for_warp(encoded(picture)), colours)
    np.testing.assert_array_equal(for_model(encoded(picture), COLOUR), colours)


def test_a_palette_with_transparency_has_alpha() -> None:
    """Entry 0 is red and half transparent, entry 1 is green and solid."""
    picture = Image.new("P", (8, 6), 1)
    picture.putpalette([200, 0, 0, 0, 100, 0])
    picture.putpixel((3, 2), 0)
    content = encoded(picture, transparency=b"\x80\xff")

    warped = for_warp(content)
    assert warped[2, 3].tolist() == [200, 0, 0, 128]
    assert warped[0, 0].tolist() == [0, 100, 0, 255]
    pixels = for_model(content, COLOUR)
    assert pixels[0, 0].tolist() == [0, 100, 0]
    np.testing.assert_allclose(pixels[2, 3], [100, 0, 0], atol=1)


def test_a_transparent_colour_is_transparent() -> None:
    """A PNG without alpha may name one colour that is not there (tRNS)."""
    picture = np.full((6, 8, 3), 90, np.uint8)
    picture[2, 3] = (1, 2, 3)
    content = encoded(picture, transparency=(1, 2, 3))

    assert for_warp(content)[2, 3, 3] == 0
    assert for_warp(content)[0, 0].tolist() == [90, 90, 90, 255]
    assert for_model(content, InputSpec(6, 8, 3, 255))[2, 3].tolist() == [255] * 3


def test_a_transparent_grey_is_transparent() -> None:
    picture = np.full((6, 8), 90, np.uint8)
    picture[2, 3] = 7
    content = encoded(picture, transparency=7)

    assert for_warp(content)[2, 3].tolist() == [7, 0]
    assert for_model(content, InputSpec(6, 8, 1, 255))[2, 3, 0] == 255


def test_sixteen_bit_grey_keeps_its_depth_for_warping() -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (6, 8)).astype(np.uint16)
    content = encoded(Image.fromarray(deep))

    warped = for_warp(content)
    assert warped.dtype == np.uint16
    np.testing.assert_array_equal(warped[..., 0], deep)
    np.testing.assert_allclose(for_model(content, GREY)[..., 0], deep / 257, atol=0.51)


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_other_sixteen_bit_pictures_keep_their_upper_bits(colour: int, channels: int) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (6, 8, channels)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in deep)

    pixels = for_warp(png(header(8, 6, 16, colour), rows))

    if channels == 2:
        pixels = pixels[..., [0, 3]] if pixels.shape[2] == 4 else pixels
    np.testing.assert_allclose(pixels, deep / 257, atol=1)


@pytest.mark.parametrize("colour", [0, 2])
def test_sixteen_bits_with_a_transparent_colour_are_read(colour: int) -> None:
    """The colour that tRNS names has 16 bits too, more than a converted pixel has."""
    channels = 1 if colour == 0 else 3
    deep = np.full((6, 8, channels), 0x1234, ">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    content = png(header(8, 6, 16, colour), rows, chunk(b"tRNS", b"\xff\xfe" * channels))

    assert for_model(content, COLOUR)[0, 0].tolist() == [0x12] * 3
    assert for_warp(content).shape[:2] == (6, 8)


def test_a_cmyk_jpeg_is_colour() -> None:
    """Printers' JPEGs have four inks; red is no cyan, all magenta and all yellow."""
    picture = Image.new("CMYK", (8, 6), (0, 255, 255, 0))

    content = encoded(picture, "JPEG", quality=95)

    np.testing.assert_allclose(for_warp(content)[3, 4], [255, 0, 0], atol=4)
    np.testing.assert_allclose(for_model(content, COLOUR)[3, 4], [255, 0, 0], atol=4)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 95}])
def test_webp_is_read(options: dict[str, int]) -> None:
    picture = photo(6, 8)
    content = encoded(picture, "WEBP", **options)

    difference = np.abs(for_warp(content).astype(int) - np.asarray(picture, int))
    assert difference.max() == 0 if "lossless" in options else difference.mean() < 16


def test_webp_with_alpha_is_read() -> None:
    picture = np.dstack([PICTURE, ALPHA])
    content = encoded(picture, "WEBP", lossless=True, exact=True)

    np.testing.assert_array_equal(for_warp(content), picture)


@pytest.mark.parametrize("quality", [40, 90])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_is_read(quality: int, progressive: bool) -> None:
    picture = Image.new("RGB", (8, 6), (10, 200, 30))
    content = encoded(picture, "JPEG", quality=quality, progressive=progressive)

    np.testing.assert_allclose(for_model(content, COLOUR)[2, 2], [10, 200, 30], atol=12)


def test_an_interlaced_png_is_read() -> None:
    """Adam7 of a single pixel: one pass of one row."""
    content = png(header(1, 1, 8, 0, interlace=1), b"\0\x2a")

    assert for_warp(content).tolist() == [[[0x2A]]]


def test_a_gamma_or_a_profile_changes_nothing() -> None:
    """Pixels are taken as they are, as the training data was."""
    content = png(
        header(2, 1, 8, 0),
        b"\0\x10\x20",
        chunk(b"gAMA", struct.pack(">I", 100_000)),
        chunk(b"iCCP", b"any\0\0" + zlib.compress(b"not a profile")),
    )

    assert for_warp(content)[0, :, 0].tolist() == [0x10, 0x20]
