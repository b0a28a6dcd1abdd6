"""What a classifier made of labelled pictures: every answer, and the figures drawn from them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from model_export.evaluate import wilson_interval
from model_export.images.prepare import Prepared
from model_export.predictors import Predictor, pictures_at_once

_BINS = 10


@dataclass(frozen=True)
class Readings:
    """The answers to a set of pictures.

    Attributes:
        labels: of the classes.
        paths: of the pictures.
        classes: the true ones, int `(num,)`.
        probabilities: `(num, classes)`.
        theta: `(num, parameters)`.
    """

    labels: tuple[str, ...]
    paths: np.ndarray
    classes: np.ndarray
    probabilities: np.ndarray
    theta: np.ndarray

    @cached_property
    def read(self) -> np.ndarray:
        """The class that each picture was given."""
        answer: np.ndarray = self.probabilities.argmax(axis=1)
        return answer

    @cached_property
    def confidence(self) -> np.ndarray:
        """The probability of that class."""
        answer: np.ndarray = self.probabilities.max(axis=1)
        return answer

    @property
    def num_wrong(self) -> int:
        """How many were given another class than their own."""
        return int((self.read != self.classes).sum())

    @property
    def accuracy(self) -> float:
        """The share that was given its own class."""
        return 1 - self.num_wrong / len(self.classes)

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """Its 95 % confidence interval, after Wilson."""
        low, high = wilson_interval(self.num_wrong, len(self.classes))
        return 1 - high, 1 - low

    @property
    def commonest(self) -> tuple[str, float]:
        """The label with most pictures, and its share: what one answer to all would be right on."""
        counts = np.bincount(self.classes, minlength=len(self.labels))
        return self.labels[counts.argmax()], float(counts.max() / len(self.classes))

    @cached_property
    def confusion(self) -> np.ndarray:
        """Counts, `(classes, classes)`: rows are true, columns what they were taken for."""
        count = len(self.labels)
        table = np.zeros((count, count), int)
        np.add.at(table, (self.classes, self.read), 1)
        return table

    def mistakes(self) -> list[dict[str, Any]]:
        """Return which classes were taken for which others, and how often; the commonest first."""
        wrong = self.confusion * (1 - np.eye(len(self.labels), dtype=int))
        pairs = np.argwhere(wrong)
        order = np.argsort(-wrong[tuple(pairs.T)], kind="stable")
        return [
            {
                "label": self.labels[true],
                "read_as": self.labels[taken],
                "num_images": int(wrong[true, taken]),
            }
            for true, taken in pairs[order]
        ]

    def per_class(self) -> list[dict[str, Any]]:
        """Return for each class: label, number, precision, recall and F1; None where undefined."""
        rows = []
        for number, label in enumerate(self.labels):
            right = int(self.confusion[number, number])
            true, taken = int(self.confusion[number].sum()), int(self.confusion[:, number].sum())
            rows.append(
                {
                    "label": label,
                    "num_images": true,
                    "precision": right / taken if taken else None,
                    "recall": right / true if true else None,
                    "f1": 2 * right / (true + taken) if true + taken else None,
                }
            )
        return rows

    def calibration(self) -> list[dict[str, Any]]:
        """Return for each tenth of confidence that occurs: confidence, accuracy, and numbers."""
        bins = np.minimum((self.confidence * _BINS).astype(int), _BINS - 1)
        right = self.read == self.classes
        return [
            {
                "num_images": int((bins == number).sum()),
                "num_right": int(right[bins == number].sum()),
                "confidence": float(self.confidence[bins == number].mean()),
                "accuracy": float(right[bins == number].mean()),
            }
            for number in np.unique(bins)
        ]

    @property
    def calibration_error(self) -> float:
        """The mean distance of confidence from accuracy over the tenths (ECE)."""
        rows = self.calibration()
        distances = [row["num_images"] * abs(row["confidence"] - row["accuracy"]) for row in rows]
        return sum(distances) / len(self.classes)

    def worst_first(self) -> np.ndarray:
        """Return the misread pictures, the most confident mistakes first."""
        wrong = np.flatnonzero(self.read != self.classes)
        order: np.ndarray = wrong[np.argsort(-self.confidence[wrong], kind="stable")]
        return order

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "num_images": len(self.classes),
            "num_wrong": self.num_wrong,
            "accuracy": self.accuracy,
            "accuracy_interval_95": list(self.accuracy_interval),
            "accuracy_of_commonest": self.commonest[1],
            "calibration_error": self.calibration_error,
            "theta_spread": self.theta.std(axis=0).tolist(),
            "classes": self.per_class(),
            "mistakes": self.mistakes(),
        }


def read_pictures(predict: Predictor, prepared: Prepared, indices: np.ndarray) -> Readings:
    """Ask a classifier about some pictures, some of them at a time.

    Args:
        predict: from uint8 `(num, height, width, channels)` to `probabilities` and `theta`.
        prepared: the pictures.
        indices: which.

    Raises:
        ValueError: there are none.
    """
    if not len(indices):
        raise ValueError("there are no pictures to evaluate on")
    probabilities, theta = [], []
    size = pictures_at_once(prepared.spec.height, prepared.spec.width)
    for start in range(0, len(indices), size):
        outputs = predict(prepared.read(indices[start : start + size]))
        # Without what they saw, which would fill the memory.
        probabilities.append(outputs["probabilities"])
        theta.append(outputs["theta"])
    return Readings(
        prepared.labels,
        prepared.paths[indices],
        prepared.classes[indices],
        np.concatenate(probabilities),
        np.concatenate(theta),
    )
