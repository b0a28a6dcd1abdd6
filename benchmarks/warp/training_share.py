"""What share of a training step of the paper's classifier goes into the warp."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.warp.clock import race
from stn import convolutional_localization, warp

BATCH, SIDE = 256, 42


class _Step(keras.layers.Layer):
    """The image warped by theta, or the image as it is with theta still in the loss."""

    def __init__(self, warped: bool) -> None:
        super().__init__()
        self.warped = warped

    def call(self, inputs: tuple[Any, Any], training: bool | None = None) -> Any:
        images, theta = inputs
        if self.warped:
            return warp(images, theta, training=training is True)
        return images + 1e-9 * tf.reduce_sum(theta)


def _fit(warped: bool) -> Callable[[], object]:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    images = keras.Input((SIDE, SIDE, 1))
    theta = convolutional_localization()(images)
    x = _Step(warped)((images, theta))
    for size in (9, 7):
        x = layers.Conv2D(32, size, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(10)(layers.Flatten()(x))
    model = keras.Model(images, x)
    model.compile(
        keras.optimizers.SGD(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    rng = np.random.default_rng(0)
    batch = tf.constant(rng.random((BATCH, SIDE, SIDE, 1)), tf.float32)
    labels = tf.constant(rng.integers(0, 10, BATCH))
    return lambda: model.train_on_batch(batch, labels)


def share() -> float:
    """Return the part of a step's CPU time that the warp takes, forward and backward."""
    times = race({"with": _fit(True), "without": _fit(False)}, rounds=9, seconds=1.0)
    return 1 - times["without"] / times["with"]
