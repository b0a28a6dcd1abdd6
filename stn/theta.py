"""What happens to theta between the localization network and the grid: bounds, learning rate."""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from stn.transforms import Transform

Bounds = bool | str | Sequence[float] | None


class Bounded:
    """Bring the raw numbers of a localization network within bounds.

    Each number becomes `identity + limit * tanh((raw - identity) / limit)`: the identity stays the
    identity, with slope one, and no step of training can throw theta out of the picture.

    Args:
        transform: whose numbers they are.
        bounds: None for none; True for the transform's own limits; one limit for each number, how
            far it may move from the identity; `"inside"` (attention alone) for a crop that never
            leaves the image: `scale = sigmoid(raw)`, `|translation| <= 1 - scale`.

    Raises:
        ValueError: another form.
    """

    def __init__(self, transform: Transform, bounds: Bounds) -> None:
        self.transform = transform
        self.inside = bounds == "inside"
        if self.inside and transform.name != "attention":
            raise ValueError(f"bounds='inside' is for attention; got {transform.name}")
        if isinstance(bounds, str) and not self.inside:
            raise ValueError(f"bounds must be None, True, 'inside' or limits; got {bounds!r}")
        self.limits: tuple[float, ...] | None = None
        if bounds is True:
            self.limits = transform.limits
        elif bounds and not self.inside:
            self.limits = tuple(float(limit) for limit in bounds)
        if self.limits is not None and (
            len(self.limits) != transform.num_parameters or min(self.limits) <= 0
        ):
            raise ValueError(
                f"bounds of the {transform.name} transform must be {transform.num_parameters} "
                f"positive limits; got {self.limits}"
            )

    @property
    def start(self) -> tuple[float, ...]:
        """The raw numbers a localization network starts from."""
        # A crop of the whole image could not move: this one covers the middle, and can.
        return (1.0, 0.0, 0.0) if self.inside else self.transform.identity

    def raw(self, theta: Sequence[float]) -> tuple[float, ...]:
        """Return the raw numbers that become `theta`, or come near it where bounds forbid it."""
        if self.inside:
            scale = min(theta[0], 0.9)
            shifts = [_atanh(shift / (1 - scale)) for shift in theta[1:]]
            return (math.log(scale / (1 - scale)), *shifts)
        if self.limits is None:
            return tuple(theta)
        triples = zip(theta, self.transform.identity, self.limits, strict=True)
        return tuple(
            identity + limit * _atanh((number - identity) / limit)
            for number, identity, limit in triples
        )

    def __call__(self, raw: tf.Tensor) -> tf.Tensor:
        """Return theta `(batch, num_parameters)` from raw numbers of the same shape."""
        if self.inside:
            scale = tf.sigmoid(raw[:, :1])
            return tf.concat([scale, (1 - scale) * tf.tanh(raw[:, 1:])], axis=1)
        if self.limits is None:
            return raw
        identity = tf.constant(self.transform.identity, raw.dtype)
        limits = tf.constant(self.limits, raw.dtype)
        return identity + limits * tf.tanh((raw - identity) / limits)


def _atanh(value: float) -> float:
    return math.atanh(max(-0.9, min(0.9, value)))


def scale_gradient(value: Any, factor: float) -> Any:
    """Return `value` unchanged, its gradient multiplied by `factor`.

    On theta this is a learning rate of its own for the localization network (the paper trains it at
    0.1 to 0.0001 of the rest), whatever the optimizer but for Adam's kind, which divides by the
    size of the gradient and so undoes it.
    """
    if factor == 1.0:
        return value

    @tf.custom_gradient
    def scaled(inner: tf.Tensor) -> tuple[tf.Tensor, Any]:
        return tf.identity(inner), lambda upstream: upstream * factor

    return scaled(value)
