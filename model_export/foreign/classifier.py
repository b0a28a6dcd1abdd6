"""Any Keras classifier that holds a spatial transformer, seen as one that can be served."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from model_export.foreign.file import load_keras
from model_export.foreign.looks import Look, find_image_look, noted_looks
from model_export.foreign.output import OutputKind, chosen_output, output_kind
from model_export.foreign.own import InputRange, in_float32
from model_export.rows import rows_alike
from model_export.subject import Subject
from stn import SpatialTransformer, get_transform

_NUM_SAMPLES = 8
# From black to white is 1 or 2 in a model that takes such images; one that divides them by 255, or
# takes away a mean that is many times white, has been made for bytes.
_SCALED_DOWN, _FAR_OFF = 0.02, 5.0


def open_keras_classifier(
    path: Path,
    labels: Sequence[str] | None = None,
    input_range: InputRange = "unit",
    polarity: str = "light_on_dark",
    output: OutputKind | None = None,
) -> Subject:
    """Open a `.keras` file as a subject for export.

    Args:
        path: of the file. Layers of its own must have been registered with Keras.
        labels: of the classes; their numbers when left out.
        input_range: what the model takes: `unit` is 0 to 1, `symmetric` -1 to 1, `bytes` 0 to 255.
        polarity: what lies around a picture: `light_on_dark` or `dark_on_light`.
        output: what the model gives; see `output_kind`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the model cannot honour the contract; the sentence says what is missing.
    """
    model = load_keras(path)
    shape = (_NUM_SAMPLES, *image_shape(model))
    kind = output_kind(model, output)
    samples = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    probabilities = in_float32(model, samples, input_range, kind)
    served = KerasClassifier(model, input_range, kind)
    count = probabilities.shape[1]
    names = tuple(labels) if labels is not None else tuple(str(number) for number in range(count))
    if len(names) != count:
        raise ValueError(
            f"the model has {count} classes and needs as many labels; got {len(names)}"
        )
    if twice := [name for name, number in Counter(names).items() if number > 1]:
        raise ValueError(f"each class needs a label of its own; {twice[0]!r} is there twice")
    return Subject(
        served, names, served.transform, polarity, samples, own_probabilities=probabilities
    )


class KerasClassifier:
    """A Keras model as `subject.ServedModel`: it gives theta and the warped image besides.

    Between its input and the `SpatialTransformer` there may be layers that scale and shift each
    channel, such as `Rescaling` and `Normalization`; the warped image is taken back to [0, 1]. Of
    several transformers on the image the first is shown.

    Args:
        model: functional or Sequential; one input of images, one output of logits or probabilities
            (or a dictionary with `logits` or `probabilities`), and a `SpatialTransformer` on the
            images.
        input_range: see `open_keras_classifier`.
        output: see `output_kind`.

    Attributes:
        input_shape: `(None, height, width, channels)`.
        transform: the name of the transformer's transform.

    Raises:
        ValueError: it is not built like that.
    """

    def __init__(
        self,
        model: keras.Model,
        input_range: InputRange = "unit",
        output: OutputKind | None = None,
    ) -> None:
        shape = image_shape(model)
        self.input_shape: tuple[int | None, ...] = (None, *shape)
        self._model = model
        self._range = input_range
        self._kind = output_kind(model, output)
        layers = model._flatten_layers()
        self._transformers = [layer for layer in layers if isinstance(layer, SpatialTransformer)]
        if not self._transformers:
            names = ", ".join(sorted({type(layer).__name__ for layer in model.layers}))
            raise ValueError(
                "the model holds no stn.SpatialTransformer, so that there is no theta to show; it "
                f"holds {names}"
            )
        self._look = find_image_look(lambda images: self._run(images)[1], shape)
        self.transform = self._look.layer.transform.name
        if get_transform(self.transform).num_parameters == 0:
            raise ValueError(
                f"theta must be a row of numbers for each image; that of the transform "
                f"{self.transform!r} is not"
            )
        scale, offset = np.abs(self._look.scale), np.abs(self._look.offset)
        is_of_bytes = scale.max() < _SCALED_DOWN or (offset > _FAR_OFF * scale).all()
        if input_range != "bytes" and is_of_bytes:
            raise ValueError(
                f"the model scales images down before it looks at them, as if they were bytes, but "
                f"the input range is {input_range!r}: give --input-range bytes"
            )

    def __call__(self, images: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Map float32 images in [0, 1] to `logits`, `theta` and `warped`."""
        answer, looks = self._run(images, training)
        answer = tf.cast(chosen_output(answer)[1], tf.float32)
        if self._kind == "probabilities":
            # Of which these are the logarithm: the softmax gives them back, and makes them sum to 1
            # where they were rounded.
            answer = tf.math.log(tf.maximum(answer, 1e-30))
        look = looks[self._look.number]
        warped = self._look.picture(look.warped)
        return {"logits": answer, "theta": tf.cast(look.theta, tf.float32), "warped": warped}

    def get_weights(self) -> list[np.ndarray]:
        """Return all weights."""
        weights: list[np.ndarray] = self._model.get_weights()
        return weights

    def count_params(self) -> int:
        """Return how many numbers they are."""
        return int(self._model.count_params())

    def _run(self, images: tf.Tensor, training: bool = False) -> tuple[Any, list[Look]]:
        """Call the model; what it gives comes back, and what its transformers looked at."""
        if self._range == "symmetric":
            images = 2 * images - 1
        elif self._range == "bytes":
            # They are whole numbers, and a model that casts them would cut them off.
            images = tf.round(255 * images)
        with rows_alike(self._model), noted_looks(self._transformers) as looks:
            answer = self._model(images, training=training)
        return answer, looks


def image_shape(model: keras.Model) -> tuple[int, int, int]:
    """Return `(height, width, channels)` of what a model takes.

    Raises:
        ValueError: it is not a batch of grey or colour images of one size.
    """
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][0] or None in shapes[0][1:]:
        raise ValueError(
            "the model must take one batch, of any number of images of a fixed size, (None, "
            f"height, width, channels); it takes {', '.join(map(str, shapes))}"
        )
    if shapes[0][3] not in (1, 3):
        raise ValueError(f"images must have 1 or 3 channels; the model takes {shapes[0][3]}")
    height, width, channels = shapes[0][1:]
    return height, width, channels
