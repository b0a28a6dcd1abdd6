"""The localization network: what decides where to look."""

from collections.abc import Sequence
from typing import Any

import keras

from stn.transforms import get_transform

IDENTITY = get_transform("affine").identity


@keras.saving.register_keras_serializable(package="stn")
class Identity(keras.initializers.Initializer):
    """Initialise the bias of the last layer to the identity transform.

    Args:
        values: the numbers to start from; the affine identity when left out.
    """

    def __init__(self, values: Sequence[float] = IDENTITY) -> None:
        self.values = tuple(values)

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Return the numbers; `shape` must be that of one theta."""
        if tuple(shape) != (len(self.values),):
            raise ValueError(
                f"the start of theta has shape ({len(self.values)},); got {tuple(shape)}"
            )
        return keras.ops.convert_to_tensor(self.values, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"values": self.values}


def theta_layer(start: Sequence[float] = IDENTITY) -> keras.layers.Dense:
    """Return the last layer of a localization network: zero weights, and `start` as bias.

    Args:
        start: the theta of every image before training, such as `get_transform(name).identity`.

    Returns:
        A dense layer `(batch, features)` to `(batch, len(start))`, in float32 whatever the policy:
        half precision would round away fractions of a pixel.

    Source: Jaderberg et al., Spatial Transformer Networks (2015), appendix A.
    """
    return keras.layers.Dense(
        len(start),
        kernel_initializer="zeros",
        bias_initializer=Identity(start),
        dtype="float32",
        name="theta",
    )


def fully_connected_localization(
    start: Sequence[float] = IDENTITY, units: Sequence[int] = (32, 32, 32)
) -> keras.Sequential:
    """Return the paper's localization network for its fully connected models.

    Args:
        start: see `theta_layer`.
        units: widths of the hidden layers.

    Returns:
        Model from float `(batch, height, width, channels)` to theta `(batch, len(start))`.

    Source: Jaderberg et al. (2015), appendix A.4.
    """
    layers = keras.layers
    hidden = [layers.Dense(width, activation="relu") for width in units]
    return keras.Sequential([layers.Flatten(), *hidden, theta_layer(start)])


def convolutional_localization(
    start: Sequence[float] = IDENTITY, filters: int = 20, units: int = 20
) -> keras.Sequential:
    """Return the paper's localization network for its convolutional models.

    Halved input, two 5 x 5 convolutions with a pooling between, a dense layer. For images of 26
    pixels a side or more.

    Args:
        start: see `theta_layer`.
        filters: channels of both convolutions.
        units: width of the dense layer.

    Returns:
        Model from float `(batch, height, width, channels)` to theta `(batch, len(start))`.

    Source: Jaderberg et al. (2015), appendix A.4.
    """
    layers = keras.layers
    return keras.Sequential(
        [
            layers.AveragePooling2D(2),
            layers.Conv2D(filters, 5, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(filters, 5, activation="relu"),
            layers.Flatten(),
            layers.Dense(units, activation="relu"),
            theta_layer(start),
        ]
    )


@keras.saving.register_keras_serializable(package="stn")
class LocalizationNetwork(keras.layers.Layer):
    """A small convolutional network that regresses theta and starts at the identity.

    Average pooling (for images larger than 28 pixels), three 3 x 3 convolutions with batch
    normalisation, a dense layer, and theta from zero weights and the start as bias. The dense layer
    is leaky: behind plain ReLUs a localizer can die without any sign in the loss.

    Args:
        filters: channels of the three convolutions.
        units: width of the dense layer.
        start: the theta of every image before training; its length is the number of parameters.

    Call it on float `(batch, height, width, channels)`; it returns theta, float32
    `(batch, len(start))`.

    Raises:
        ValueError: height or width of the input is not known.

    Source: Jaderberg et al. (2015), section 3.1 and appendix A.4 (identity start, halved input).
    """

    def __init__(
        self,
        filters: Sequence[int] = (16, 32, 32),
        units: int = 64,
        start: Sequence[float] = IDENTITY,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = tuple(filters)
        self.units = units
        self.start = tuple(start)

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
        stack.append(theta_layer(self.start))
        self.network = keras.Sequential(stack, name="network")
        self.network.build(input_shape)
        super().build(input_shape)

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Return theta for a batch of images."""
        return self.network(images, training=training)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """Return `(batch, parameters)`."""
        return (input_shape[0], len(self.start))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "units": self.units,
            "start": self.start,
        }
