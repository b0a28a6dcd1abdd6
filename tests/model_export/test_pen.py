"""Strokes made thinner and thicker, against SciPy."""

import numpy as np
import pytest
from scipy import ndimage

from model_export.data import Digits
from model_export.pen import FINE, dilate, erode, redraw, refine, stroke_width

CROSS = ndimage.generate_binary_structure(2, 1)


@pytest.fixture(scope="module")
def fine(sample: Digits) -> np.ndarray:
    """Float32 `(20, 56, 56)`."""
    return refine(sample.test_images[:20].astype(np.float32) / 255).numpy()


def bar(width: int) -> np.ndarray:
    """A bar of ink, `(1, 56, 56)`."""
    image = np.zeros((1, 56, 56), np.float32)
    image[0, 10:46, 20 : 20 + width] = 1
    return image


def test_dilation_and_erosion_are_scipys(fine: np.ndarray) -> None:
    for image, dilated, eroded in zip(fine, dilate(fine), erode(fine), strict=True):
        wanted = ndimage.grey_dilation(image, footprint=CROSS, mode="constant")
        assert dilated.numpy() == pytest.approx(wanted, abs=1e-6)
        wanted = ndimage.grey_erosion(image, footprint=CROSS, mode="constant", cval=1)
        assert eroded.numpy() == pytest.approx(wanted, abs=1e-6)


def test_the_refined_digit_is_scipys_zoom(sample: Digits) -> None:
    digit = sample.test_images[:1].astype(np.float32)

    wanted = ndimage.zoom(digit[0], FINE, order=1, grid_mode=True, mode="nearest")

    assert refine(digit)[0].numpy() == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("width", [3, 6, 9])
def test_the_width_of_a_bar_is_seen(width: int) -> None:
    """It is seen a little narrower than it is, since an erosion takes off its ends too."""
    assert stroke_width(bar(width)).numpy() == pytest.approx([width], rel=0.2)


@pytest.mark.parametrize(("before", "wanted"), [(6, 2), (6, 8), (4, 12), (8, 8)])
def test_a_bar_is_redrawn_with_the_width_that_is_wanted(before: int, wanted: int) -> None:
    drawn = redraw(bar(before), np.array([wanted], np.float32))[0].numpy()

    # As exact as the estimate of the width it had.
    assert drawn[28].sum() == pytest.approx(wanted, abs=1.2)


def test_digits_get_the_same_width_whatever_pen_drew_them(fine: np.ndarray) -> None:
    widths = stroke_width(redraw(fine, np.full(20, 9, np.float32))).numpy()

    assert widths == pytest.approx(np.full(20, 9), abs=2)
    assert widths.std() < stroke_width(fine).numpy().std()


def test_the_thinnest_pen_leaves_ink(fine: np.ndarray) -> None:
    drawn = redraw(fine, np.full(20, 2 * 1.2, np.float32)).numpy()

    assert (drawn.max(axis=(1, 2)) > 0.5).all()
    assert drawn.min() >= 0
    assert drawn.max() <= 1
