"""Matrices applied to a lattice: the common heart of all transforms but splines and flows."""

import numpy as np
import tensorflow as tf

from stn._shapes import LARGEST
from stn.lattice import Lattice, Number, divide

# A point with a smaller denominator lies on or behind the horizon.
_HORIZON = 1e-6


def project(matrix: tf.Tensor, lattice: Lattice) -> tuple[tf.Tensor, tf.Tensor]:
    """Map a lattice by `(batch, 2, 3)` or `(batch, 3, 3)` source-from-target matrices.

    Args:
        matrix: float `(batch, 2, 3)` or `(batch, 3, 3)`, in normalised units.
        lattice: the target points.

    Returns:
        `(x, y)`, each `(batch, height, width)`; NaN for a point on or behind the horizon, and for
        all points of a matrix that is not finite, or larger than any transform has reason to be.
    """
    matrix = pixel_matrix(matrix, lattice)
    if matrix.shape[1] == 2:
        usable = tf.reduce_all(tf.abs(matrix) < LARGEST, axis=[1, 2], keepdims=True)
        matrix = tf.where(usable, matrix, tf.constant(float("nan"), matrix.dtype))
    x = _plane(matrix[:, 0], lattice.x, lattice.y)
    y = _plane(matrix[:, 1], lattice.x, lattice.y)
    if matrix.shape[1] == 3:
        w = _plane(matrix[:, 2], lattice.x, lattice.y)
        in_front = w > _HORIZON
        w = tf.where(in_front, w, tf.ones_like(w))
        nowhere = tf.constant(float("nan"), w.dtype)
        x, y = tf.where(in_front, x / w, nowhere), tf.where(in_front, y / w, nowhere)
    x, y = x + lattice.source_middle[0], y + lattice.source_middle[1]
    for coordinate in (x, y):
        coordinate.set_shape([matrix.shape[0], *lattice.static_size])
    return x, y


def pixel_matrix(matrix: tf.Tensor, lattice: Lattice) -> tf.Tensor:
    """Return the matrix between points measured from the middles, in the lattice's units."""
    one = np.ones([], matrix.dtype.as_numpy_dtype)
    zoom_x, zoom_y = lattice.ratio
    extent_x, extent_y = lattice.source_extent
    target_x, target_y = lattice.target_extent
    # Off-diagonal numbers carry the aspect of both pictures.
    rows = [
        [zoom_x, divide(extent_x, target_y), extent_x],
        [divide(extent_y, target_x), zoom_y, extent_y],
        [divide(one, target_x), divide(one, target_y), one],
    ]
    scale = [[tf.cast(number, matrix.dtype) for number in row] for row in rows]
    return matrix * tf.stack(scale[: matrix.shape[1]])


def in_front_of_horizon(matrix: tf.Tensor, lattice: Lattice) -> tf.Tensor:
    """Whether all points of all pictures lie well before the horizon: a scalar bool."""
    matrix = pixel_matrix(matrix, lattice)
    # The denominator is linear, so the corners hold its least value.
    return tf.reduce_all(_plane(matrix[:, 2], _ends(lattice.x), _ends(lattice.y)) > 1e-3)


def _ends(points: Number) -> tf.Tensor:
    return tf.gather(points, [0, tf.shape(points)[0] - 1])


@tf.custom_gradient
def _plane(row: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Return `row . (x, y, 1)` on the lattice: `(batch, 3)` gives `(batch, height, width)`.

    Not a matmul: TensorFloat-32 on a GPU would move the samples by a tenth of a pixel. Its gradient
    is one, over rows as long as the picture, where the compiler's own reduction takes twice the
    time.
    """
    a, b, c = (row[:, k, tf.newaxis, tf.newaxis] for k in range(3))
    value = a * x[tf.newaxis, tf.newaxis, :] + (b * y[tf.newaxis, :, tf.newaxis] + c)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None, None]:
        shape = tf.shape(upstream)
        flat = tf.reshape(upstream, tf.stack([shape[0] * shape[1], shape[2]]))
        along_x = tf.matmul(flat, tf.stack([x, tf.ones_like(x)], axis=1))
        along_x = tf.reshape(along_x, tf.stack([shape[0], shape[1], 2]))
        return (
            tf.stack(
                [
                    tf.reduce_sum(along_x[..., 0], axis=1),
                    tf.reduce_sum(along_x[..., 1] * y, axis=1),
                    tf.reduce_sum(along_x[..., 1], axis=1),
                ],
                axis=1,
            ),
            None,
            None,
        )

    return value, gradient
