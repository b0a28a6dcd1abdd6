"""A transformer that looks again: several small steps, each from the original image."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from stn._warping_layer import WarpingLayer
from stn.matrices import compose, matrix
from stn.theta import scale_gradient
from stn.transforms import get_transform


@keras.saving.register_keras_serializable(package="stn")
class RecurrentTransformer(WarpingLayer):
    """Refine theta in several steps, and warp the original image by their composition.

    Each step shows the localization network what the steps before made of the image, and composes
    what it answers with them. No step warps a warped image: nothing is blurred twice and nothing
    that left the frame is lost.

    Args:
        steps: how many times the localization network looks.
        localization: layer or model to theta, shared by all steps; it sees images of the input's
            size. A `LocalizationNetwork` that starts at the identity when left out.
        output_size: `(height, width)` of the output; the input's when left out.
        return_theta: return `(warped, theta)` instead of the warped images alone.
        **options: as of `SpatialTransformer`; the transform must have a matrix.

    Call it on images `(batch, height, width, channels)`; theta is the composed one, float32
    `(batch, 6)`, or `(batch, 8)` when the transform is projective.

    Raises:
        ValueError: as `SpatialTransformer`; or fewer than one step, or a transform without matrix.

    Example:
        >>> layer = RecurrentTransformer(2, transform="similarity")
        >>> layer(keras.ops.zeros((3, 32, 32, 1))).shape
        TensorShape([3, 32, 32, 1])

    Source: Lin and Lucey, Inverse Compositional Spatial Transformer Networks (2017).
    """

    def __init__(
        self,
        steps: int,
        localization: keras.Layer | None = None,
        output_size: Sequence[int] | None = None,
        return_theta: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(localization, output_size, return_theta, **options)
        if steps < 1:
            raise ValueError(f"steps must be at least 1; got {steps}")
        if not self.transform.has_matrix:
            raise ValueError(
                f"a {self.transform.name} transform cannot be composed; use affine, attention, "
                "similarity, translation or projective"
            )
        self.steps = steps
        projective = self.transform.name == "projective"
        self.composed = get_transform("projective" if projective else "affine")

    def localize(self, images: Any, training: bool | None = None) -> Any:
        """Return the composed theta, `(batch, 6)` or `(batch, 8)`."""
        count = self.composed.num_parameters
        total: tf.Tensor = None
        for _ in range(self.steps):
            seen = images
            if total is not None:
                theta = tf.reshape(total, [-1, total.shape[1] * 3])[:, :count]
                seen, _mask = self._warp(images, theta, self.composed, None, training)
            step = self.bounds(self.localization(seen, training=training))
            step = matrix(scale_gradient(step, self.theta_lr_scale), self.transform)
            total = step if total is None else compose(total, step)
        return tf.reshape(total, [-1, total.shape[1] * 3])[:, :count]

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Return the warped images, and theta and mask when asked for them."""
        theta = self.localize(images, training=training)
        warped, mask = self._warp(images, theta, self.composed, self.output_size, training)
        return self._outputs(warped, theta, mask)

    def _shapes(self, input_shape: tuple[int | None, ...]) -> tuple[Any, Any, Any]:
        warped, theta, mask = super()._shapes(input_shape)
        return warped, (theta[0], self.composed.num_parameters), mask

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "steps": self.steps}
