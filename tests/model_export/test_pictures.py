from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_export.evaluate import Reading, TestError
from model_export.pictures import draw_learning_curves, draw_looks, region, worst_first

HISTORY = [
    {
        "epoch": epoch,
        "loss": 1.0 / epoch,
        "validation_error_percent": error,
        "centre_correlation": 0.9,
    }
    for epoch, error in enumerate([8.0, 2.0, 0.0], start=1)
]


@pytest.fixture
def reading() -> Reading:
    """Five images; 1 and 3 are misread, 3 with more confidence."""
    random = np.random.default_rng(0)
    labels = np.array([0, 1, 2, 3, 4], np.uint8)
    probabilities = np.eye(10)[[0, 7, 2, 8, 4]]
    probabilities[1] *= 0.6
    probabilities[3] *= 0.9
    return Reading(
        TestError("rts", "x", "y", 1, 5, 2),
        random.integers(0, 256, (5, 42, 42), np.uint8),
        labels,
        {
            "probabilities": probabilities,
            "theta": np.tile([0.5, 0.1, 0, -0.1, 0.5, 0], (5, 1)),
            "warped": random.random((5, 28, 28, 1)),
        },
    )


def test_the_identity_looks_at_the_corner_pixels() -> None:
    corners = region(np.array([1.0, 0, 0, 0, 1, 0]), (5, 9))

    assert corners.tolist() == [[0, 0], [8, 0], [8, 4], [0, 4]]


def test_convention_a_shift_in_x_moves_the_region_right() -> None:
    corners = region(np.array([0.5, 0, 0.25, 0, 0.5, 0]), (5, 9))

    assert corners.tolist() == [[3, 1], [7, 1], [7, 3], [3, 3]]


def test_mistakes_come_the_most_confident_first(reading: Reading) -> None:
    assert worst_first(reading) == [3, 1]


def test_a_row_of_looks_is_added_for_each_six(reading: Reading, tmp_path: Path) -> None:
    draw_looks(reading, tmp_path / "one.png", range(3), num_columns=3)
    draw_looks(reading, tmp_path / "two.png", range(5), num_columns=3)

    one, two = read(tmp_path / "one.png"), read(tmp_path / "two.png")
    assert one.shape[1] == two.shape[1]
    assert one.shape[0] < two.shape[0]
    # There is ink and paper in it, not one colour.
    assert len(np.unique(two)) > 50


def test_no_mistakes_make_an_empty_picture(reading: Reading, tmp_path: Path) -> None:
    draw_looks(reading, tmp_path / "none.png", [])

    assert read(tmp_path / "none.png").size > 0


@pytest.mark.parametrize("num_epochs", [1, 3])
def test_learning_curves_are_drawn_from_one_epoch_on(tmp_path: Path, num_epochs: int) -> None:
    """The last error of nought would break a logarithmic axis."""
    draw_learning_curves(HISTORY[:num_epochs], tmp_path / "new" / "curves.png")

    assert read(tmp_path / "new" / "curves.png").shape[1] > 500


def test_the_same_figures_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        draw_learning_curves(HISTORY, tmp_path / name)

    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))
