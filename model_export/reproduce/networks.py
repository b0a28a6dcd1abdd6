"""The networks of the table: fully connected and convolutional, with and without a transformer."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras

from stn import (
    LocalizationNetwork,
    SpatialTransformer,
    fully_connected_localization,
    get_transform,
)

TRANSFORMS = ("affine", "projective", "tps")
# Filters and stride of the 3 x 3 convolutions between the first, 5 x 5 with stride 2, and the last
# two, of which the former has stride 2.
_CONVOLUTIONS = ((32, 1), (64, 2), (64, 1))
_NUM_CLASSES = 10
_SEEN = (28, 28)


@dataclass(frozen=True)
class Network:
    """One kind of network.

    Attributes:
        kind: `fcn` or `cnn`.
        transform: None for a plain network.
    """

    kind: str
    transform: str | None = None

    @property
    def name(self) -> str:
        """Such as `cnn` or `st-cnn-affine`."""
        return f"st-{self.kind}-{self.transform}" if self.transform else self.kind

    def build(self, canvas: int, dropout: float) -> keras.Model:
        """Build it for float32 images `(batch, canvas, canvas, 1)` in [0, 1].

        Returns:
            A model that gives `logits`, and `theta` and `warped` if it has a transformer.
        """
        images = keras.Input((canvas, canvas, 1), name="images")
        outputs = {}
        seen = images
        if self.transform:
            seen, theta = SpatialTransformer(
                _localization(self.kind, get_transform(self.transform).identity),
                output_size=_SEEN,
                return_theta=True,
                transform=self.transform,
                name="spatial_transformer",
            )(images)
            outputs = {"theta": theta, "warped": seen}
        if self.kind == "cnn":
            features = _convolve(seen, self._last_filters(canvas))
        else:
            features = _connect(seen)
        features = keras.layers.Dropout(dropout)(features)
        logits = keras.layers.Dense(_NUM_CLASSES, name="logits")(features)
        return keras.Model(images, {"logits": logits, **outputs}, name=self.kind)

    def _last_filters(self, canvas: int) -> int:
        # A plain network is as large as one with a transformer on the same canvas.
        if self.transform:
            return 128
        return 160 if canvas <= _SEEN[0] else 144


NETWORKS = {
    network.name: network
    for network in (
        *(Network(kind) for kind in ("fcn", "cnn")),
        *(Network(kind, transform) for kind in ("fcn", "cnn") for transform in TRANSFORMS),
    )
}


def _localization(kind: str, start: Sequence[float]) -> keras.Layer:
    if kind == "fcn":
        return fully_connected_localization(start)
    return LocalizationNetwork(start=start)


def _convolve(x: keras.KerasTensor, last_filters: int) -> keras.KerasTensor:
    # Depth costs little where strides come early: six convolutions for the price of three.
    x = _normalised(keras.layers.Conv2D(32, 5, 2, padding="same", use_bias=False), x)
    for filters, strides in (*_CONVOLUTIONS, (last_filters, 2), (last_filters, 1)):
        x = _normalised(keras.layers.Conv2D(filters, 3, strides, padding="same", use_bias=False), x)
    return keras.layers.Flatten()(x)


def _connect(x: keras.KerasTensor) -> keras.KerasTensor:
    x = keras.layers.Flatten()(x)
    # As wide as half a million parameters allow.
    units = 224 if x.shape[1] <= 42 * 42 else 112
    for _ in range(2):
        x = _normalised(keras.layers.Dense(units, use_bias=False), x)
    return x


def _normalised(layer: keras.Layer, x: keras.KerasTensor) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization(momentum=0.9)(layer(x))
    return keras.layers.ReLU()(x)
