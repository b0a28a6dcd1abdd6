"""From words to theta."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.geometry import Transform, compose
from stn_client import affine

angles = st.floats(-180, 180)
scales = st.floats(0.1, 10)
shifts = st.floats(-2, 2)


@given(angles, scales, scales, st.floats(-44, 44), shifts, shifts)
def test_the_words_are_those_of_the_answers(
    rotate: float, x: float, y: float, shear: float, right: float, down: float
) -> None:
    """The oracle is the gateway's own arithmetic, the other way round."""
    ours = affine(rotate=rotate, scale=(x, y), shear=shear, translate=(right, down))

    expected = compose(Transform(rotate, (x, y), shear, (right, down), mirrored=False))
    np.testing.assert_allclose(ours, expected, atol=1e-12)


@given(angles, scales, st.integers(2, 5000), st.integers(2, 5000))
def test_a_turn_is_one_in_pixels_whatever_the_shape(
    rotate: float, scale: float, width: int, height: int
) -> None:
    """Right angles stay right, and lengths are all scaled alike."""
    a, b, _, c, d, _ = affine(rotate=rotate, scale=scale, size=(width, height))
    # From normalised coordinates to pixels and back.
    across, down = (width - 1) / 2, (height - 1) / 2
    in_pixels = np.array([[a, b * across / down], [c * down / across, d]])

    np.testing.assert_allclose(in_pixels @ in_pixels.T, scale**2 * np.eye(2), atol=1e-9 * scale**2)
    turned = math.degrees(math.atan2(in_pixels[1, 0], in_pixels[0, 0]))
    assert math.remainder(turned - rotate, 360) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "wrong", [{"rotate": math.nan}, {"scale": math.inf}, {"size": (0, 5)}, {"size": (5, -1)}]
)
def test_what_is_no_number_or_no_size_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        affine(**wrong)
