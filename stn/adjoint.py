"""The gradient of an affine warp to the image, without a scatter.

Each input pixel gathers the few output pixels that looked at it: the exact adjoint, in a fixed
order, at a fraction of the cost of adding every output pixel where it looked.
"""

from collections.abc import Callable

import tensorflow as tf

from stn.lattice import Lattice
from stn.projection import pixel_matrix

# (rows, columns) of output pixels gathered, the cheapest that suffices being taken.
_WINDOWS = ((2, 2), (4, 3), (4, 4))


def affine_image_gradient(
    matrix: tf.Tensor,
    lattice: Lattice,
    source: Lattice,
    upstream: tf.Tensor,
    otherwise: Callable[[], tf.Tensor],
) -> tf.Tensor:
    """Return the gradient to the image of a bilinear warp that is zero or constant outside.

    Args:
        matrix: `(batch, 2, 3)`, in normalised units.
        lattice: the target points, in pixels.
        source: the lattice of the input itself: its `x` and `y` are the pixels of the image.
        upstream: `(batch, out_height, out_width, channels)`.
        otherwise: the same gradient by other means, for what zooms in more than twofold.

    Returns:
        `(batch, height, width, channels)` of the type of `upstream`.
    """
    matrix = pixel_matrix(matrix, lattice)
    # The target points with |A p + b - m| < 1 on both axes lie in a parallelogram around the one
    # that looks at m. It spans this many rows, and crosses each over this many columns.
    a, b, c, d = (matrix[:, i, j] for i in (0, 1) for j in (0, 1))
    determinant = a * d - b * c
    rows = 2 * (tf.abs(a) + tf.abs(c)) / tf.abs(determinant)
    columns = 2 / tf.maximum(tf.abs(a), tf.abs(c))
    tallest, widest = tf.reduce_max(rows) - 1e-4, tf.reduce_max(columns) - 1e-4

    # A theta that is not finite compares false with every window, and falls through to the last.
    branch = len(_WINDOWS)
    choice = tf.constant(branch)
    for number, (height, width) in reversed(list(enumerate(_WINDOWS))):
        fits = (tallest <= height) & (widest <= width)
        choice = tf.where(fits, number, choice)
    windows = [
        lambda height=height, width=width: _gather(matrix, lattice, source, upstream, height, width)
        for height, width in _WINDOWS
    ]
    return tf.switch_case(choice, [*windows, otherwise])


def _gather(
    matrix: tf.Tensor,
    lattice: Lattice,
    source: Lattice,
    upstream: tf.Tensor,
    height: int,
    width: int,
) -> tf.Tensor:
    a, b, e, c, d, f = (matrix[:, i, j, tf.newaxis, tf.newaxis] for i in (0, 1) for j in (0, 1, 2))
    columns, rows = source.x[tf.newaxis, tf.newaxis, :], source.y[tf.newaxis, :, tf.newaxis]
    shape = tf.shape(upstream)
    last_row, last_column = (tf.cast(shape[k] - 1, matrix.dtype) for k in (1, 2))
    pixels = tf.reshape(upstream, tf.stack([-1, shape[3]]))
    first = tf.range(shape[0])[:, tf.newaxis, tf.newaxis] * (shape[1] * shape[2])

    # The target point that looks at each pixel, and half the rows of its parallelogram.
    determinant = a * d - b * c
    from_x, from_y = columns - e, rows - f
    # Divided once an image, not once a pixel.
    to_x, to_y = (d / determinant, b / determinant), (a / determinant, c / determinant)
    u, v = to_x[0] * from_x - to_x[1] * from_y, to_y[0] * from_y - to_y[1] * from_x
    half_rows = (tf.abs(a) + tf.abs(c)) / tf.abs(determinant)
    # Along a row, the axis on which a step moves furthest bounds the columns.
    by_x = tf.abs(a) >= tf.abs(c)
    step = tf.where(by_x, a, c)
    drift, half_columns = -tf.where(by_x, b, d) / step, 1 / tf.abs(step)

    top, left = lattice.y[0], lattice.x[0]
    first_row = tf.floor(v - half_rows - top) + 1
    total: tf.Tensor = 0.0
    for i in range(height):
        row = first_row + i
        target_y = row + top
        start = tf.floor(u + drift * (target_y - v) - half_columns - left) + 1
        inside_row = tf.clip_by_value(row, 0, last_row)
        for j in range(width):
            column = start + j
            target_x = column + left
            off_x = a * target_x + (b * target_y + e) - columns
            off_y = c * target_x + (d * target_y + f) - rows
            weight = tf.maximum(1 - tf.abs(off_x), 0) * tf.maximum(1 - tf.abs(off_y), 0)
            inside = tf.clip_by_value(column, 0, last_column)
            exists = tf.equal(row, inside_row) & tf.equal(column, inside)
            weight = tf.where(exists, weight, tf.zeros_like(weight))
            index = first + tf.cast(inside_row, tf.int32) * shape[2] + tf.cast(inside, tf.int32)
            total += tf.gather(pixels, index) * tf.cast(weight, upstream.dtype)[..., tf.newaxis]
    return total
