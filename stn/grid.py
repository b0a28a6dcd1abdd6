"""The grid generator: where each output pixel looks in the input."""

from collections.abc import Sequence

import tensorflow as tf

from stn._shapes import as_affine, size_tensor

Size = Sequence[int] | tf.Tensor


def affine_grid(theta: tf.Tensor, output_size: Size) -> tf.Tensor:
    """Return, for every output pixel, the point of the input it looks at.

    The map runs backwards, from output to input, so a matrix that scales by 0.5 zooms in by two.
    Coordinates are normalised: x grows to the right, y downwards, and -1 and +1 are the centres of
    the first and last pixel of an axis.

    Args:
        theta: float `(batch, 2, 3)` or `(batch, 6)`; row one gives source x, row two source y, from
            target `(x, y, 1)`. The identity is `[[1, 0, 0], [0, 1, 0]]`.
        output_size: `(height, width)` in pixels, as integers or an int32 tensor; a side of 1 looks
            at the middle.

    Returns:
        Tensor `(batch, height, width, 2)`, last axis `(x, y)` in normalised units; float32, or
        float64 when `theta` is. Values outside [-1, 1] point outside the input.

    Raises:
        ValueError: `theta` has another shape, or a side is not positive.

    Example:
        >>> grid = affine_grid(tf.constant([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]]), (2, 3))
        >>> grid[0, 0].numpy().tolist()
        [[-1.0, -1.0], [0.0, -1.0], [1.0, -1.0]]

    Source: Jaderberg et al., Spatial Transformer Networks (2015), equation 1.
    """
    matrix = as_affine(theta)
    size, static_size = size_tensor(output_size, "output_size")
    half_height, half_width = _half_extents(size, matrix.dtype)
    x = tf.math.divide_no_nan(_centred(size[1], half_width), half_width)
    y = tf.math.divide_no_nan(_centred(size[0], half_height), half_height)
    grid = tf.stack(_apply(matrix, x, y), axis=-1)
    grid.set_shape([matrix.shape[0], *static_size, 2])
    return grid


def affine_pixel_grid(
    theta: tf.Tensor, input_size: Size, output_size: Size
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the same points as `affine_grid`, in pixels of the input.

    Both lattices are counted from the middle of their picture, in whole and half pixels, which
    float32 holds exactly: the identity at equal size therefore gives whole numbers, and no other
    form does for every size.

    Args:
        theta: float `(batch, 2, 3)` or `(batch, 6)`, as in `affine_grid`.
        input_size: `(height, width)` of the picture that is sampled.
        output_size: `(height, width)` of the picture that is made.

    Returns:
        `(x, y)`, each `(batch, height, width)`, 0 being the centre of the first pixel.

    Raises:
        ValueError: as `affine_grid`.
    """
    matrix = as_affine(theta)
    source, _ = size_tensor(input_size, "input_size")
    target, static_size = size_tensor(output_size, "output_size")
    source_half = _half_extents(source, matrix.dtype)
    target_half = _half_extents(target, matrix.dtype)
    half_height, half_width = source_half

    # Rows become pixels of the input per pixel of the output; the last column stays normalised.
    row_scale = tf.stack([half_width, half_height])[:, tf.newaxis]
    column_scale = tf.stack([target_half[1], target_half[0]])[tf.newaxis, :]
    linear = matrix[:, :, :2] * tf.math.divide_no_nan(row_scale, column_scale)
    shift = matrix[:, :, 2:] * row_scale
    offset_x, offset_y = _apply(
        tf.concat([linear, shift], axis=2),
        _centred(target[1], target_half[1]),
        _centred(target[0], target_half[0]),
    )
    x, y = offset_x + half_width, offset_y + half_height
    for coordinate in (x, y):
        coordinate.set_shape([matrix.shape[0], *static_size])
    return x, y


def _half_extents(size: tf.Tensor, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
    """Half the distance between the first and the last pixel centre, `(height, width)`."""
    half = tf.cast(size - 1, dtype) / 2
    return half[0], half[1]


def _centred(length: tf.Tensor, half: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.range(length), half.dtype) - half


def _apply(matrix: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Apply `(batch, 2, 3)` to the lattice `x` by `y`, elementwise.

    Not a matmul: TensorFloat-32 on a GPU would move the samples by a tenth of a pixel.
    """
    m = matrix[:, :, :, tf.newaxis, tf.newaxis]
    columns, rows = x[tf.newaxis, tf.newaxis, :], y[tf.newaxis, :, tf.newaxis]
    return (
        m[:, 0, 0] * columns + (m[:, 0, 1] * rows + m[:, 0, 2]),
        m[:, 1, 0] * columns + (m[:, 1, 1] * rows + m[:, 1, 2]),
    )
