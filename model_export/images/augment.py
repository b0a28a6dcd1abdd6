"""Pictures moved at random, by the very operation that the network undoes it with."""

import math

import tensorflow as tf

from stn import warp

_DEGREES, _ZOOM, _SHIFT = 15.0, 0.2, 0.1


def move_at_random(
    images: tf.Tensor, strength: float, background: float, seed: tf.Tensor
) -> tf.Tensor:
    """Turn, scale and shift each image by an affine theta of its own.

    Args:
        images: float32 `(batch, height, width, channels)` in [0, 1].
        strength: 1 is up to 15 degrees, a fifth in size and a tenth of a side; 0 gives the images.
        background: what comes in from outside.
        seed: int32 `(2,)`.
    """
    if not strength:
        return images
    count = tf.shape(images)[0]
    turn, grow, x, y = tf.unstack(2 * tf.random.stateless_uniform([4, count], seed) - 1)
    radians = turn * strength * math.radians(_DEGREES)
    scale = tf.exp(grow * strength * math.log(1 + _ZOOM))
    cosine, sine = scale * tf.cos(radians), scale * tf.sin(radians)
    # Normalised coordinates are two to a side.
    x, y = (2 * _SHIFT * strength * shift for shift in (x, y))
    theta = tf.stack([cosine, -sine, x, sine, cosine, y], axis=1)
    return warp(images, theta, padding="constant", fill_value=background)
