"""The test sets of digits as people draw and photograph them."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from model_export.data import Digits
from model_export.distortion import CANVAS, TEST_SEED, draw_placements
from model_export.pen import refine, stroke_width
from model_export.shifts import ALL_AT_ONCE, ANYHOW, SHIFTS, Shift, draw_shifted, shifted_set

EVERY = (*SHIFTS, ALL_AT_ONCE)
FIRST_PLACEMENTS = {
    "small": [0.093, 0.536, 26.231, 18.262],
    "large": [-0.079, 1.683, 24.102, 21.638],
    "thin": [-0.191, 1.228, 19.073, 18.521],
    "thick": [0.17, 1.019, 10.477, 22.258],
    "off_centre": [0.065, 0.922, 21.039, 8.72],
    "turned": [1.001, 1.113, 16.771, 19.1],
    "paper": [0.237, 1.151, 14.227, 16.393],
    "all_at_once": [-0.842, 1.199, 12.021, 16.675],
}
BY_NAME = {shift.name: shift for shift in EVERY}


def drawn(sample: Digits, name: str, count: int = 200) -> np.ndarray:
    return shifted_set(sample.test_images[:count], BY_NAME[name])[0] / 255


def extent(pictures: np.ndarray) -> np.ndarray:
    """The longer side of the box around the ink of each picture."""
    boxes = [ndimage.find_objects((picture > 0.3).astype(int))[0] for picture in pictures]
    return np.array([max(side.stop - side.start for side in box) for box in boxes])


@pytest.mark.parametrize("shift", EVERY, ids=lambda shift: shift.name)
def test_the_placements_of_the_published_figures_never_change(shift: Shift) -> None:
    """Radians, scale, x and y of the first digit, as they were when the figures were measured."""
    placement = draw_placements(shift.family, 1000, tf.constant([TEST_SEED + shift.stream, 0]))

    first = [float(values[0]) for values in placement]
    assert first == pytest.approx(FIRST_PLACEMENTS[shift.name], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "mean"), [("thick", 37.132), ("paper", 74.245), ("all_at_once", 80.345)]
)
def test_pens_and_papers_of_the_published_figures_never_change(
    name: str, mean: float, sample: Digits
) -> None:
    pictures = shifted_set(sample.test_images[:20], BY_NAME[name])[0]

    assert pictures.mean() == pytest.approx(mean, abs=0.02)


def test_pictures_are_the_same_each_time_and_differ_by_seed(sample: Digits) -> None:
    digits = sample.test_images[:20]

    once, again, other = (shifted_set(digits, ALL_AT_ONCE, seed)[0] for seed in (1, 1, 2))

    assert once.dtype == np.uint8
    assert once.shape == (20, CANVAS, CANVAS)
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_each_shift_has_random_numbers_of_its_own() -> None:
    assert len({shift.stream for shift in (*EVERY, ANYHOW)}) == len(EVERY) + 1


def test_small_digits_are_small_and_large_ones_fill_the_canvas(sample: Digits) -> None:
    small, large = extent(drawn(sample, "small")), extent(drawn(sample, "large"))

    assert np.percentile(small, 95) <= 17
    assert np.percentile(large, 5) >= 29
    assert large.max() <= CANVAS


def test_thin_strokes_are_half_as_wide_as_thick_ones_or_less(sample: Digits) -> None:
    thin, thick = (stroke_width(refine(drawn(sample, name))).numpy() for name in ("thin", "thick"))

    assert np.median(thin) < 0.5 * np.median(thick)
    assert thin.max() < np.median(thick)


def test_digits_off_centre_touch_the_border(sample: Digits) -> None:
    _, placement = shifted_set(sample.test_images[:100], BY_NAME["off_centre"])

    half = 10 * placement.scale.numpy()
    x, y = placement.x.numpy(), placement.y.numpy()
    gaps = np.stack([x - half, y - half, CANVAS - 1 - x - half, CANVAS - 1 - y - half]) + 0.5
    assert gaps.min(axis=0) == pytest.approx(np.zeros(100), abs=1e-3)
    assert all(np.ptp(gap) > 10 for gap in gaps)


def test_turned_digits_are_turned_either_way_by_45_to_60_degrees(sample: Digits) -> None:
    _, placement = shifted_set(sample.test_images[:500], BY_NAME["turned"])
    degrees = np.degrees(placement.radians)

    assert (np.abs(degrees).min(), np.abs(degrees).max()) == pytest.approx((45, 60), abs=0.3)
    assert 0.4 < (degrees > 0).mean() < 0.6


def test_paper_is_grey_and_noisy_and_ink_stands_out(sample: Digits) -> None:
    pictures = drawn(sample, "paper")
    grounds = np.median(pictures, axis=(1, 2))

    assert np.mean(grounds > 0.1) > 0.5
    lightest = np.percentile(pictures, 99, axis=(1, 2))
    assert (lightest - grounds).min() > 0.15


def test_a_shift_without_pen_and_paper_is_the_digit_enlarged_turned_and_averaged(
    sample: Digits,
) -> None:
    """SciPy's affine transform of the refined digit, at twice the size, two by two averaged."""
    digits = sample.test_images[:3].astype(np.float32) / 255

    pictures, placement = draw_shifted(digits, BY_NAME["turned"], tf.constant([1, 2]))

    for number, digit in enumerate(refine(digits).numpy()):
        radians, scale, x, y = (float(values[number]) for values in placement)
        cosine, sine = math.cos(radians) / scale, math.sin(radians) / scale
        # Rows come first here: from (row, column) of the canvas to (row, column) of the digit.
        matrix = np.array([[cosine, -sine], [sine, cosine]])
        centre = np.array([2 * y + 0.5, 2 * x + 0.5])
        twice = ndimage.affine_transform(
            digit, matrix, 27.5 - matrix @ centre, (84, 84), order=1, mode="grid-constant"
        )
        wanted = twice.reshape(42, 2, 42, 2).mean(axis=(1, 3))
        assert pictures[number].numpy() == pytest.approx(wanted, abs=2e-3)


def test_jitter_shears_and_stretches(sample: Digits) -> None:
    digits = sample.test_images[:50].astype(np.float32) / 255
    plain = Shift("plain", ANYHOW.family, stream=0)
    bent = Shift("bent", ANYHOW.family, stream=0, jitter=0.08)

    one, other = (draw_shifted(digits, shift, tf.constant([1, 2]))[0] for shift in (plain, bent))

    assert not np.allclose(one, other)
    ink = [float(tf.reduce_sum(pictures)) for pictures in (one, other)]
    assert ink[1] == pytest.approx(ink[0], rel=0.1)


@pytest.mark.parametrize("shift", [*EVERY, ANYHOW], ids=lambda shift: shift.name)
def test_every_shift_says_what_it_draws(shift: Shift) -> None:
    said = shift.describe()

    assert ("strokes" in said) == bool(shift.share_pen)
    assert ("paper: " in said) == bool(shift.share_paper)
