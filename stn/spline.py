"""The thin-plate spline: a smooth warp that follows a few control points."""

from functools import lru_cache

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stn.lattice import Lattice

_Array = NDArray[np.floating]


def control_points(rows: int, columns: int) -> _Array:
    """Return the regular grid of control points, `(rows * columns, 2)`, `(x, y)` in [-1, 1]."""
    x, y = np.meshgrid(np.linspace(-1, 1, columns), np.linspace(-1, 1, rows))
    return np.stack([x.ravel(), y.ravel()], axis=1)


def spline_displacement(
    theta: tf.Tensor, lattice: Lattice, rows: int, columns: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return how far the spline moves each point of a lattice, in normalised units.

    A thin-plate spline is linear in the displacements of its control points, so that solving for
    its coefficients is a matrix that depends on the control points alone: it is worked out once, in
    float64, when the graph is built.

    Args:
        theta: `(batch, 2 * rows * columns)`: `(dx, dy)` of each control point.
        lattice: the target points.
        rows: rows of control points.
        columns: columns of control points.

    Returns:
        `(dx, dy)`, each `(batch, height, width)`.

    Source: Bookstein, Principal Warps (1989).
    """
    x, y = lattice.normalised()
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        basis = tf.constant(_basis(x, y, rows, columns), theta.dtype)
    else:
        basis = _dynamic_basis(x, y, rows, columns)
    moves = tf.reshape(theta, [-1, rows * columns, 2])
    displacement = tf.einsum("hwk,bkd->dbhw", basis, moves)
    return displacement[0], displacement[1]


@lru_cache(maxsize=32)
def _coefficients(rows: int, columns: int) -> _Array:
    """`(points + 3, points)`: coefficients of the spline from displacements of control points."""
    points = control_points(rows, columns)
    count = len(points)
    system = np.zeros((count + 3, count + 3))
    squared = ((points[:, np.newaxis] - points) ** 2).sum(axis=-1)
    system[:count, :count] = _radial(squared)
    system[:count, count:] = np.column_stack([np.ones(count), points])
    system[count:, :count] = system[:count, count:].T
    inverse: _Array = np.linalg.inv(system)[:, :count]
    return inverse


def _radial(squared: _Array) -> _Array:
    """r^2 log r, from r^2; zero at zero."""
    return np.where(squared > 0, squared * np.log(np.maximum(squared, 1e-300)) / 2, 0.0)


def _basis(x: _Array, y: _Array, rows: int, columns: int) -> _Array:
    """`(height, width, points)`: how much each control point moves each point of the lattice."""
    x, y = np.meshgrid(x.astype(np.float64), y.astype(np.float64))
    points = control_points(rows, columns)
    squared = (x[..., np.newaxis] - points[:, 0]) ** 2 + (y[..., np.newaxis] - points[:, 1]) ** 2
    terms = np.concatenate(
        [_radial(squared), np.ones_like(x)[..., np.newaxis], np.stack([x, y], axis=-1)], axis=-1
    )
    return terms @ _coefficients(rows, columns)


def _dynamic_basis(x: tf.Tensor, y: tf.Tensor, rows: int, columns: int) -> tf.Tensor:
    """The same for a lattice whose size is known only when the graph runs."""
    dtype = x.dtype
    points = control_points(rows, columns)
    x, y = tf.meshgrid(tf.cast(x, tf.float64), tf.cast(y, tf.float64))
    squared = (x[..., tf.newaxis] - points[:, 0]) ** 2 + (y[..., tf.newaxis] - points[:, 1]) ** 2
    radial = tf.where(squared > 0, squared * tf.math.log(tf.maximum(squared, 1e-300)) / 2, 0.0)
    terms = tf.concat(
        [radial, tf.ones_like(x)[..., tf.newaxis], tf.stack([x, y], axis=-1)], axis=-1
    )
    return tf.cast(tf.einsum("hwk,kp->hwp", terms, _coefficients(rows, columns)), dtype)
