"""The optimizers of a training: AdamW on a warm-up and a cosine, slower for the localizer."""

from typing import Any

import keras
import tensorflow as tf

SPATIAL_TRANSFORMER = "spatial_transformer"


class PacedOptimizer:
    """Two AdamWs, since Adam ignores the scale of a gradient and a slower part needs its own.

    Args:
        model: whose variables are trained; its localizer is that of the layer
            `spatial_transformer`, if there is one.
        learning_rate: peak; 5 % of the steps lead up to it, and a cosine down to zero.
        localizer_rate: factor on it for the localizer.
        weight_decay: of matrices and kernels.
        total_steps: of the training.
    """

    def __init__(
        self,
        model: keras.Model,
        learning_rate: float,
        localizer_rate: float,
        weight_decay: float,
        total_steps: int,
    ) -> None:
        localizer: list[Any] = []
        if SPATIAL_TRANSFORMER in [layer.name for layer in model.layers]:
            localizer = model.get_layer(SPATIAL_TRANSFORMER).trainable_variables
        paths = {variable.path for variable in localizer}
        rest = [v for v in model.trainable_variables if v.path not in paths]
        self._groups = []
        for members, factor in ((localizer, localizer_rate), (rest, 1.0)):
            if members:
                optimizer = _adamw(learning_rate * factor, weight_decay, total_steps)
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


def _adamw(rate: float, weight_decay: float, total_steps: int) -> keras.Optimizer:
    warmup_steps = max(1, total_steps // 20)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, total_steps - warmup_steps),
        warmup_target=rate,
        warmup_steps=warmup_steps,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=weight_decay, beta_2=0.99)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
