"""This library, as a training step and as a stock server run it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.warp.cases import Array, Case
from stn import warp

Call = Callable[[], object]


def forward(case: Case, theta: Array, transform: str = "affine", compiled: bool = True) -> Call:
    """Return the warp alone, in a graph."""
    image, theta = tf.constant(case.image()), tf.constant(theta)

    @tf.function(autograph=False)
    def run(image: tf.Tensor, theta: tf.Tensor) -> tf.Tensor:
        return warp(image, theta, transform, case.size, training=compiled)

    step = run.get_concrete_function(image, theta)
    return lambda: step(image, theta)


def backward(case: Case, theta: Array, to_image: bool = True) -> Call:
    """Return forward and backward, with respect to theta alone or to the image too."""
    image, theta, upstream = (tf.constant(a) for a in (case.image(), theta, case.upstream()))

    @tf.function(autograph=False)
    def run(image: tf.Tensor, theta: tf.Tensor, upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            wanted = [theta, image] if to_image else [theta]
            tape.watch(wanted)
            warped = warp(image, theta, output_size=case.size, training=True)
        return warped, *tape.gradient(warped, wanted, output_gradients=upstream)

    step = run.get_concrete_function(image, theta, upstream)
    return lambda: step(image, theta, upstream)


def as_numpy(result: Any) -> np.ndarray:
    """Return the first tensor of a result."""
    first = result[0] if isinstance(result, tuple | list) else result
    return np.asarray(first.numpy())
