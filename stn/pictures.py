"""Pictures of what a transformer does: the image with grid and region, and the image after."""

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from stn._shapes import as_coordinates, check_image, image_size
from stn.lattice import pixel_lattice
from stn.transforms import Transform, get_transform
from stn.warping import warp

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINES = 9


def show(
    images: Any,
    theta: Any,
    transform: str | Transform = "affine",
    output_size: tuple[int, int] | None = None,
    titles: list[str] | None = None,
    **options: Any,
) -> "Figure":
    """Draw images with the grid and the region that is looked at, and beside each the warped image.

    Args:
        images: float in [0, 1] or uint8 `(batch, height, width, channels)`, one or three channels.
        theta: as the transform has it, see `warp`.
        transform: a name that `get_transform` knows, or a `Transform`.
        output_size: `(height, width)` of the output; the image's when left out.
        titles: one for each image.
        **options: as of `warp`.

    Returns:
        A matplotlib `Figure` of one row for each image; save it with `figure.savefig(path)`. In a
        notebook it shows itself.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: a shape is not as above.

    Example:
        >>> figure = show(tf.zeros([1, 8, 8, 1]), [[0.5, 0.0, 0.1, 0.0, 0.5, 0.0]])
        >>> len(figure.axes)
        2

    Source: the tutorial pictures of every spatial transformer.
    """
    from matplotlib.figure import Figure

    images = check_image(images)
    transform = get_transform(transform)
    theta = as_coordinates(theta, "theta")
    warped = warp(images, theta, transform, output_size, **options).numpy()
    align = options.get("align_corners", True)
    lines, region = _grid_lines(theta, transform, images, align)

    count = images.shape[0]
    figure = Figure(figsize=(7, 3.4 * count), layout="constrained")
    axes = figure.subplots(count, 2, squeeze=False)
    for k in range(count):
        before, after = axes[k]
        _draw(before, images[k].numpy())
        for line in lines[k]:
            before.plot(line[:, 0], line[:, 1], color="tab:blue", linewidth=0.7, alpha=0.8)
        before.plot(region[k][:, 0], region[k][:, 1], color="tab:orange", linewidth=2)
        # The output's first corner, so that a turn or a mirror can be seen.
        before.plot(*region[k][0], "o", color="tab:orange", markersize=6)
        _draw(after, warped[k])
        after.set_title("what the network sees", fontsize=9)
        before.set_title(titles[k] if titles else "where it looks", fontsize=9)
        for spine in after.spines.values():
            spine.set(color="tab:orange", linewidth=2)
    return figure


def _grid_lines(
    theta: tf.Tensor, transform: Transform, images: tf.Tensor, align_corners: bool
) -> tuple[list[list[np.ndarray]], list[np.ndarray]]:
    """Lines of the output's lattice in pixels of the input, and its outline, for each image."""
    steps = 8 * (_LINES - 1) + 1
    if transform.num_parameters:
        lattice = pixel_lattice(image_size(images), (steps, steps), theta.dtype, align_corners)
    else:
        lattice = pixel_lattice(image_size(images), theta.shape[1:3], theta.dtype, align_corners)
    x, y = transform.points(theta, lattice)
    points = np.stack([x.numpy(), y.numpy()], axis=-1)
    points = np.broadcast_to(points, (images.shape[0], *points.shape[1:]))
    rows = np.linspace(0, points.shape[1] - 1, _LINES).round().astype(int)
    columns = np.linspace(0, points.shape[2] - 1, _LINES).round().astype(int)
    lines = [[*own[rows], *own[:, columns].swapaxes(0, 1)] for own in points]
    outlines = [np.concatenate([own[0], own[:, -1], own[-1, ::-1], own[::-1, 0]]) for own in points]
    return lines, outlines


def _draw(axes: "Axes", image: np.ndarray) -> None:
    """Draw without resampling, pixel centres at whole numbers."""
    grey = image.shape[2] == 1
    values = image[..., 0] if grey else image
    if values.dtype != np.uint8:
        values = np.clip(values.astype(np.float32), 0, 1)
    axes.imshow(values, cmap="gray" if grey else None, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
