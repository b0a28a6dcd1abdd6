"""Real handwritten digits: the sample that comes with the repository."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

SAMPLE = Path(__file__).parents[2] / "model_export" / "sample" / "digits.npz"


class Digits(NamedTuple):
    """uint8 `(1000, 28, 28)`, light on dark, and their classes."""

    images: np.ndarray
    labels: np.ndarray


def load_digits() -> Digits:
    with np.load(SAMPLE) as sample:
        return Digits(sample["test_images"].reshape(-1, 28, 28), sample["test_labels"])
