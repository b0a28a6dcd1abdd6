"""Grey paper, against arithmetic done by hand."""

import numpy as np
import pytest
import tensorflow as tf

from model_export.paper import Paper, draw_margins, draw_paper, lay_on_paper

SEED = tf.constant([5, 6])


def paper(**values: float) -> Paper:
    plain = {"ground": 0.3, "contrast": 0.5, "slope_x": 0.0, "slope_y": 0.0, "noise": 0.0}
    return Paper(**{name: tf.constant([value]) for name, value in (plain | values).items()})


def picture() -> np.ndarray:
    """Ink of half strength at one place, `(1, 5, 9)`."""
    image = np.zeros((1, 5, 9), np.float32)
    image[0, 1, 7] = 0.5
    return image


def test_ink_stands_out_from_the_ground() -> None:
    laid = lay_on_paper(picture(), paper(), SEED)[0].numpy()

    assert laid[1, 7] == pytest.approx(0.3 + 0.5 * 0.5)
    laid[1, 7] = 0.3
    assert laid == pytest.approx(np.full((5, 9), 0.3))


def test_convention_slopes_grow_to_the_right_and_downwards() -> None:
    laid = lay_on_paper(np.zeros((1, 5, 9)), paper(slope_x=0.1, slope_y=0.2), SEED)[0].numpy()

    assert laid[2, 8] - laid[2, 0] == pytest.approx(0.1)
    assert laid[4, 4] - laid[0, 4] == pytest.approx(0.2)
    assert laid.mean() == pytest.approx(0.3)


def test_noise_has_the_deviation_it_is_told_and_the_seed() -> None:
    blank = np.zeros((1, 100, 100), np.float32)

    once, again, other = (
        lay_on_paper(blank, paper(noise=0.05), seed).numpy()
        for seed in (SEED, SEED, tf.constant([7, 6]))
    )

    assert once.std() == pytest.approx(0.05, rel=0.05)
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_papers_keep_within_what_is_promised() -> None:
    drawn = Paper(*(np.asarray(values) for values in draw_paper(5_000, SEED)))

    assert (drawn.ground.min(), drawn.ground.max()) == pytest.approx((0, 0.5), abs=0.01)
    assert drawn.contrast.min() == pytest.approx(0.35, abs=0.01)
    assert (drawn.ground + drawn.contrast).max() <= 1
    assert (drawn.noise / drawn.contrast).max() == pytest.approx(0.2, abs=0.01)
    assert np.abs(drawn.slope_x).max() == pytest.approx(0.15, abs=0.01)


def test_margins_are_a_pair_and_never_cut_the_digit() -> None:
    ink = np.zeros((200, 20, 20), np.float32)
    ink[:, 6, 3:17] = 1

    kept = draw_margins(ink, SEED).numpy()

    assert set(np.unique(kept)) == {0.0, 1.0}
    assert (kept * ink == ink).all()
    assert np.array_equal(kept, kept[:, ::-1, ::-1])
    has_rows, has_columns = kept[:, 0, 10] == 0, kept[:, 10, 0] == 0
    assert has_rows.any()
    assert has_columns.any()
    assert not (has_rows & has_columns).any()
