"""A SavedModel of a few ops that can do what matters here: fail on some values, and give NaN."""

from pathlib import Path
from typing import Any

import tensorflow as tf

LARGEST_PIXEL = 200


def save_tiny_model(folder: Path) -> None:
    """Write the model.

    Its signature `predict` takes `images`, uint8 of any `(batch, height, width)`, and gives their
    `mean` and, looked up in a table that ends at LARGEST_PIXEL, their `first` pixels; a larger one
    fails. `root` takes float `x` and gives its square root; `describe` takes nothing.
    """
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None, None, None), tf.uint8, name="images")])
    def predict(images: Any) -> dict[str, Any]:
        first = tf.gather(tf.range(LARGEST_PIXEL + 1), tf.cast(images[:, 0, 0], tf.int32))
        mean = tf.reduce_mean(tf.cast(images, tf.float32), [1, 2])
        return {"first": first, "mean": mean}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, name="x")])
    def root(x: Any) -> dict[str, Any]:
        return {"root": tf.sqrt(x)}

    @tf.function(input_signature=[])
    def describe() -> dict[str, Any]:
        return {"card": tf.constant('{"name": "tiny"}'), "labels": tf.constant(["a", "b"])}

    signatures = {"predict": predict, "serving_default": predict}
    signatures |= {"root": root, "describe": describe}
    tf.saved_model.save(module, str(folder), signatures=signatures)
