"""Clutter: small patches of other digits, strewn over a picture."""

import tensorflow as tf

from model_export.distortion import FRAME

PATCH = 6


def scatter_patches(
    pictures: tf.Tensor, others: tf.Tensor, num_patches: int, seed: tf.Tensor
) -> tf.Tensor:
    """Lay patches at random places over pictures; where both have ink, the brighter one shows.

    Args:
        pictures: float32 `(batch, canvas, canvas)`.
        others: float32 `(num, 28, 28)`; each patch is cut from one of them, anywhere.
        num_patches: for each picture.
        seed: int32 `(2,)`.
    """
    batch, canvas = tf.shape(pictures)[0], pictures.shape[1]
    shape = tf.stack([batch, num_patches])

    def choose(key: int, stop: tf.Tensor | int) -> tf.Tensor:
        return tf.random.stateless_uniform(shape, seed + [0, key], 0, stop, tf.int32)

    def window(side: int, row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        step = tf.range(PATCH)
        inside = step[:, tf.newaxis] * side + step
        return (row * side + column)[..., tf.newaxis, tf.newaxis] + inside

    last_cut, last_place = FRAME - PATCH + 1, canvas - PATCH + 1
    cut = window(FRAME, choose(1, last_cut), choose(2, last_cut))
    which = choose(3, tf.shape(others)[0])[..., tf.newaxis, tf.newaxis]
    patches = tf.gather(tf.reshape(others, [-1]), which * FRAME * FRAME + cut)
    place = window(canvas, choose(4, last_place), choose(5, last_place))
    picture = tf.range(batch)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    flat = tf.tensor_scatter_nd_max(
        tf.reshape(pictures, [-1]),
        tf.reshape(picture * canvas * canvas + place, [-1, 1]),
        tf.reshape(patches, [-1]),
    )
    return tf.reshape(flat, [-1, canvas, canvas])
