"""Where the pixels of a picture land on a classifier's input."""

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from service.fitting import FIT_MODES, FitMode
from service.images import FittedImage, InputSpec, decode_for_model, open_image
from tests.service.pictures import encoded, noise, photo

LIMIT = 20_000_000
SPEC = InputSpec(height=30, width=42, channels=1, background=0)


def fitted(
    picture: np.ndarray, mode: FitMode = "pad", invert: bool = False, spec: InputSpec = SPEC
) -> FittedImage:
    return decode_for_model(open_image(encoded(picture), LIMIT), spec, mode, invert)


@pytest.mark.parametrize("mode", FIT_MODES)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_of_the_right_size_is_passed_on_bit_for_bit(mode: FitMode, channels: int) -> None:
    picture = noise(30, 42, None if channels == 1 else 3)

    result = fitted(picture, mode, spec=InputSpec(30, 42, channels, 0))

    np.testing.assert_array_equal(result.pixels.squeeze(), picture)
    assert result.fit.to_picture(5.0, 7.0) == (5.0, 7.0)


def centre_of_mass(pixels: np.ndarray) -> tuple[float, float]:
    """Return where the light is, `(x, y)`, in pixels."""
    light = pixels[..., 0].astype(float)
    rows, columns = np.indices(light.shape)
    return float((light * columns).sum() / light.sum()), float((light * rows).sum() / light.sum())


@given(
    width=st.integers(6, 400),
    height=st.integers(6, 400),
    mode=st.sampled_from(FIT_MODES),
    where=st.tuples(st.floats(0.4, 0.6), st.floats(0.4, 0.6)),
)
@settings(max_examples=150)
def test_a_mark_lands_where_the_fit_says(
    width: int, height: int, mode: FitMode, where: tuple[float, float]
) -> None:
    """The light of a marked spot, brought back by `Fit.to_picture`, is where it was drawn."""
    side = max(1, min(width, height) // 8)
    left, top = int(where[0] * (width - side)), int(where[1] * (height - side))
    picture = np.zeros((height, width), np.uint8)
    picture[top : top + side, left : left + side] = 255

    result = fitted(picture, mode)
    assert result.pixels.shape == (30, 42, 1)
    if result.pixels.sum() < 600:
        return  # less light than rounding to whole greys leaves readable
    x, y = result.fit.to_picture(*centre_of_mass(result.pixels))

    # Within a quarter of a pixel of the input, in pixels of the picture.
    assert x == pytest.approx(left + (side - 1) / 2, abs=max(0.25 / result.fit.scale[0], 0.3))
    assert y == pytest.approx(top + (side - 1) / 2, abs=max(0.25 / result.fit.scale[1], 0.3))


def box_mean(picture: np.ndarray, left: float, top: float, right: float, bottom: float) -> float:
    rows = slice(max(0, math.floor(top)), max(1, math.ceil(bottom)))
    return float(picture[rows, max(0, math.floor(left)) : max(1, math.ceil(right))].mean())


@pytest.mark.parametrize("size", [(300, 420), (100, 420), (300, 84), (61, 85), (900, 900)])
@pytest.mark.parametrize("mode", FIT_MODES)
def test_each_pixel_is_the_mean_of_what_it_covers(mode: FitMode, size: tuple[int, int]) -> None:
    """Antialiased: on a smooth picture the mean over a pixel's footprint is the right answer."""
    rows, columns = np.indices(size)
    smooth = 120 + 60 * np.sin(rows / size[0] * 5) + 60 * np.cos(columns / size[1] * 4)
    picture = smooth.round().astype(np.uint8)

    result = fitted(picture, mode)

    checked = 0
    for row in range(30):
        for column in range(42):
            x, y = result.fit.to_picture(column, row)
            half_x, half_y = 0.5 / result.fit.scale[0], 0.5 / result.fit.scale[1]
            inside = half_x <= x <= size[1] - half_x and half_y <= y <= size[0] - half_y
            if inside:
                mean = box_mean(picture, x - half_x, y - half_y, x + half_x + 1, y + half_y + 1)
                assert abs(result.pixels[row, column, 0] - mean) < 12
                checked += 1
    assert checked > 200


@pytest.mark.parametrize("background", [0, 255])
@pytest.mark.parametrize("invert", [False, True])
def test_the_margins_of_pad_are_empty(background: int, invert: bool) -> None:
    """Empty as the model understands it, whatever the picture is and whether it is inverted."""
    spec = InputSpec(30, 42, 1, background)

    result = fitted(np.full((10, 60), 77, np.uint8), "pad", invert, spec)

    assert (result.pixels[:11] == background).all()
    assert (result.pixels[-11:] == background).all()
    assert (result.pixels[13:-13] == (178 if invert else 77)).all()


def test_invert_swaps_dark_and_light() -> None:
    picture = noise(30, 42, None)

    np.testing.assert_array_equal(fitted(picture, invert=True).pixels[..., 0], 255 - picture)


@pytest.mark.parametrize("mode", FIT_MODES)
@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (15, 15), (46, 15), (3, 2)])
def test_odd_sizes_fit(mode: FitMode, size: tuple[int, int]) -> None:
    """One pixel, one line, and the sizes at which rounding once left the picture."""
    result = fitted(np.full(size, 200, np.uint8), mode)

    assert result.pixels.shape == (30, 42, 1)
    assert result.pixels.max() == 200


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("mode", FIT_MODES)
@pytest.mark.parametrize("size", [(480, 640), (1203, 401)])
def test_a_jpeg_reduced_by_its_decoder_is_close_to_the_full_one(
    mode: FitMode, size: tuple[int, int], orientation: int
) -> None:
    """Decoding an eighth of the pixels is a matter of speed, not of what the model sees."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth = photo(96, 96).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    content = encoded(smooth, "JPEG", quality=90, exif=exif)
    with Image.open(io.BytesIO(content)) as picture:
        full = encoded(
            picture.transpose(Image.Transpose.ROTATE_270) if orientation == 6 else picture
        )
    spec = InputSpec(30, 42, 3, 0)

    reduced = decode_for_model(open_image(content, LIMIT), spec, mode)
    complete = decode_for_model(open_image(full, LIMIT), spec, mode)

    assert reduced.fit == complete.fit
    difference = np.abs(reduced.pixels.astype(int) - complete.pixels)
    assert difference.mean() < 2
    assert difference.max() < 32


def test_a_large_jpeg_is_reduced_by_its_decoder() -> None:
    """Asked for 42 x 30 pixels, the decoder of a 1,600 x 1,200 photo makes an eighth each way."""
    image = open_image(encoded(photo(1200, 1600), "JPEG"), LIMIT)

    decode_for_model(image, SPEC)

    assert image.size == (200, 150)
