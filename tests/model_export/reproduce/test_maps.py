"""Maps against slow, obvious NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from model_export.reproduce.maps import Maps, draw, from_corners, similarity
from tests.numpy_reference import sample_at


def numbers(*values: float) -> tf.Tensor:
    return tf.constant(values, tf.float32)


def oracle(digit: np.ndarray, homography: np.ndarray, canvas: int) -> np.ndarray:
    """Look each pixel of the canvas up on the digit, one by one."""
    points = np.zeros((canvas, canvas, 2))
    middle = (canvas - 1) / 2
    for row in range(canvas):
        for column in range(canvas):
            u, v, w = homography @ [column - middle, row - middle, 1.0]
            points[row, column] = u / w / 13.5, v / w / 13.5
    return sample_at(digit[..., np.newaxis], points)[..., 0]


@pytest.fixture(scope="module")
def digit() -> np.ndarray:
    return np.random.default_rng(1).random((28, 28)).astype(np.float32)


def test_a_digit_that_is_turned_scaled_and_moved_lies_where_the_oracle_puts_it(
    digit: np.ndarray,
) -> None:
    homography = similarity(numbers(0.5), numbers(0.8), numbers(3.0), numbers(-2.0))

    drawn = draw(digit[np.newaxis], Maps(homography), 42)[0].numpy()

    assert drawn == pytest.approx(oracle(digit, homography[0].numpy(), 42), abs=1e-4)


def test_convention_angles_turn_clockwise_and_y_points_down() -> None:
    """A dot at the right of the middle goes below it by a quarter turn."""
    dot = np.zeros((1, 28, 28), np.float32)
    dot[0, 13:15, 22] = 1

    turned = draw(dot, Maps(similarity(numbers(np.pi / 2), *map(numbers, (1.0, 0.0, 0.0)))), 28)

    assert np.argwhere(turned[0].numpy() > 0.5).tolist() == [[22, 13], [22, 14]]


def test_moved_corners_are_mapped_back_to_where_they_were() -> None:
    moves = tf.constant(np.random.default_rng(2).normal(0, 5, (3, 4, 2)), tf.float32)
    corners = 21 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])

    homographies = from_corners(moves, half=21).numpy()

    for homography, moved in zip(homographies, corners + moves.numpy(), strict=True):
        back = np.column_stack([moved, np.ones(4)]) @ homography.T
        assert back[:, :2] / back[:, 2:] == pytest.approx(corners, abs=1e-3)


@pytest.mark.parametrize("training", [False, True])
def test_a_spline_that_does_not_bend_changes_nothing(digit: np.ndarray, training: bool) -> None:
    homography = similarity(numbers(0.3), numbers(1.1), numbers(1.0), numbers(2.0))
    straight = draw(digit[np.newaxis], Maps(homography), 42).numpy()

    bent = draw(digit[np.newaxis], Maps(homography, tf.zeros([1, 32])), 42, training).numpy()

    assert bent == pytest.approx(straight, abs=1e-4)


def test_a_spline_moved_as_a_whole_moves_the_look_by_as_many_pixels(digit: np.ndarray) -> None:
    still = similarity(*map(numbers, (0.0, 1.0, 0.0, 0.0)))
    moves = tf.constant([[2.0, 1.0] * 16])

    bent = draw(digit[np.newaxis], Maps(still, moves), 28).numpy()

    assert bent[0, :-1, :-2] == pytest.approx(digit[1:, 2:], abs=1e-4)
