"""The optimizers of a training: AdamW on warm-ups and cosines, slower for the localizer."""

from typing import Any

import keras
import tensorflow as tf

SPATIAL_TRANSFORMER = "spatial_transformer"


class PacedOptimizer:
    """Two AdamWs, since Adam ignores the scale of a gradient and a slower part needs its own.

    Args:
        model: whose variables are trained; its localizer is that of the layer
            `spatial_transformer`, if there is one.
        learning_rate: peak; 5 % of a cycle's steps lead up to it, and a cosine down to zero.
        localizer_rate: factor on it for the localizer.
        weight_decay: of matrices and kernels.
        total_steps: of the training.
        cycles: how often the rate rises and falls.

    Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts (2017).
    """

    def __init__(
        self,
        model: keras.Model,
        learning_rate: float,
        localizer_rate: float,
        weight_decay: float,
        total_steps: int,
        cycles: int = 1,
    ) -> None:
        localizer: list[Any] = []
        if SPATIAL_TRANSFORMER in [layer.name for layer in model.layers]:
            localizer = model.get_layer(SPATIAL_TRANSFORMER).trainable_variables
        paths = {variable.path for variable in localizer}
        rest = [v for v in model.trainable_variables if v.path not in paths]
        self._groups = []
        for members, factor in ((localizer, localizer_rate), (rest, 1.0)):
            if members:
                rate = Cycles(learning_rate * factor, total_steps // cycles)
                optimizer = keras.optimizers.AdamW(rate, weight_decay=weight_decay, beta_2=0.99)
                optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
                optimizer.build(members)
                self._groups.append((members, optimizer))

    @property
    def variables(self) -> list[Any]:
        """The state of all optimizers."""
        return [variable for _, optimizer in self._groups for variable in optimizer.variables]

    def minimize(self, loss: tf.Tensor, tape: tf.GradientTape) -> None:
        """Take one step down a loss; gradients are clipped to a global norm of 1."""
        wanted = [variable for members, _ in self._groups for variable in members]
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, wanted), 1.0)
        for members, optimizer in self._groups:
            optimizer.apply(gradients[: len(members)], members)
            gradients = gradients[len(members) :]


class Cycles(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises in a line and falls in a cosine to zero, again and again.

    Args:
        peak: of the rate.
        steps: of one cycle; 5 % of them lead up to the peak.
    """

    def __init__(self, peak: float, steps: int) -> None:
        self._steps = steps
        warmup_steps = max(1, steps // 20)
        self._cycle = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            decay_steps=max(1, steps - warmup_steps),
            warmup_target=peak,
            warmup_steps=warmup_steps,
        )

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Return the rate at a step, counted from 0."""
        return self._cycle(keras.ops.mod(step, self._steps))
