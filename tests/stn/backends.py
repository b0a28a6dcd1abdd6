"""The ways in which the same warp can run."""

from collections.abc import Callable

import tensorflow as tf

Run = Callable[[Callable[..., tf.Tensor]], Callable[..., tf.Tensor]]


def eager(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """As called."""
    return function


def graph(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """In a graph, as in an exported model."""
    return tf.function(function, autograph=False)


def compiled(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Within a function that XLA compiles as a whole."""
    return tf.function(function, autograph=False, jit_compile=True)


CONTEXTS: dict[str, Run] = {"eager": eager, "graph": graph, "compiled": compiled}
