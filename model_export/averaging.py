"""The exponential moving average of a model's weights: what is evaluated."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf


class AveragedWeights:
    """A moving average of all weights of a model, batch statistics included.

    Args:
        model: whose weights.
        decay: how much of the average a step keeps; less in the first steps, which are far off.

    Source: Polyak and Juditsky (1992); the early decay after TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, model: keras.Model, decay: float) -> None:
        self._weights = [weight.value for weight in model.weights]
        self._decay = decay
        self.variables = [tf.Variable(weight, trainable=False) for weight in self._weights]

    def update(self, step_number: tf.Tensor) -> None:
        """Take the weights of now into the average; part of a training step's graph."""
        number = tf.cast(step_number, tf.float32)
        decay = tf.minimum(self._decay, (1 + number) / (10 + number))
        for average, weight in zip(self.variables, self._weights, strict=True):
            average.assign_sub((1 - decay) * (average - weight))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the average in the model's place while the context lasts."""
        kept = [tf.identity(weight) for weight in self._weights]
        _assign(self._weights, self.variables)
        try:
            yield
        finally:
            _assign(self._weights, kept)

    def settle(self) -> None:
        """Put the average in the model's place for good."""
        _assign(self._weights, self.variables)


def _assign(variables: Sequence[tf.Variable], values: Sequence[tf.Tensor]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
