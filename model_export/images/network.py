"""A classifier for pictures of any size, colour and number of classes."""

import keras

from model_export.images.reading import PictureSpec
from model_export.pacing import SPATIAL_TRANSFORMER
from stn import LocalizationNetwork, SpatialTransformer, get_transform
from stn.theta import Bounded

_LARGEST_SEEN = 64


def build(spec: PictureSpec, num_classes: int, transform: str, dropout: float) -> keras.Model:
    """Build the classifier.

    Theta is bounded, so that a few pictures cannot throw it out of the picture. Outside of it lies
    black, or where the ground is light, what the border has.

    Args:
        spec: of the pictures.
        num_classes: at least 2.
        transform: of the spatial transformer.
        dropout: before the last layer.

    Returns:
        Model from float32 images in [0, 1] to `logits`, `theta` and `warped`.
    """
    side = min(spec.height, _LARGEST_SEEN)
    filters = (16, 32, 32) if spec.height <= 64 else (16, 32, 32, 32)
    start = Bounded(get_transform(transform), True).start
    images = keras.Input(spec.shape, name="images")
    warped, theta = SpatialTransformer(
        LocalizationNetwork(filters, start=start),
        output_size=(side, side),
        return_theta=True,
        transform=transform,
        bounds=True,
        padding="border" if spec.background else "zeros",
        name=SPATIAL_TRANSFORMER,
    )(images)
    layers = keras.layers
    x = _normalised(layers.Conv2D(32, 5, 2, padding="same", use_bias=False), warped)
    for width in (64, 128):
        x = _normalised(layers.Conv2D(width, 3, padding="same", use_bias=False), x)
        x = layers.MaxPooling2D(2)(x)
    if side > 32:
        x = _normalised(layers.Conv2D(128, 3, 2, padding="same", use_bias=False), x)
    x = layers.Dropout(dropout)(layers.Flatten()(x))
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(images, {"logits": logits, "theta": theta, "warped": warped})


def _normalised(layer: keras.Layer, x: keras.KerasTensor) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization(momentum=0.9)(layer(x))
    return keras.layers.ReLU()(x)
