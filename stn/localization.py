"""The localization network: what decides where to look."""

from typing import Any

import keras

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@keras.saving.register_keras_serializable(package="stn")
class Identity(keras.initializers.Initializer):
    """Initialise the bias of the last layer to the identity transform."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Return the six numbers of the affine identity; `shape` must be `(6,)`."""
        if tuple(shape) != (6,):
            raise ValueError(f"the affine identity has shape (6,); got {tuple(shape)}")
        return keras.ops.convert_to_tensor(IDENTITY, dtype=dtype)


@keras.saving.register_keras_serializable(package="stn")
class LocalizationNetwork(keras.layers.Layer):
    """A small convolutional network that regresses theta and starts at the identity.

    Average pooling (for images larger than 28 pixels), three 3 x 3 convolutions with batch
    normalisation, a dense layer, and six numbers from zero weights and the identity as bias. The
    dense layer is leaky: behind plain ReLUs a localizer can die without any sign in the loss.

    Args:
        filters: channels of the three convolutions.
        units: width of the dense layer.

    Call it on float `(batch, height, width, channels)`; it returns theta, float32 `(batch, 6)`.

    Source: Jaderberg et al. (2015), section 3.1 and appendix A.4 (identity start, halved input).
    """

    def __init__(
        self, filters: tuple[int, int, int] = (16, 32, 32), units: int = 64, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters = tuple(filters)
        self.units = units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the layers; height and width must be known."""
        layers = keras.layers
        height, width = input_shape[1:3]
        if height is None or width is None:
            raise ValueError(
                f"LocalizationNetwork needs a known height and width; got {input_shape}"
            )
        stack: list[keras.Layer] = []
        if min(height, width) > 28:
            stack.append(layers.AveragePooling2D(2))
        for index, channels in enumerate(self.filters):
            if index > 0:
                stack.append(layers.MaxPooling2D(2))
            stack.append(layers.Conv2D(channels, 3, padding="same", use_bias=False))
            stack.append(layers.BatchNormalization(momentum=0.9))
            stack.append(layers.ReLU())
        stack.append(layers.Flatten())
        stack.append(layers.Dense(self.units))
        stack.append(layers.LeakyReLU(0.1))
        # float32 whatever the policy: half precision would round away fractions of a pixel.
        stack.append(
            layers.Dense(
                6,
                kernel_initializer="zeros",
                bias_initializer=Identity(),
                dtype="float32",
                name="theta",
            )
        )
        self.network = keras.Sequential(stack, name="network")
        self.network.build(input_shape)
        super().build(input_shape)

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Return theta for a batch of images."""
        return self.network(images, training=training)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """Return `(batch, 6)`."""
        return (input_shape[0], 6)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "filters": self.filters, "units": self.units}
