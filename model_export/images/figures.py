"""The pictures of a report: confusion, calibration, learning curves, mistakes."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from model_export.evaluate import wilson_interval
from model_export.images.readings import Readings
from model_export.pictures import BLUE, GROUND, INK, ORANGE, RED, REGION, TOP
from stn import transform_grid

_MOST_NAMED, _MOST_LETTERS = 40, 16
# A label may hold dollars, which matplotlib would read as mathematics.
_AS_IT_IS = {"parse_math": False}


def shortened(label: str) -> str:
    """Return a label as a figure has room for it."""
    return label if len(label) <= _MOST_LETTERS else f"{label[: _MOST_LETTERS - 1]}…"


def draw_confusion(readings: Readings) -> Figure:
    """Draw the confusion matrix, each row as shares of its class."""
    count = len(readings.labels)
    side = min(3 + 0.35 * count, 12)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    table = readings.confusion
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if count <= _MOST_NAMED:
        names = [shortened(label) for label in readings.labels]
        axes.set_xticks(range(count), names, rotation=90, fontsize=8, **_AS_IT_IS)
        axes.set_yticks(range(count), names, fontsize=8, **_AS_IT_IS)
        for row, column in zip(*np.nonzero(table), strict=True):
            ink = "white" if shares[row, column] > 0.5 else INK
            axes.text(
                column,
                row,
                str(table[row, column]),
                ha="center",
                va="center",
                fontsize=7,
                color=ink,
            )
    axes.set(xlabel="taken for", ylabel="is")
    return figure


def draw_calibration(readings: Readings) -> Figure:
    """Draw how often answers of a confidence are right, with 95 % intervals, and their number."""
    rows = readings.calibration()
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GROUND, linewidth=2)
    for row in rows:
        confidence, accuracy = row["confidence"], row["accuracy"]
        interval = wilson_interval(row["num_right"], row["num_images"])
        axes.plot([confidence] * 2, interval, color=BLUE, linewidth=1, alpha=0.5)
        axes.plot(confidence, accuracy, "o", color=BLUE)
        axes.annotate(
            f"{row['num_images']:,}",
            (confidence, accuracy),
            textcoords="offset points",
            xytext=(-6, -3),
            ha="right",
            fontsize=7,
        )
    axes.set(xlim=(0, 1.03), ylim=(-0.05, 1.05), xlabel="confidence", ylabel="share that is right")
    return figure


def draw_history(history: Sequence[dict[str, float]]) -> Figure:
    """Draw the losses and the validation error over the epochs."""
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(9, 3), layout="constrained")
    loss, error = figure.subplots(1, 2)
    loss.plot(epochs, [row["loss"] for row in history], color=BLUE, label="training")
    validation = [row["validation_loss"] for row in history]
    loss.plot(epochs, validation, color=ORANGE, label="validation")
    best = int(np.argmin(validation))
    loss.plot(epochs[best], validation[best], "o", color=ORANGE, label="kept")
    loss.set_title("loss", fontsize=10)
    loss.legend(frameon=False, fontsize=8)
    error.plot(epochs, [row["validation_error_percent"] for row in history], color=BLUE)
    error.set_title("validation error, %", fontsize=10)
    for axes in (loss, error):
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_pairs(
    images: np.ndarray,
    warped: np.ndarray,
    theta: np.ndarray,
    transform: str,
    titles: Sequence[tuple[str, str, bool]],
) -> Figure:
    """Draw pictures with the region looked at, each beside what was seen there.

    Args:
        images: uint8 `(num, height, width, channels)`.
        warped: float `(num, height, width, channels)` in [0, 1].
        theta: `(num, parameters)` of the transform.
        transform: its name.
        titles: for each what it is, what it was taken for, and whether that is right.
    """
    columns = min(4, max(1, len(images)))
    rows = max(1, math.ceil(len(images) / columns))
    figure = Figure(figsize=(columns * 2.9, rows * 1.75), layout="constrained")
    grid = figure.subplots(rows, 2 * columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    height, width = images.shape[1:3]
    for index, (truth, answer, right) in enumerate(titles):
        row, column = divmod(index, columns)
        sent, seen = grid[row, 2 * column], grid[row, 2 * column + 1]
        sent.imshow(_shown(images[index]), cmap="gray", vmin=0, vmax=255)
        outline = outline_of(theta[index], transform, (height, width))
        sent.plot(*outline.T, color=REGION, linewidth=1.4)
        sent.plot(*outline[: len(outline) // 4 + 1].T, color=TOP, linewidth=1.8)
        sent.set(xlim=(-0.15 * width, 1.15 * width), ylim=(1.15 * height, -0.15 * height))
        sent.set_facecolor(GROUND)
        seen.imshow(np.clip(_shown(warped[index]), 0, 1), cmap="gray", vmin=0, vmax=1)
        sent.set_title(truth[:18], fontsize=8, color=INK, **_AS_IT_IS)
        seen.set_title(answer[:22], fontsize=8, color=INK if right else RED, **_AS_IT_IS)
    return figure


def outline_of(theta: np.ndarray, transform: str, size: tuple[int, int]) -> np.ndarray:
    """Return the outline of the region looked at, `(points, 2)`, `(x, y)` in pixels of the image.

    It begins at the warped image's top left and runs clockwise; a quarter of it is the top edge.
    """
    side = 17
    grid = transform_grid(theta[np.newaxis].astype(np.float32), (side, side), transform)[0].numpy()
    edges = (grid[0], grid[1:, -1], grid[-1, -2::-1], grid[-2::-1, 0])
    return (np.concatenate(edges) + 1) * (np.array(size[::-1]) - 1) / 2


def _shown(image: np.ndarray) -> np.ndarray:
    return image[..., 0] if image.shape[2] == 1 else image
