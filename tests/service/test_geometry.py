"""What theta means, in words and in pixels."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.geometry import UNFITTED, Fit, Transform, compose, decompose, region
from tests.numpy_reference import affine_points

ANGLES = st.floats(-179.9, 179.9)
SHEARS = st.floats(-44.9, 44.9)
SCALES = st.floats(0.01, 100)
SHIFTS = st.floats(-3, 3)
TRANSFORMS = st.builds(
    Transform,
    ANGLES,
    st.tuples(SCALES, SCALES),
    SHEARS,
    st.tuples(SHIFTS, SHIFTS),
    st.booleans(),
)
THETAS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=6, max_size=6).map(np.array)


@given(THETAS)
def test_a_theta_taken_apart_and_put_together_is_the_same(theta: np.ndarray) -> None:
    """It holds for every theta: mirrored, without area, tiny or huge."""
    again = compose(decompose(theta))

    size = np.abs(theta).max()
    np.testing.assert_allclose(again, theta, rtol=1e-9, atol=1e-12 * size)


@given(TRANSFORMS)
def test_a_transform_put_together_and_taken_apart_is_the_same(transform: Transform) -> None:
    """The numbers that people read are the ones that the theta was made of."""
    again = decompose(compose(transform))

    assert again.mirrored == transform.mirrored
    assert again.scale == pytest.approx(transform.scale)
    assert again.translation == transform.translation
    assert again.shear_degrees == pytest.approx(transform.shear_degrees, abs=1e-6)
    turn = math.remainder(again.rotation_degrees - transform.rotation_degrees, 360)
    assert turn == pytest.approx(0, abs=1e-6)


def test_convention_a_turn_is_clockwise_on_the_screen() -> None:
    """A quarter turn takes the x axis of the warped image down the input."""
    quarter = np.array([0.0, -1.0, 0.0, 1.0, 0.0, 0.0])

    assert decompose(quarter).rotation_degrees == pytest.approx(90)


def test_convention_scale_shear_and_translation() -> None:
    """Unequal numbers everywhere, worked out by hand: no two of them can be swapped unseen."""
    # The x axis lies at 45 degrees and is 2 long; the y axis is upright and is 3 long.
    theta = np.array([math.sqrt(2), 0.0, 0.25, math.sqrt(2), 3.0, -0.75])

    transform = decompose(theta)

    assert transform.scale == pytest.approx((2.0, 3.0))
    assert transform.rotation_degrees == pytest.approx(22.5)
    assert transform.shear_degrees == pytest.approx(22.5)
    assert transform.translation == (0.25, -0.75)
    assert not transform.mirrored


def test_convention_a_flip_from_left_to_right_is_a_half_turn_upside_down() -> None:
    """The y axis is the one taken as reversed, so the mirror image has a rotation of 180."""
    transform = decompose(np.array([-1.0, 0, 0, 0, 1.0, 0]))

    assert transform.mirrored
    assert abs(transform.rotation_degrees) == pytest.approx(180)
    assert transform.scale == (1.0, 1.0)


def test_convention_the_region_of_the_identity_is_the_centres_of_the_corner_pixels() -> None:
    """Top left, top right, bottom right, bottom left, each as (x, y)."""
    corners = region(np.array([1.0, 0, 0, 0, 1, 0]), height=3, width=5)

    assert corners == [(0, 0), (4, 0), (4, 2), (0, 2)]


@given(THETAS, st.integers(2, 50), st.integers(2, 50))
def test_the_region_is_where_the_corners_of_the_warped_image_look(
    theta: np.ndarray, height: int, width: int
) -> None:
    """The slow reference, which samples, agrees with the arithmetic, which draws."""
    points = affine_points(theta, (4, 7))
    looked = [points[row, column] for row, column in ((0, 0), (0, 6), (3, 6), (3, 0))]
    expected = [((x + 1) / 2 * (width - 1), (y + 1) / 2 * (height - 1)) for x, y in looked]

    np.testing.assert_allclose(
        region(theta, height, width), expected, rtol=1e-9, atol=1e-9 * (1 + np.abs(theta).max())
    )


def test_a_region_is_told_in_pixels_of_the_picture_not_of_the_input() -> None:
    """A picture enlarged by (2, 4) and moved by (3, 5): edges are mapped, centres are told."""
    fit = Fit(scale=(2.0, 4.0), offset=(3.0, 5.0))

    # Pixel (0, 0) of the picture covers 3..5 and 5..9 of the input: its centre is (3.5, 6.5).
    assert fit.to_picture(3.5, 6.5) == (0.0, 0.0)
    assert fit.to_picture(5.5, 6.5) == (1.0, 0.0)
    assert fit.to_picture(3.5, 10.5) == (0.0, 1.0)


def test_without_a_fit_points_stay() -> None:
    assert UNFITTED.to_picture(2.25, -7.5) == (2.25, -7.5)
