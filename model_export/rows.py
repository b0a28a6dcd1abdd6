"""Rows that are worked out alike, alone or in company."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from model_export.layer_calls import Call, replaced_calls


@contextmanager
def rows_alike(model: Any) -> Iterator[None]:
    """Let a model's dense layers work out one row as they do several, while the context lasts.

    TensorFlow multiplies a matrix of one row as a vector, and adds up in another order than
    elsewhere. A picture alone would get a theta that is off by an ulp or two from what it gets in a
    batch, and pixels off by as much as the picture is wide: 1e-5 at 128 pixels. So a row alone gets
    a second one of zeros for company.
    """
    # What only wraps a model sees to it itself.
    layers = model._flatten_layers() if isinstance(model, keras.Model) else ()
    dense = [layer for layer in layers if isinstance(layer, keras.layers.Dense)]
    with replaced_calls(dense, _in_company):
        yield


def _in_company(layer: keras.layers.Dense) -> Call:
    call = layer.call

    def called(inputs: tf.Tensor, **options: Any) -> tf.Tensor:
        num_rows = tf.shape(inputs)[0]
        more = tf.cast(num_rows == 1, tf.int32)
        rest = [[0, 0]] * (len(inputs.shape) - 1)
        return call(tf.pad(inputs, [[0, more], *rest]), **options)[:num_rows]

    return called
