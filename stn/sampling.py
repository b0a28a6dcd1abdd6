"""Sampling at the points of a grid, whoever made it."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from stn._context import Backend
from stn._shapes import as_coordinates
from stn.lattice import Lattice, Number
from stn.taps import Interpolation, Padding
from stn.transforms import Transform
from stn.warping import warp


@dataclass(frozen=True)
class _Grid(Transform):
    """Theta is the grid itself, `(batch, height, width, 2)`."""

    @property
    def has_matrix(self) -> bool:
        return False

    def points(self, theta: tf.Tensor, lattice: Lattice) -> tuple[tf.Tensor, tf.Tensor]:
        extent_x, extent_y = lattice.source_extent
        middle_x, middle_y = lattice.source_middle
        return (
            _snap(theta[..., 0] * extent_x + middle_x, extent_x),
            _snap(theta[..., 1] * extent_y + middle_y, extent_y),
        )


_GRID = _Grid("grid")


def sample(
    image: tf.Tensor,
    grid: tf.Tensor,
    *,
    interpolation: Interpolation = "bilinear",
    padding: Padding = "zeros",
    fill_value: float = 0.0,
    align_corners: bool = True,
    return_mask: bool = False,
    dtype: tf.DType | str | None = None,
    backend: Backend = "auto",
    training: bool = False,
) -> Any:
    """Read images at the points of a grid.

    A point within float rounding of a pixel centre is that centre, so that the grid of the identity
    returns the image bit for bit. Differentiable with respect to grid and image. Where a transform
    made the grid, `warp` does both in one and faster.

    Args:
        image: float or uint8 `(batch, height, width, channels)`.
        grid: float `(batch, out_height, out_width, 2)`, last axis `(x, y)` in normalised units. A
            batch of 1, of grids or of images, serves all of the other.
        interpolation: see `warp`.
        padding: see `warp`.
        fill_value: see `warp`.
        align_corners: see `warp`; the same as the grid was made with.
        return_mask: see `warp`.
        dtype: see `warp`.
        backend: see `warp`; there is no kernel for grids.
        training: see `warp`.

    Returns:
        Tensor `(batch, out_height, out_width, channels)` of the image's type; with `return_mask`
        also float `(batch, out_height, out_width, 1)`. A point with a NaN or infinite coordinate
        gives `fill_value`.

    Raises:
        ValueError: a shape, type or name is not as above.

    Example:
        >>> image = tf.constant([[[[1.0], [3.0]]]])
        >>> sample(image, tf.constant([[[[0.0, 0.0]]]])).numpy().item()
        2.0

    Source: Jaderberg et al. (2015), section 3.3; `torch.nn.functional.grid_sample`.
    """
    grid = tf.convert_to_tensor(grid)
    if grid.shape.rank != 4 or grid.shape[3] != 2 or not grid.dtype.is_floating:
        raise ValueError(
            "grid must be floating point of shape (batch, height, width, 2); "
            f"got {grid.dtype.name} {grid.shape}"
        )
    size = grid.shape[1:3]
    return warp(
        image,
        as_coordinates(grid, "grid"),
        _GRID,
        size.as_list() if size.is_fully_defined() else tf.shape(grid)[1:3],
        interpolation=interpolation,
        padding=padding,
        fill_value=fill_value,
        align_corners=align_corners,
        return_mask=return_mask,
        dtype=dtype,
        backend=backend,
        training=training,
    )


def bilinear_sampler(image: tf.Tensor, grid: tf.Tensor) -> tf.Tensor:
    """Sample `image` at the points of `grid`, bilinearly; outside the image is zero.

    Args:
        image: float or uint8 `(batch, height, width, channels)`.
        grid: float `(batch, out_height, out_width, 2)`, last axis `(x, y)` in normalised units as
            `affine_grid` makes them; batch 1 is shared by all images.

    Returns:
        Tensor `(batch, out_height, out_width, channels)` of the image's type, see `sample`.

    Raises:
        ValueError: a shape or type is not as above.

    Example:
        >>> image = tf.constant([[[[1.0], [3.0]]]])
        >>> bilinear_sampler(image, tf.constant([[[[0.0, 0.0]]]])).numpy().item()
        2.0

    Source: Jaderberg et al. (2015), equation 5. The gradients with respect to the points are those
    of the cell to the right of and below a point, also when it lies on a pixel centre.
    """
    return sample(image, grid)


def _snap(points: tf.Tensor, extent: Number) -> tf.Tensor:
    """Round points that float rounding alone can have moved off a pixel centre."""
    tolerance = extent * (2.0**-20 if points.dtype == tf.float32 else 2.0**-49)
    nearest = tf.stop_gradient(tf.round(points) - points)
    return tf.where(tf.abs(nearest) <= tolerance, points + nearest, points)
