"""What a cell's network makes of a fixed set of pictures."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from model_export.evaluate import wilson_interval

_BATCH_SIZE = 500


@dataclass(frozen=True)
class Measurement:
    """The answers to a fixed set.

    Attributes:
        num_images: how many there were.
        misread: the numbers of those that were misread.
        theta_spread: the greatest standard deviation of a number of theta over the pictures: zero
            for a localizer that is dead, and where there is none.
        images_sha256: of the pictures.
    """

    num_images: int
    misread: tuple[int, ...]
    theta_spread: float
    images_sha256: str

    @property
    def num_wrong(self) -> int:
        """How many were misread."""
        return len(self.misread)

    @property
    def error_percent(self) -> float:
        """The error in per cent."""
        return 100 * self.num_wrong / self.num_images

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "num_images": self.num_images,
            "num_wrong": self.num_wrong,
            "error_percent": self.error_percent,
            "interval_95_percent": [
                100 * end for end in wilson_interval(self.num_wrong, self.num_images)
            ],
            "theta_spread": self.theta_spread,
            "images_sha256": self.images_sha256,
            "misread": list(self.misread),
        }


Measure = Callable[[np.ndarray, np.ndarray], Measurement]


def measuring(model: keras.Model) -> Measure:
    """Return a function from uint8 pictures `(num, side, side)` and labels to a `Measurement`."""
    forward = tf.function(lambda images: model(images, training=False), autograph=False)

    def measure(images: np.ndarray, labels: np.ndarray) -> Measurement:
        misread: list[int] = []
        theta = []
        for start in range(0, len(images), _BATCH_SIZE):
            part = slice(start, start + _BATCH_SIZE)
            outputs = forward(tf.cast(images[part, ..., np.newaxis], tf.float32) / 255)
            wrong = np.flatnonzero(outputs["logits"].numpy().argmax(axis=1) != labels[part])
            misread += (wrong + start).tolist()
            if "theta" in outputs:
                theta.append(outputs["theta"].numpy())
        spread = float(np.concatenate(theta).std(axis=0).max()) if theta else 0.0
        digest = hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest()
        return Measurement(len(labels), tuple(misread), spread, digest)

    return measure
