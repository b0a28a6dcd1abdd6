"""Any Keras classifier that holds a spatial transformer, seen as one that can be served."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import keras
import numpy as np
import tensorflow as tf

from model_export.naming import named_afresh
from model_export.subject import Subject
from stn import SpatialTransformer

InputRange = Literal["unit", "symmetric", "bytes"]
RANGES: tuple[InputRange, ...] = get_args(InputRange)
_NUM_SAMPLES = 8


def open_keras_classifier(
    path: Path,
    labels: Sequence[str] | None = None,
    input_range: InputRange = "unit",
    polarity: str = "light_on_dark",
) -> Subject:
    """Open a `.keras` file as a subject for export.

    Args:
        path: of the file. Layers of its own must have been registered with Keras.
        labels: of the classes; their numbers when left out.
        input_range: what the model takes: `unit` is 0 to 1, `symmetric` -1 to 1, `bytes` 0 to 255.
        polarity: what lies around a picture: `light_on_dark` or `dark_on_light`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the model cannot honour the contract; the sentence says what is missing.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file; --keras needs what model.save() wrote")
    try:
        model = named_afresh(lambda: keras.models.load_model(path, compile=False))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not a Keras model that can be read: {error}") from error
    served = KerasClassifier(model, input_range)
    shape = (_NUM_SAMPLES, *model.input_shape[1:])
    samples = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    count = served.check(samples)
    names = tuple(labels) if labels is not None else tuple(str(number) for number in range(count))
    if len(names) != count or len(set(names)) != count:
        raise ValueError(
            f"the model has {count} classes and needs as many different labels; got {len(names)}"
        )
    return Subject(served, names, served.transform, polarity, samples)


class KerasClassifier:
    """A Keras model as `subject.ServedModel`: it gives theta and the warped image besides.

    Args:
        model: one input of images, one output of logits or probabilities (or a dictionary with
            `logits` or `probabilities`), and a `SpatialTransformer` on the images.
        input_range: see `open_keras_classifier`.

    Raises:
        ValueError: it is not built like that.
    """

    def __init__(self, model: keras.Model, input_range: InputRange = "unit") -> None:
        shape = model.input_shape
        if not isinstance(shape, tuple) or len(shape) != 4 or None in shape[1:]:
            raise ValueError(
                "the model must take one batch of images of a fixed size, (batch, height, width, "
                f"channels); it takes {shape}"
            )
        if shape[3] not in (1, 3):
            raise ValueError(f"images must have 1 or 3 channels; the model takes {shape[3]}")
        found = [layer for layer in model.layers if isinstance(layer, SpatialTransformer)]
        if not found:
            names = ", ".join(sorted({type(layer).__name__ for layer in model.layers}))
            raise ValueError(
                "the model holds no stn.SpatialTransformer among its own layers, so that there is "
                f"no theta to show; it holds {names}"
            )
        self._transformer = found[0]
        if self._transformer.input.shape[3] != shape[3] or not self._transformer.transform.name:
            raise ValueError(
                f"the model's first SpatialTransformer warps "
                f"{self._transformer.input.shape[3]} feature maps, not the image of {shape[3]} "
                "channels: there is no picture of what it saw"
            )
        self.transform = self._transformer.transform.name
        self.input_shape: tuple[int | None, ...] = shape
        self._range = input_range
        self._model = model
        output = model.output
        self._inner = keras.Model(
            model.input, [self._transformer.input, self._transformer.output, output], name="served"
        )

    def __call__(self, images: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Map float32 images in [0, 1] to `logits`, `theta` and `warped`."""
        given = {"unit": images, "symmetric": 2 * images - 1, "bytes": 255 * images}[self._range]
        sent, outputs, answer = self._inner(given, training=training)
        several = isinstance(outputs, (list, tuple))
        warped = outputs[0] if several else outputs
        if self._transformer.return_theta:
            theta = outputs[1]
        else:
            # Worked out twice in the graph, which TensorFlow's optimizer makes once again.
            theta = self._transformer.localize(sent, training=training)
        seen = {"unit": warped, "symmetric": (warped + 1) / 2, "bytes": warped / 255}[self._range]
        return {"logits": _logits(answer), "theta": theta, "warped": seen}

    def get_weights(self) -> list[np.ndarray]:
        """Return all weights."""
        weights: list[np.ndarray] = self._model.get_weights()
        return weights

    def count_params(self) -> int:
        """Return how many numbers they are."""
        return int(self._model.count_params())

    def check(self, samples: np.ndarray) -> int:
        """Ask the model about samples, and return the number of its classes.

        Raises:
            ValueError: its answers are not those of a classifier.
        """
        outputs = self(tf.cast(samples, tf.float32) / 255)
        logits = outputs["logits"].numpy()
        if logits.ndim != 2 or logits.shape[1] < 2:
            raise ValueError(
                "the model must give one number for each of two or more classes, (batch, classes); "
                f"it gives {logits.shape}"
            )
        for name in ("logits", "theta", "warped"):
            if not np.isfinite(outputs[name].numpy()).all():
                raise ValueError(f"the model's {name} hold numbers that are not finite")
        return int(logits.shape[1])


def _logits(answer: Any) -> tf.Tensor:
    """Return logits; probabilities are the softmax of their logarithm."""
    if isinstance(answer, dict):
        for name in ("logits", "probabilities"):
            if name in answer:
                answer = answer[name]
                break
        else:
            raise ValueError(
                f"the model must give 'logits' or 'probabilities'; it gives {', '.join(answer)}"
            )
    if isinstance(answer, (list, tuple)):
        raise ValueError(
            f"the model gives {len(answer)} outputs without names; it must give one, or a "
            "dictionary with 'logits' or 'probabilities'"
        )
    is_probabilities = tf.reduce_all(answer >= 0, axis=-1, keepdims=True) & (
        tf.abs(tf.reduce_sum(answer, axis=-1, keepdims=True) - 1) < 1e-3
    )
    return tf.where(is_probabilities, tf.math.log(tf.maximum(answer, 1e-30)), answer)
