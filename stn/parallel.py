"""Several transformers side by side, each with a region of its own."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from stn._warping_layer import WarpingLayer
from stn.theta import scale_gradient
from stn.transforms import Transform, get_transform


def tiled_starts(transform: str | Transform, count: int) -> list[tuple[float, ...]]:
    """Return thetas whose regions tile the image, for transformers that start in parallel.

    From one start they would collapse onto one region.

    Args:
        transform: one that translates: affine, attention, similarity, translation or projective.
        count: how many.

    Returns:
        `count` thetas; a translation keeps its scale and moves its middle alone.

    Raises:
        ValueError: the transform does not translate.

    Example:
        >>> tiled_starts("attention", 2)
        [(0.5, -0.5, 0.0), (0.5, 0.5, 0.0)]

    Source: Jaderberg et al., Spatial Transformer Networks (2015), appendix A.6.
    """
    transform = get_transform(transform)
    if "x" not in transform.parameters:
        raise ValueError(f"a {transform.name} transform has no translation to tile")
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    starts = []
    for k in range(count):
        row, column = divmod(k, columns)
        own = {
            "x": (2 * column + 1) / columns - 1,
            "y": (2 * row + 1) / rows - 1,
            "xx": 1 / columns,
            "yy": 1 / rows,
            "scale": 1 / max(rows, columns),
        }
        pairs = zip(transform.parameters, transform.identity, strict=True)
        starts.append(tuple(own.get(name, number) for name, number in pairs))
    return starts


@keras.saving.register_keras_serializable(package="stn")
class ParallelTransformers(WarpingLayer):
    """Look at several regions of the input at once, chosen by one localization network.

    Args:
        count: how many regions.
        localization: layer or model to `(batch, count * num_parameters)`; a `LocalizationNetwork`
            that starts with regions that tile the image when left out.
        output_size: `(height, width)` of each output; the input's when left out.
        return_theta: return `(warped, theta)` instead of the warped images alone.
        **options: as of `SpatialTransformer`.

    Call it on images `(batch, height, width, channels)`; it returns
    `(batch, count, *output_size, channels)`, theta `(batch, count, num_parameters)` and the mask
    `(batch, count, *output_size, 1)`.

    Raises:
        ValueError: as `SpatialTransformer`; or a count below 1.

    Example:
        >>> layer = ParallelTransformers(2, output_size=(8, 8), transform="attention")
        >>> layer(keras.ops.zeros((3, 32, 32, 1))).shape
        TensorShape([3, 2, 8, 8, 1])

    Source: Jaderberg et al., Spatial Transformer Networks (2015), sections 3.4 and 4.3.
    """

    def __init__(
        self,
        count: int,
        localization: keras.Layer | None = None,
        output_size: Sequence[int] | None = None,
        return_theta: bool = False,
        **options: Any,
    ) -> None:
        if count < 1:
            raise ValueError(f"count must be at least 1; got {count}")
        self.count = count
        super().__init__(localization, output_size, return_theta, **options)

    def _start(self) -> tuple[float, ...]:
        starts = tiled_starts(self.transform, self.count)
        return tuple(number for start in starts for number in self.bounds.raw(start))

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Return the warped images, and theta and mask when asked for them."""
        theta = self.localize(images, training=training)
        repeated = tf.repeat(images, self.count, axis=0)
        warped, mask = self._warp(repeated, theta, self.transform, self.output_size, training)
        return self._outputs(
            self._apart(warped), self._apart(theta), None if mask is None else self._apart(mask)
        )

    def localize(self, images: Any, training: bool | None = None) -> Any:
        """Return theta within its bounds, `(batch * count, num_parameters)`."""
        raw = self.localization(images, training=training)
        raw = tf.reshape(raw, [-1, self.transform.num_parameters])
        return scale_gradient(self.bounds(raw), self.theta_lr_scale)

    def _apart(self, merged: tf.Tensor) -> tf.Tensor:
        static = merged.shape.as_list()
        tail = tf.shape(merged)[1:]
        parts = tf.reshape(merged, tf.concat([[-1, self.count], tail], axis=0))
        parts.set_shape([static[0] and static[0] // self.count, self.count, *static[1:]])
        return parts

    def _shapes(self, input_shape: tuple[int | None, ...]) -> tuple[Any, Any, Any]:
        (batch, *warped), theta, (_, *mask) = super()._shapes(input_shape)
        return (
            (batch, self.count, *warped),
            (theta[0], self.count, self.transform.num_parameters),
            (batch, self.count, *mask),
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "count": self.count}
