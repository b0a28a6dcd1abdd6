"""Draw the pictures of docs/stn.md, from the photo beside this folder: `python make.py`."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import stn

HERE = Path(__file__).resolve().parent
BLUE, ORANGE = "tab:blue", "tab:orange"


def photo(width: int = 240) -> tf.Tensor:
    """The photo, float32 `(1, height, width, 3)` in [0, 1]."""
    picture = Image.open(HERE.parent / "cat.jpg").convert("RGB")
    picture = picture.resize((width, round(picture.height * width / picture.width)))
    return tf.constant(np.asarray(picture, np.float32)[np.newaxis] / 255)


def convention() -> Figure:
    """Output on the left, input on the right, and theta from one to the other."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    target, source = figure.subplots(1, 2)
    theta = np.array([[0.5, -0.25, 0.2], [0.2, 0.45, -0.1]])
    columns, rows = 5, 4
    x, y = np.meshgrid(np.linspace(-1, 1, columns), np.linspace(-1, 1, rows))
    looked = theta @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])

    _square(target, columns, rows, "output")
    target.plot(x, y, "o", color=ORANGE, markersize=6)
    _square(source, 8, 6, "input")
    source.plot(*looked, "o", color=ORANGE, markersize=6)
    corner = [0, columns - 1, x.size - 1, x.size - columns, 0]
    source.plot(*looked[:, corner], color=ORANGE)
    target.annotate(
        "",
        xy=(looked[0, 0], looked[1, 0]),
        xycoords=source.transData,
        xytext=(-1, -1),
        textcoords=target.transData,
        arrowprops={"arrowstyle": "-|>", "color": "black", "connectionstyle": "arc3,rad=-0.2"},
    )
    figure.suptitle("source (x, y) = theta · (x, y, 1) of the target", fontsize=11)
    return figure


def _square(axes: Axes, columns: int, rows: int, title: str) -> None:
    """Pixels of a picture in normalised units, their centres marked, and both axes."""
    wide, high = 2 / (columns - 1), 2 / (rows - 1)
    for k in range(columns + 1):
        axes.plot([-1 + (k - 0.5) * wide] * 2, [-1 - high / 2, 1 + high / 2], color="lightgrey")
    for k in range(rows + 1):
        axes.plot([-1 - wide / 2, 1 + wide / 2], [-1 + (k - 0.5) * high] * 2, color="lightgrey")
    arrow = {"arrowstyle": "->", "color": BLUE}
    axes.annotate("", xy=(0.9, 0), xytext=(0, 0), arrowprops=arrow)
    axes.annotate("", xy=(0, 0.9), xytext=(0, 0), arrowprops=arrow)
    axes.text(0.93, 0.05, "x", color=BLUE)
    axes.text(0.05, 0.95, "y", color=BLUE)
    for corner in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        axes.plot(*corner, ".", color=BLUE)
        axes.text(*corner, f" {corner}", fontsize=7, color=BLUE, va="bottom")
    axes.set(xlim=(-1.5, 1.5), ylim=(1.45, -1.45), xticks=[], yticks=[], title=title)
    axes.set_aspect("equal")
    axes.set_frame_on(False)


def thetas(height: int, width: int) -> dict[str, np.ndarray]:
    """One theta for each transform, with a visible effect."""
    turn = np.radians(20)
    cos, sin = np.cos(turn), np.sin(turn)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    waves = np.stack([0.06 * np.sin(5 * y), 0.06 * np.sin(5 * x)], axis=-1)
    return {
        "affine": np.array([0.8 * cos, -0.7 * sin, 0.0, 0.4 * sin, 0.8 * cos, 0.0]),
        "attention": np.array([0.5, 0.05, -0.1]),
        "similarity": np.array([turn, 0.8, 0.0, 0.0]),
        "translation": np.array([0.3, -0.2]),
        "projective": np.array([0.9, 0, 0, 0, 0.9, 0, 0.3, 0.2]),
        "tps": np.random.default_rng(4).normal(0, 0.12, 32),
        "flow": waves,
    }


def transforms() -> Figure:
    """Each transform on the photo: where it looks, above what it sees."""
    image = photo()
    chosen = thetas(image.shape[1], image.shape[2])
    figure = Figure(figsize=(2.1 * len(chosen), 3.9), layout="constrained")
    axes = figure.subplots(2, len(chosen))
    for column, (name, theta) in enumerate(chosen.items()):
        single = stn.show(image, theta[np.newaxis].astype(np.float32), name)
        for row, drawn in enumerate(single.axes):
            _copy(drawn, axes[row, column])
        axes[0, column].set_title(name, fontsize=10)
    return figure


def _copy(drawn: Axes, onto: Axes) -> None:
    """Draw again what another figure shows."""
    onto.imshow(drawn.images[0].get_array(), interpolation="nearest")
    for line in drawn.lines:
        onto.plot(
            *line.get_data(),
            color=line.get_color(),
            linewidth=0.7 * line.get_linewidth(),
            marker=line.get_marker(),
            markersize=4,
        )
    onto.set(xticks=[], yticks=[], xlim=drawn.get_xlim(), ylim=drawn.get_ylim())


def main() -> None:
    """Draw them all."""
    convention().savefig(HERE / "convention.png", dpi=110)
    transforms().savefig(HERE / "transforms.png", dpi=80)
    angle = np.radians(30)
    theta = [
        [
            0.5 * np.cos(angle),
            -0.5 * np.sin(angle),
            0.1,
            0.5 * np.sin(angle),
            0.5 * np.cos(angle),
            0.0,
        ]
    ]
    stn.show(photo(), theta).savefig(HERE / "show.png", dpi=80)


if __name__ == "__main__":
    main()
