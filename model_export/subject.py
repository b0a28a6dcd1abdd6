"""What an export is made of, whoever trained it: a model, its labels, pictures, and its card."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from model_export.batching import MAX_BATCH_SIZE
from model_export.card import CONVENTION, card_json, common_card, weights_digest
from stn import get_transform


class ServedModel(Protocol):
    """A classifier in TensorFlow, as `predict` needs it.

    Attributes:
        input_shape: `(None, height, width, channels)`.
    """

    input_shape: tuple[int | None, ...]

    def __call__(self, images: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Map float32 images in [0, 1] to `logits`, `theta` and `warped`."""

    def get_weights(self) -> list[np.ndarray]:
        """Return all weights."""

    def count_params(self) -> int:
        """Return how many numbers they are."""


@dataclass(frozen=True)
class Subject:
    """A classifier to be exported.

    Attributes:
        model: the classifier.
        labels: of its classes.
        transform: a name that `stn.get_transform` knows.
        polarity: `light_on_dark` or `dark_on_light`: what lies around a picture.
        samples: uint8 `(num, height, width, channels)`, for the warm-up file and the checks.
        facts: what else its card says: test errors, training data, training.
        own_probabilities: float32 `(num, classes)`, of the samples, by the model as it was trained,
            where `model` only wraps that one.
    """

    model: ServedModel
    labels: tuple[str, ...]
    transform: str
    polarity: str
    samples: np.ndarray
    facts: dict[str, Any] = field(default_factory=dict)
    own_probabilities: np.ndarray | None = None


def subject_card(name: str, subject: Subject, outputs: dict[str, np.ndarray]) -> str:
    """Return the card of a subject as JSON.

    Args:
        name: of the servable.
        subject: the classifier.
        outputs: what it answers to its samples.
    """
    height, width, channels = subject.model.input_shape[1:]
    parameters = get_transform(subject.transform).parameters
    convention = CONVENTION
    if subject.transform != "affine":
        convention = (
            f"theta, {len(parameters)} numbers ({', '.join(parameters)}) of the transform "
            f"'{subject.transform}', maps output to input coordinates; x grows to the right, y "
            "downwards; -1 and +1 are the centres of the first and last pixel"
        )
    facts = {"test_errors": [], "training_data": {}, "training": {}} | subject.facts
    spread = [round(float(number), 6) for number in outputs["theta"].std(axis=0)]
    return card_json(
        common_card(name, "classification")
        | {
            "convention": convention,
            "transform": subject.transform,
            "input": {
                "height": height,
                "width": width,
                "channels": channels,
                "polarity": subject.polarity,
            },
            "output_size": dict(
                zip(("height", "width"), outputs["warped"].shape[1:3], strict=True)
            ),
            "max_batch_size": MAX_BATCH_SIZE,
            "localizer": {"theta_spread": spread},
            "num_parameters": subject.model.count_params(),
            "weights_sha256": weights_digest(subject.model),
        }
        | facts
    )
