"""How a picture of any size is laid on a classifier's input."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.fitting import FIT_MODES, FitMode, lay_out

SIDES = st.integers(1, 6000)
INPUTS = st.integers(1, 80)
MODES = st.sampled_from(FIT_MODES)


@given(SIDES, SIDES, INPUTS, INPUTS, MODES)
@example(15, 46, 42, 42, "crop")
@example(30, 30, 42, 42, "crop")
def test_a_layout_stays_within_picture_and_input(
    width: int, height: int, input_width: int, input_height: int, mode: FitMode
) -> None:
    """Not even by a rounding error: decoders refuse a box that begins at -1e-13."""
    layout = lay_out(width, height, input_width, input_height, mode)

    left, top, right, bottom = layout.box
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    x, y = layout.corner
    assert x >= 0
    assert y >= 0
    assert 1 <= layout.size[0] <= input_width - x
    assert 1 <= layout.size[1] <= input_height - y


@given(SIDES, SIDES, INPUTS, INPUTS, MODES)
def test_the_fit_takes_the_box_to_where_it_was_laid(
    width: int, height: int, input_width: int, input_height: int, mode: FitMode
) -> None:
    """The map from picture to input, and back again, agrees with the pixels that are moved."""
    layout = lay_out(width, height, input_width, input_height, mode)
    fit = layout.fit

    for edge, corner, size, axis in (
        (layout.box[0], layout.corner[0], 0, 0),
        (layout.box[1], layout.corner[1], 0, 1),
        (layout.box[2], layout.corner[0], layout.size[0], 0),
        (layout.box[3], layout.corner[1], layout.size[1], 1),
    ):
        assert edge * fit.scale[axis] + fit.offset[axis] == pytest.approx(corner + size, abs=1e-6)
        point = [0.0, 0.0]
        point[axis] = corner + size - 0.5
        assert fit.to_picture(*point)[axis] + 0.5 == pytest.approx(edge, rel=1e-6, abs=1e-6)


def test_pad_keeps_the_aspect_and_centres() -> None:
    """A picture twice as wide as high fills the width and half the height."""
    layout = lay_out(100, 50, 40, 40, "pad")

    assert layout.box == (0, 0, 100, 50)
    assert layout.size == (40, 20)
    assert layout.corner == (0, 10)


def test_stretch_fills_the_input_with_all_of_the_picture() -> None:
    layout = lay_out(100, 50, 40, 30, "stretch")

    assert layout.box == (0, 0, 100, 50)
    assert layout.size == (40, 30)
    assert layout.corner == (0, 0)


def test_crop_takes_the_middle_and_fills_the_input() -> None:
    layout = lay_out(100, 50, 40, 40, "crop")

    assert layout.box == (25, 0, 75, 50)
    assert layout.size == (40, 40)
    assert layout.corner == (0, 0)


@pytest.mark.parametrize("mode", FIT_MODES)
def test_a_picture_of_the_right_size_stays_as_it_is(mode: FitMode) -> None:
    layout = lay_out(42, 28, 42, 28, mode)

    assert layout.box == (0, 0, 42, 28)
    assert layout.size == (42, 28)
    assert layout.corner == (0, 0)
