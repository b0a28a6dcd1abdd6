"""The spatial transformer as a Keras layer."""

from typing import Any

import keras

from stn.localization import LocalizationNetwork
from stn.warping import spatial_transformer_network


@keras.saving.register_keras_serializable(package="stn")
class SpatialTransformer(keras.layers.Layer):
    """Look at a region of the input that a localization network chooses, and warp it upright.

    Args:
        localization: layer or model that maps `(batch, height, width, channels)` to theta
            `(batch, 6)`; a `LocalizationNetwork` when left out.
        output_size: `(height, width)` of the output; the input's when left out.
        return_theta: return `(warped, theta)` instead of the warped images alone.

    Call it on float images; it returns `(batch, *output_size, channels)` of their type.

    Raises:
        ValueError: the localization network does not return six numbers per image.

    Example:
        >>> layer = SpatialTransformer(output_size=(20, 20))
        >>> layer(keras.ops.zeros((2, 32, 32, 1))).shape
        TensorShape([2, 20, 20, 1])

    Source: Jaderberg et al., Spatial Transformer Networks (2015), figure 2.
    """

    def __init__(
        self,
        localization: keras.Layer | None = None,
        output_size: tuple[int, int] | None = None,
        return_theta: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.localization = LocalizationNetwork() if localization is None else localization
        self.output_size = None if output_size is None else tuple(output_size)
        self.return_theta = return_theta

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the localization network and check what it returns."""
        if not self.localization.built:
            self.localization.build(input_shape)
        parameters = self.localization.compute_output_shape(input_shape)[-1]
        if parameters != 6:
            raise ValueError(
                f"the localization network must return (batch, 6), an affine theta; got {parameters}"
                " numbers per image. End it with a Dense(6) layer."
            )
        super().build(input_shape)

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Return the warped images, and theta when asked for it."""
        theta = self.localization(images, training=training)
        warped = spatial_transformer_network(images, theta, self.output_size)
        return (warped, theta) if self.return_theta else warped

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Return the shape of the warped images, and of theta when asked for it."""
        size = self.output_size or input_shape[1:3]
        warped = (input_shape[0], *size, input_shape[3])
        return (warped, (input_shape[0], 6)) if self.return_theta else warped

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, the localization network serialised."""
        return {
            **super().get_config(),
            "localization": keras.saving.serialize_keras_object(self.localization),
            "output_size": self.output_size,
            "return_theta": self.return_theta,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SpatialTransformer":
        """Rebuild the layer and its localization network."""
        localization = keras.saving.deserialize_keras_object(config.pop("localization"))
        return cls(localization=localization, **config)
