"""Pictures of a run: the learning curves, and what the network looked at."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from model_export.evaluate import Reading

INK = "#1f2933"
BLUE = "#2463a6"
ORANGE = "#d1700f"
RED = "#c0392b"
# Of the quadrilateral: its first edge is the top of what the network saw.
REGION = "#ffb000"
TOP = "#1e9be0"
GROUND = "#dfe3e8"
_DPI = 110


def draw_learning_curves(history: Sequence[dict[str, float]], path: Path) -> None:
    """Draw loss, validation error and the localizer's grip on the digit over the epochs.

    Args:
        history: one row for each epoch, as in a run's `metrics.json`.
        path: the PNG to write.
    """
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(9.6, 3.2), layout="constrained")
    loss, error, grip = figure.subplots(1, 3)
    marker = "o" if len(epochs) < 3 else ""
    curve = {"color": BLUE, "linewidth": 1.6, "marker": marker, "markersize": 4}

    loss.plot(epochs, [row["loss"] for row in history], **curve)
    loss.set_yscale("log")
    loss.set_title("training loss")

    errors = [row["validation_error_percent"] for row in history]
    error.plot(epochs, errors, **curve)
    if min(errors) > 0:
        error.set_yscale("log")
        error.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        error.yaxis.set_major_formatter("{x:g}")
        error.yaxis.set_minor_formatter("")
    error.set_title(f"validation error, % (last: {errors[-1]:.2f})")

    correlations = [row["centre_correlation"] for row in history]
    grip.plot(epochs, correlations, **curve)
    grip.axhspan(-1, 0.5, color=RED, alpha=0.10, linewidth=0)
    grip.text(0.98, 0.03, "dead", color=RED, ha="right", va="bottom", transform=grip.transAxes)
    grip.set_ylim(min(0.0, *correlations), 1.02)
    grip.set_title("correlation of theta with the digit's place")

    for axes in (loss, error, grip):
        axes.title.set_fontsize(10)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.get_major_locator().set_params(integer=True)
    write_figure(figure, path)


def draw_looks(
    reading: Reading, path: Path, chosen: Sequence[int] = range(24), num_columns: int = 6
) -> None:
    """Draw test images with the region looked at, each beside what the classifier then saw.

    Args:
        reading: what a classifier made of a test set.
        path: the PNG to write.
        chosen: which images; those beyond the end of the set are left out.
        num_columns: pairs in a row.
    """
    chosen = [index for index in chosen if index < len(reading.images)]
    num_rows = max(1, math.ceil(len(chosen) / num_columns))
    width, height = num_columns * 2.3, num_rows * 1.42 + 0.3
    figure = Figure(figsize=(width, height))
    pairs = figure.add_gridspec(
        num_rows,
        num_columns,
        left=0.1 / width,
        right=1 - 0.1 / width,
        bottom=0.1 / height,
        top=1 - 0.55 / height,
        wspace=0.12,
        hspace=0.28,
    )
    for place, index in enumerate(chosen):
        pair = pairs[divmod(place, num_columns)].subgridspec(1, 2, wspace=0.04)
        _draw_pair(figure.add_subplot(pair[0]), figure.add_subplot(pair[1]), reading, index)
    figure.suptitle(
        "Each pair: the image with the region the network looked at (its top edge in blue),"
        " and what it saw there",
        fontsize=10,
        color=INK,
        y=1 - 0.1 / height,
        va="top",
    )
    write_figure(figure, path)


def worst_first(reading: Reading) -> list[int]:
    """Return the misread images, the most confident mistakes first."""
    probabilities = reading.outputs["probabilities"]
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != reading.labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")].tolist()


def region(theta: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the corners `(4, 2)` of what was looked at, `(x, y)` in pixels of the image.

    The order is top left, top right, bottom right, bottom left of the warped image.
    """
    corners = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]])
    half = (np.array(size[::-1]) - 1) / 2
    return (corners @ theta.reshape(2, 3).T + 1) * half


def _draw_pair(sent: Axes, seen: Axes, reading: Reading, index: int) -> None:
    image, warped = reading.images[index], reading.outputs["warped"][index, ..., 0]
    height, width = image.shape
    sent.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    corners = region(reading.outputs["theta"][index], (height, width))
    sent.plot(*corners[[1, 2, 3, 0]].T, color=REGION, linewidth=1.3)
    sent.plot(*corners[:2].T, color=TOP, linewidth=1.8)
    # A region may reach past the image, so there is some grey ground around it.
    reach = width / 6
    sent.set_xlim(-0.5 - reach, width - 0.5 + reach)
    sent.set_ylim(height - 0.5 + reach, -0.5 - reach)
    sent.set_facecolor(GROUND)
    for axes in (sent, seen):
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)

    seen.imshow(warped, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    probabilities = reading.outputs["probabilities"][index]
    predicted, true = int(probabilities.argmax()), int(reading.labels[index])
    right = predicted == true
    sent.set_title(f"is {true}", fontsize=9, color=INK, pad=2)
    seen.set_title(
        f"read {predicted} ({100 * probabilities[predicted]:.0f} %)",
        fontsize=9,
        color=INK if right else RED,
        fontweight="normal" if right else "bold",
        pad=2,
    )


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG; the same figure gives the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    # Its version would change with that of the program.
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})
