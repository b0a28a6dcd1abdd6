"""The five experiments on distorted digits: what is drawn, on which canvas.

After Jaderberg et al. (2015), section 4.1 and appendix A.4. Where the text leaves a choice, it is
written where it is made.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from model_export.distortion import FRAME, RTS, TEST_SEED, draw_placements
from model_export.reproduce.clutter import scatter_patches
from model_export.reproduce.maps import NUM_CONTROLS, Maps, draw, from_corners, similarity


@dataclass(frozen=True)
class Experiment:
    """A distribution of distorted digits.

    Attributes:
        name: as in the paper's table.
        says: what is drawn, in one line.
        canvas: a side of the picture, in pixels.
        maps: draws so many maps from a seed, int32 `(2,)`.
        num_patches: how many 6 x 6 patches of other digits lie about.
    """

    name: str
    says: str
    canvas: int
    maps: Callable[[int, tf.Tensor], Maps]
    num_patches: int = 0

    def render(
        self,
        digits: tf.Tensor,
        maps: Maps,
        others: tf.Tensor,
        seed: tf.Tensor,
        training: bool = False,
    ) -> tf.Tensor:
        """Draw digits, float32 `(batch, 28, 28)`, and the clutter if there is any.

        Args:
            digits: values of any range; the canvas is zero.
            maps: where each one goes.
            others: `(num, 28, 28)` of the same range, whose patches lie about.
            seed: of the patches, int32 `(2,)`.
            training: see `maps.draw`.
        """
        pictures = draw(digits, maps, self.canvas, training)
        if self.num_patches:
            pictures = scatter_patches(pictures, others, self.num_patches, seed)
        return pictures


def fixed_set(
    experiment: Experiment, digits: np.ndarray, others: np.ndarray, seed: int = TEST_SEED
) -> np.ndarray:
    """Distort each digit once, always the same way.

    Args:
        experiment: what is drawn.
        digits: uint8 `(num, 28, 28)`.
        others: uint8 `(num, 28, 28)`: training digits, never test digits, to take clutter from.
        seed: 20150605 makes the test set that all published figures are about.

    Returns:
        uint8 `(num, canvas, canvas)`; for RTS those of `distortion.fixed_set`, but for rounding.
    """
    maps = experiment.maps(len(digits), tf.constant([seed, 0]))
    pool = tf.constant(others, tf.float32)
    pictures = []
    for start in range(0, len(digits), 1000):
        part = slice(start, start + 1000)
        some = Maps(*(None if values is None else values[part] for values in maps))
        grey = tf.constant(digits[part], tf.float32)
        pictures.append(
            tf.round(experiment.render(grey, some, pool, tf.constant([seed, 100 + start])))
        )
    return tf.cast(tf.concat(pictures, axis=0), tf.uint8).numpy()


def _rotated(count: int, seed: tf.Tensor) -> Maps:
    radians = math.pi / 2 * (2 * tf.random.stateless_uniform([count], seed) - 1)
    zero = tf.zeros([count])
    return Maps(similarity(radians, tf.ones([count]), zero, zero))


def _rts(count: int, seed: tf.Tensor) -> Maps:
    placement = draw_placements(RTS, count, seed)
    middle = (42 - 1) / 2
    return Maps(
        similarity(placement.radians, placement.scale, placement.x - middle, placement.y - middle)
    )


def _projective(count: int, seed: tf.Tensor) -> Maps:
    """The corners that move are those of the whole picture, digit and margin, of 42 x 42.

    So hardly a corner moves across the opposite diagonal: one test digit in 10,000 is folded over
    itself. Were they those of the digit's own frame, it would be one in thirty.
    """
    moves = 5 * tf.random.stateless_normal([count, 4, 2], seed)
    zero = tf.zeros([count])
    shrunk = similarity(zero, _between(0.75, 1.0, count, seed + [0, 1]), zero, zero)
    return Maps(shrunk @ from_corners(moves, half=21))


def _elastic(count: int, seed: tf.Tensor) -> Maps:
    zero = tf.zeros([count])
    shrunk = similarity(zero, _between(0.75, 1.0, count, seed + [0, 1]), zero, zero)
    return Maps(shrunk, 1.5 * tf.random.stateless_normal([count, 2 * NUM_CONTROLS], seed))


def _translated(count: int, seed: tf.Tensor) -> Maps:
    """Whole pixels: the digit itself stays as it was."""
    margin = 60 - FRAME
    places = tf.random.stateless_uniform([2, count], seed, 0, margin + 1, tf.int32)
    x, y = tf.unstack(tf.cast(places, tf.float32) - margin / 2)
    return Maps(similarity(tf.zeros([count]), tf.ones([count]), x, y))


def _between(low: float, high: float, count: int, seed: tf.Tensor) -> tf.Tensor:
    return low + (high - low) * tf.random.stateless_uniform([count], seed)


EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        Experiment("R", "rotation -90 to 90 degrees, on 28 x 28", 28, _rotated),
        Experiment(
            "RTS", "rotation -45 to 45 degrees, scale 0.7 to 1.2, anywhere on 42 x 42", 42, _rts
        ),
        Experiment(
            "P",
            "scale 0.75 to 1, then each corner of the 42 x 42 picture moved by N(0, 5 pixels)",
            42,
            _projective,
        ),
        Experiment(
            "E",
            "scale 0.75 to 1, then 4 x 4 control points of a thin-plate spline moved by "
            "N(0, 1.5 pixels), on 28 x 28",
            28,
            _elastic,
        ),
        Experiment(
            "TC",
            "anywhere on 60 x 60, with six 6 x 6 patches of training digits",
            60,
            _translated,
            num_patches=6,
        ),
    )
}
