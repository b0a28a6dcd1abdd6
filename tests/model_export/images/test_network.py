"""What a classifier of pictures is built of, moved by, and drawn with."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from model_export.images.augment import move_at_random
from model_export.images.command import SIZES
from model_export.images.config import TRANSFORMS
from model_export.images.figures import (
    draw_confusion,
    draw_pairs,
    outline_of,
    shortened,
)
from model_export.images.network import build
from model_export.images.reading import PictureSpec
from model_export.images.readings import Readings
from model_export.pacing import SPATIAL_TRANSFORMER
from model_export.pictures import write_figure


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_smallest_input_is_large_enough(transform: str) -> None:
    model = build(PictureSpec(SIZES[0], SIZES[0], 3, 0), 2, transform, 0.3)

    assert model(tf.zeros((1, SIZES[0], SIZES[0], 3)))["logits"].shape == (1, 2)


@pytest.mark.parametrize(("background", "outside"), [(0, 0.0), (255, 1.0)])
def test_outside_of_a_light_picture_it_is_light(background: int, outside: float) -> None:
    model = build(PictureSpec(32, 32, 1, background), 2, "affine", 0.3)
    # A theta as far off as its bounds allow.
    localizer = model.get_layer(SPATIAL_TRANSFORMER).trainable_variables
    localizer[-1].assign(tf.fill(localizer[-1].shape, 9.0))

    outputs = model(tf.ones((1, 32, 32, 1)))

    assert np.abs(outputs["theta"][0, 2]) > 0.3, "it does look outside"
    assert outputs["warped"].numpy().min() == pytest.approx(outside, abs=1e-5)


def moved(strength: float, background: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return where two dots, at the middle and ten pixels right of it, have gone: `(x, y)` each."""
    count, side = 400, 61
    places = []
    for column in (30, 40):
        pictures = np.full((count, side, side, 1), background, np.float32)
        pictures[:, 29:32, column - 1 : column + 2] = 1.0
        after = move_at_random(tf.constant(pictures), strength, background, tf.constant([1, 2]))
        ink = after.numpy()[..., 0] - background
        rows, columns = np.mgrid[:side, :side]
        total = ink.sum(axis=(1, 2))
        places.append(np.stack([(ink * columns).sum((1, 2)), (ink * rows).sum((1, 2))]) / total)
    return places[0].T - 30, places[1].T - 30


def test_pictures_are_turned_scaled_and_shifted_as_far_as_is_said() -> None:
    middle, right = moved(1.0)
    arm = right - middle

    length = np.hypot(*arm.T) / 10
    degrees = np.degrees(np.arctan2(arm[:, 1], arm[:, 0]))
    # A tenth of the side, seen through a fifth in size.
    assert 5 < np.abs(middle).max() < 6 * 1.2 * np.sqrt(2)
    assert (length.min(), length.max()) == pytest.approx((1 / 1.2, 1.2), abs=0.04)
    assert (degrees.min(), degrees.max()) == pytest.approx((-15, 15), abs=1.5)


def test_at_strength_nothing_they_stay() -> None:
    middle, right = moved(0.0)

    assert np.abs(middle).max() < 1e-4
    assert right == pytest.approx(np.broadcast_to([10, 0], right.shape), abs=1e-4)


def test_what_comes_in_from_outside_is_the_ground() -> None:
    pictures = tf.fill((50, 32, 32, 1), 0.75)

    after = move_at_random(pictures, 3.0, 0.75, tf.constant([1, 2]))

    assert after.numpy() == pytest.approx(0.75, abs=1e-5)


def test_the_outline_is_in_pixels_clockwise_from_the_top_left() -> None:
    half = np.array([0.5, 0, 0.5, 0, 0.5, 0.5], np.float32)

    outline = outline_of(half, "affine", (21, 41))

    # The lower right quarter of a picture of 41 x 21: 0 to 1 in both coordinates.
    assert outline[0] == pytest.approx((20, 10))
    assert outline[len(outline) // 4] == pytest.approx((40, 10), abs=1e-4)
    assert outline[len(outline) // 2] == pytest.approx((40, 20), abs=1e-4)
    assert outline.min(axis=0) == pytest.approx((20, 10), abs=1e-4)


def test_a_label_takes_no_more_room_than_there_is() -> None:
    assert shortened("a" * 16) == "a" * 16
    assert shortened("a" * 17) == "a" * 15 + "…"


def test_labels_that_look_like_mathematics_are_drawn(tmp_path: Path) -> None:
    labels = ("$x^$", "costs $5 and $6, which is a lot more than there is room for")
    readings = Readings(
        labels,
        np.array(["1", "2"]),
        np.array([0, 1]),
        np.array([[0.9, 0.1], [0.2, 0.8]]),
        np.zeros((2, 6)),
    )
    images = np.zeros((2, 28, 28, 1), np.uint8)
    titles = [(label, label, True) for label in labels]

    write_figure(draw_confusion(readings), tmp_path / "confusion.png")
    write_figure(
        draw_pairs(images, images / 255, np.tile([1.0, 0, 0, 0, 1, 0], (2, 1)), "affine", titles),
        tmp_path / "pairs.png",
    )
