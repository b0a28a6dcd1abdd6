"""How often a classifier is wrong, and whether its localizer follows the digit."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

from model_export.data import Digits
from model_export.distortion import CANVAS, RTS, TEST_SEED, fixed_set
from model_export.localizer_health import LocalizerHealth, measure_health
from model_export.predictors import Predictor
from model_export.shifts import ALL_AT_ONCE, SHIFTS, shifted_set


@dataclass(frozen=True)
class TestError:
    """How many images of a test set are misread.

    Attributes:
        name: of the test set, in one word.
        data_set: where the digits come from.
        distortion: what was done to them.
        seed: of the distortion, when it has one.
        num_images: how many there are.
        num_wrong: how many of them are misread.
    """

    __test__ = False  # pytest takes the name for a test's

    name: str
    data_set: str
    distortion: str
    seed: int | None
    num_images: int
    num_wrong: int

    @property
    def percent(self) -> float:
        """The error in per cent."""
        return 100 * self.num_wrong / self.num_images

    @property
    def interval_percent(self) -> tuple[float, float]:
        """The error's 95 % confidence interval in per cent."""
        low, high = wilson_interval(self.num_wrong, self.num_images)
        return 100 * low, 100 * high

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            **asdict(self),
            "error_percent": round(self.percent, 4),
            "interval_95_percent": [round(limit, 4) for limit in self.interval_percent],
        }


@dataclass(frozen=True)
class Reading:
    """What a classifier made of one test set; the arrays are for pictures.

    Attributes:
        error: the count.
        images: uint8 `(num, 42, 42)`.
        labels: uint8 `(num,)`.
        outputs: `probabilities`, `theta` and `warped`.
    """

    error: TestError
    images: np.ndarray
    labels: np.ndarray
    outputs: dict[str, np.ndarray]


@dataclass(frozen=True)
class Evaluation:
    """What a classifier made of all test sets."""

    readings: tuple[Reading, ...]
    health: LocalizerHealth

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "test_errors": [reading.error.as_dict() for reading in self.readings],
            "localizer": self.health.as_dict(),
        }


def evaluate(predict: Predictor, digits: Digits) -> Evaluation:
    """Ask a classifier about the test digits: RTS, as people send them, and shifted from both.

    Each way to distort them has a fixed seed, and so always the same pictures.

    Args:
        predict: from uint8 `(num, 42, 42)` to `probabilities`, `theta` and `warped`.
        digits: only the test part is used.
    """
    distorted, placement = fixed_set(digits.test_images)
    rts = _read(predict, distorted, digits, "rts", RTS.describe(), TEST_SEED)
    fitted = f"none: the 28 x 28 digit enlarged to {CANVAS} x {CANVAS}, as a client would send it"
    plain = _read(predict, enlarge(digits.test_images), digits, "undistorted", fitted, None)
    shifted = []
    for shift in (*SHIFTS, ALL_AT_ONCE):
        images, _ = shifted_set(digits.test_images, shift)
        seed = TEST_SEED + shift.stream
        shifted.append(_read(predict, images, digits, shift.name, shift.describe(), seed))
    return Evaluation((rts, plain, *shifted), measure_health(rts.outputs["theta"], placement))


def enlarge(digits: np.ndarray) -> np.ndarray:
    """Fit uint8 `(num, 28, 28)` to the canvas as the gateway does with what people send."""
    size = (CANVAS, CANVAS)
    resized = [Image.fromarray(d).resize(size, Image.Resampling.BILINEAR) for d in digits]
    return np.stack([np.asarray(image) for image in resized])


def wilson_interval(num_wrong: int, num_images: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion, after E. B. Wilson (1927)."""
    z = 1.959964
    share = num_wrong / num_images
    middle = share + z * z / (2 * num_images)
    spread = z * math.sqrt((share * (1 - share) + z * z / (4 * num_images)) / num_images)
    scale = 1 + z * z / num_images
    # At the ends the formula gives 0 and 1, but for rounding.
    low = (middle - spread) / scale if num_wrong else 0.0
    high = (middle + spread) / scale if num_wrong < num_images else 1.0
    return low, high


def _read(
    predict: Predictor,
    images: np.ndarray,
    digits: Digits,
    name: str,
    distortion: str,
    seed: int | None,
) -> Reading:
    outputs = predict(images)
    labels = digits.test_labels
    num_wrong = int((outputs["probabilities"].argmax(axis=1) != labels).sum())
    error = TestError(name, f"{digits.name} test", distortion, seed, len(labels), num_wrong)
    return Reading(error, images, labels, outputs)
