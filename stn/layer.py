"""The spatial transformer as a Keras layer."""

from typing import Any

import keras

from stn._warping_layer import WarpingLayer


@keras.saving.register_keras_serializable(package="stn")
class SpatialTransformer(WarpingLayer):
    """Look at a region of the input that a localization network chooses, and warp it upright.

    In training the warp is compiled by XLA; a model that is exported has stock ops alone.

    Args:
        localization: layer or model that maps `(batch, height, width, channels)` to theta
            `(batch, num_parameters)`; a `LocalizationNetwork` that starts at the identity when left
            out.
        output_size: `(height, width)` of the output; the input's when left out.
        return_theta: return `(warped, theta)` instead of the warped images alone.
        transform: a name that `get_transform` knows, or a `Transform`.
        interpolation: see `warp`.
        padding: see `warp`. `"border"` gives photographs a better gradient, `"zeros"` suits a black
            background.
        fill_value: see `warp`.
        align_corners: see `warp`.
        antialias: see `warp`.
        bounds: None; True, which keeps each number near the identity; one limit a number, how far
            it may move; `"inside"`, for attention, a crop that never leaves the image.
        theta_lr_scale: factor on the gradient of theta: the learning rate of the localization
            network relative to the rest (with plain or momentum SGD; Adam divides it out again).
        return_mask: also return how much of each output pixel was seen, after theta.
        backend: see `warp`.

    Call it on float or uint8 images; it returns `(batch, *output_size, channels)` of their type;
    theta is float32 `(batch, num_parameters)`, the mask float32 `(batch, *output_size, 1)`.

    Raises:
        ValueError: the localization network does not return the transform's numbers.

    Example:
        >>> layer = SpatialTransformer(output_size=(20, 20))
        >>> layer(keras.ops.zeros((2, 32, 32, 1))).shape
        TensorShape([2, 20, 20, 1])

    Source: Jaderberg et al., Spatial Transformer Networks (2015), figure 2.
    """

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Return the warped images, and theta and mask when asked for them."""
        theta = self.localize(images, training=training)
        warped, mask = self._warp(images, theta, self.transform, self.output_size, training)
        return self._outputs(warped, theta, mask)
