"""What the experiments draw."""

import numpy as np
import pytest
import tensorflow as tf

from model_export import distortion
from model_export.data import Digits
from model_export.reproduce.augmentation import augment
from model_export.reproduce.experiments import EXPERIMENTS, fixed_set
from model_export.reproduce.maps import Maps
from model_export.reproduce.recipe import Recipe


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_same_seed_gives_the_same_pictures_and_another_others(name: str, few: Digits) -> None:
    sets = [
        fixed_set(EXPERIMENTS[name], few.test_images[:20], few.train_images, seed)
        for seed in (7, 7, 8)
    ]

    assert sets[0].shape == (20, EXPERIMENTS[name].canvas, EXPERIMENTS[name].canvas)
    assert np.array_equal(sets[0], sets[1])
    assert not np.array_equal(sets[0], sets[2])


def test_the_rts_digits_are_those_of_the_shipped_models_card(few: Digits) -> None:
    """The same placements from the same seed; a grey level may round otherwise."""
    ours = fixed_set(EXPERIMENTS["RTS"], few.test_images, few.train_images).astype(int)
    card, _ = distortion.fixed_set(few.test_images)

    assert abs(ours - card).max() <= 1


def test_a_cluttered_digit_is_whole_and_its_clutter_covers_at_most_six_patches(
    few: Digits,
) -> None:
    bright = np.full((50, 28, 28), 200, np.uint8)

    pictures = fixed_set(EXPERIMENTS["TC"], few.test_images[:50], bright)
    clean = fixed_set(EXPERIMENTS["TC"], few.test_images[:50], np.zeros_like(bright))

    strewn = (pictures != clean).sum(axis=(1, 2))
    assert (pictures >= clean).all()
    assert strewn.max() <= 6 * 36
    assert strewn.mean() > 4 * 36
    for picture, digit in zip(clean, few.test_images, strict=False):
        assert picture.sum() == digit.sum(), "a digit lost ink at the border"


def test_rotations_reach_a_quarter_turn_either_way() -> None:
    maps = EXPERIMENTS["R"].maps(2000, tf.constant([1, 0]))
    degrees = np.degrees(np.arctan2(maps.homography[:, 0, 1], maps.homography[:, 0, 0]))

    assert degrees.min() == pytest.approx(-90, abs=1)
    assert degrees.max() == pytest.approx(90, abs=1)


def test_hardly_a_projective_picture_is_folded() -> None:
    """Where the denominator changes its sign, part of the digit lies behind the eye."""
    homography = EXPERIMENTS["P"].maps(10_000, tf.constant([20150605, 0])).homography.numpy()
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])

    def num_folded(half: float) -> int:
        corners = np.concatenate([half * square, np.ones((4, 1))], axis=1)
        return int((homography[:, 2] @ corners.T <= 0).any(axis=1).sum())

    assert num_folded((28 - 1) / 2) <= 2, "of the digit itself"
    assert num_folded((42 - 1) / 2) <= 20, "somewhere on the canvas"


def test_augmentation_of_nothing_is_nothing() -> None:
    maps = EXPERIMENTS["RTS"].maps(5, tf.constant([1, 0]))

    same = augment(maps, Recipe(jitter=0.0, share_bent=0.0), tf.constant([1, 2]))

    assert same.homography.numpy() == pytest.approx(maps.homography.numpy(), abs=1e-6)
    assert same.bend is None


def test_a_share_of_the_digits_is_bent_and_the_elastic_ones_stay_as_they_are() -> None:
    seed = tf.constant([1, 2])
    straight = Maps(tf.eye(3, batch_shape=[1000]))
    elastic = EXPERIMENTS["E"].maps(1000, tf.constant([1, 0]))

    bent = augment(straight, Recipe(share_bent=0.25), seed).bend
    kept = augment(elastic, Recipe(share_bent=0.25), seed).bend

    assert bent is not None
    assert (bent.numpy() != 0).any(axis=1).mean() == pytest.approx(0.25, abs=0.05)
    assert kept is elastic.bend
