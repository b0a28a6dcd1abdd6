"""Distortions on top of an experiment's own, in training alone: there are but 60,000 digits."""

import tensorflow as tf

from model_export.reproduce.maps import NUM_CONTROLS, Maps
from model_export.reproduce.recipe import Recipe


def augment(maps: Maps, recipe: Recipe, seed: tf.Tensor) -> Maps:
    """Shear and stretch each digit a little, and bend a share of them.

    Args:
        maps: of the experiment.
        recipe: how much.
        seed: int32 `(2,)`.
    """
    count = tf.shape(maps.homography)[0]
    square = tf.random.stateless_normal([count, 2, 2], seed, stddev=recipe.jitter)
    jitter = tf.eye(3) + tf.pad(square, [[0, 0], [0, 1], [0, 1]])
    homography = jitter @ maps.homography
    if maps.bend is not None or not recipe.share_bent:
        return Maps(homography, maps.bend)
    bent = tf.random.stateless_uniform([count, 1], seed + [0, 1]) < recipe.share_bent
    moves = tf.random.stateless_normal([count, 2 * NUM_CONTROLS], seed + [0, 2])
    return Maps(homography, recipe.bend * moves * tf.cast(bent, tf.float32))
