"""Paper: a grey ground that is lit unevenly, ink that stands out from it, noise, and margins."""

from typing import NamedTuple

import tensorflow as tf

_MARGINS = 10.0


class Paper(NamedTuple):
    """How the picture of each digit of a batch was taken; all tensors `(batch,)`, in [0, 1].

    Attributes:
        ground: of the paper.
        contrast: how much lighter the ink is.
        slope_x: how much lighter the right border is than the left one.
        slope_y: the bottom than the top.
        noise: standard deviation of each pixel.
    """

    ground: tf.Tensor
    contrast: tf.Tensor
    slope_x: tf.Tensor
    slope_y: tf.Tensor
    noise: tf.Tensor


def draw_paper(count: int, seed: tf.Tensor) -> Paper:
    """Draw papers; the same seed, int32 `(2,)`, gives the same ones.

    The ground is uniform between 0 and 0.5, the contrast between 0.35 and what is left to white,
    the noise up to a fifth of the contrast, and the light falls off by up to 0.15 across.
    """
    uniform = tf.random.stateless_uniform([5, count], seed)
    ground = 0.5 * uniform[0]
    contrast = 0.35 + (1 - ground - 0.35) * uniform[1]
    slope = 0.15 * (2 * uniform[2:4] - 1)
    return Paper(ground, contrast, slope[0], slope[1], 0.2 * contrast * uniform[4])


def lay_on_paper(pictures: tf.Tensor, paper: Paper, seed: tf.Tensor) -> tf.Tensor:
    """Show light digits on grey paper instead of on black.

    Args:
        pictures: float32 `(batch, height, width)` in [0, 1], zero where there is no ink.
        paper: one for each.
        seed: int32 `(2,)`, of the noise.

    Returns:
        float32 `(batch, height, width)` in [0, 1].
    """
    ground, contrast, slope_x, slope_y, noise = (
        values[:, tf.newaxis, tf.newaxis] for values in paper
    )
    height, width = pictures.shape[1:]
    x = tf.linspace(-0.5, 0.5, width)[tf.newaxis, tf.newaxis, :]
    y = tf.linspace(-0.5, 0.5, height)[tf.newaxis, :, tf.newaxis]
    grain = noise * tf.random.stateless_normal(tf.shape(pictures), seed)
    lit = ground + slope_x * x + slope_y * y + contrast * pictures + grain
    return tf.clip_by_value(lit, 0.0, 1.0)


def draw_margins(ink: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw margins above and below, or left and right, as fitting an oblong picture leaves them.

    They are up to nine pixels wide, and there are none where they would cut a digit.

    Args:
        ink: float32 `(batch, side, side)`, zero where there is none.
        seed: int32 `(2,)`.

    Returns:
        float32 `(batch, side, side)`: 0 in the margins, 1 elsewhere.
    """
    count, side = tf.shape(ink)[0], ink.shape[1]
    uniform = tf.random.stateless_uniform([2, count], seed)
    margin = tf.floor(_MARGINS * uniform[0])[:, tf.newaxis]
    place = tf.range(side, dtype=tf.float32)
    inside = tf.cast((place >= margin) & (place < side - margin), tf.float32)
    upright = (uniform[1] < 0.5)[:, tf.newaxis, tf.newaxis]
    kept = tf.where(upright, inside[:, :, tf.newaxis], inside[:, tf.newaxis, :])
    lost = tf.reduce_sum(ink * (1 - kept), axis=(1, 2), keepdims=True)
    return tf.where(lost > 0.01 * tf.reduce_sum(ink, axis=(1, 2), keepdims=True), 1.0, kept)
