"""What somebody's model answers by itself, past everything that serves it."""

from typing import Literal

import keras
import numpy as np

from model_export.foreign.faults import refusing_faults
from model_export.foreign.output import OutputKind, chosen_output

InputRange = Literal["unit", "symmetric", "bytes"]

# In half precision probabilities sum to 1 no better than this.
_ROUNDING = 0.01
# In half precision logits of 10 are off by some hundredths, and probabilities in the middle with
# them.
_HALF_ROUNDING = 0.05
_HALF = {"mixed_bfloat16", "mixed_float16", "bfloat16", "float16"}


def own_probabilities(
    model: keras.Model, samples: np.ndarray, input_range: InputRange, kind: OutputKind
) -> np.ndarray:
    """Return what the model's own `predict` gives, as probabilities that sum to 1.

    Args:
        model: functional or Sequential.
        samples: uint8 `(num, height, width, channels)`.
        input_range: what it takes; see `open_keras_classifier`.
        kind: what it gives.

    Returns:
        float32 `(num, classes)`.

    Raises:
        ValueError: these are not the answers of a classifier, or not of the kind they should.
    """
    given = {"unit": samples / 255, "symmetric": samples / 127.5 - 1, "bytes": samples}
    with refusing_faults(f"the model's own predict() fails on {len(samples)} images"):
        answer = model.predict(given[input_range].astype(np.float32), verbose=0)
    values = np.asarray(chosen_output(answer)[1], np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        raise ValueError(
            "the model must give one number for each of two or more classes, (batch, classes); "
            f"it gives {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"the model's {kind} hold numbers that are not finite")
    sums = values.sum(axis=1, keepdims=True)
    sum_to_one = values.min() >= 0 and np.abs(sums - 1).max() < _ROUNDING
    if sum_to_one != (kind == "probabilities"):
        raise ValueError(
            f"the model should give {kind}, but its answers {'are' if sum_to_one else 'are not'} "
            "positive numbers that sum to 1"
        )
    if kind == "logits":
        values = np.exp(values - values.max(axis=1, keepdims=True))
        sums = values.sum(axis=1, keepdims=True)
    return (values / sums).astype(np.float32)


def in_float32(
    model: keras.Model, samples: np.ndarray, input_range: InputRange, kind: OutputKind
) -> np.ndarray:
    """Let a model compute in float32 from now on, and return its own probabilities.

    In half precision, an answer depends on what else is in the batch.

    Args:
        model: is changed if it computes in half precision.
        samples: see `own_probabilities`.
        input_range: see there.
        kind: see there.

    Raises:
        ValueError: see `own_probabilities`; or it answers otherwise in float32.
    """
    own = own_probabilities(model, samples, input_range, kind)
    halves = [layer for layer in model._flatten_layers() if layer.dtype_policy.name in _HALF]
    if not halves:
        return own
    for layer in halves:
        layer.dtype_policy = "float32"
    model.make_predict_function(force=True)
    whole = own_probabilities(model, samples, input_range, kind)
    difference = np.abs(whole - own).max()
    if difference > _HALF_ROUNDING:
        raise ValueError(
            "the model computes in half precision, and would be served in float32, where its "
            f"answers differ by {difference:.3g}"
        )
    return whole
