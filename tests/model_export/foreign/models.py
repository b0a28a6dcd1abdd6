"""Small Keras classifiers of three classes, as people build them."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from stn import SpatialTransformer, fully_connected_localization, get_transform

SIZE = (20, 24)

Tensor = Any
Part = Callable[[Tensor], Tensor]


def transformer(
    transform: str = "affine", size: Sequence[int] | None = None, **options: Any
) -> SpatialTransformer:
    """A spatial transformer at the identity."""
    localization = fully_connected_localization(get_transform(transform).identity, (8,))
    return SpatialTransformer(localization, size, transform=transform, **options)


def softmax(features: Tensor) -> Tensor:
    return keras.layers.Dense(3, activation="softmax")(features)


def classifier(
    channels: int = 1,
    before: Sequence[Part] = (),
    look: Part | None = None,
    end: Part = softmax,
    dtype: str = "float32",
) -> keras.Model:
    """Image, whatever comes before, a look at it, and an end that gets a row of features."""
    images = x = keras.Input((*SIZE, channels), dtype=dtype)
    for part in (*before, look or transformer(), keras.layers.Flatten(), end):
        x = part(x)
    return keras.Model(images, x)


def with_weights(model: keras.Model, spread: float = 0.03) -> keras.Model:
    """Give a model weights that depend on nothing else, with which it looks elsewhere each time."""
    random = np.random.default_rng(1)
    for weight in model.trainable_weights:
        # The identity, about which it moves.
        if not weight.path.endswith("theta/bias"):
            weight.assign(spread * random.normal(size=weight.shape))
    return model


def pictures(channels: int = 1, count: int = 3) -> np.ndarray:
    """Noise, as bytes."""
    return np.random.default_rng(2).integers(0, 256, (count, *SIZE, channels), np.uint8)
