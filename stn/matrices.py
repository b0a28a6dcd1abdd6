"""Arithmetic of transforms that are matrices: compose, invert, read, carry into pixels."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from stn._shapes import Size, as_coordinates
from stn.lattice import Lattice, pixel_lattice
from stn.transforms import Transform, get_transform


def matrix(theta: tf.Tensor, transform: str | Transform = "affine") -> tf.Tensor:
    """Return the matrix of a transform, in normalised units.

    Args:
        theta: float, as the transform has it, see `warp`.
        transform: affine, attention, similarity, translation or projective.

    Returns:
        Tensor `(batch, 2, 3)`; `(batch, 3, 3)` for projective. Source from target.

    Raises:
        ValueError: the transform is not a matrix, or theta has another shape.

    Source: Jaderberg et al. (2015), section 3.2.
    """
    transform = get_transform(transform)
    if not transform.has_matrix:
        raise ValueError(f"a {transform.name} transform has no matrix")
    return transform.matrix(theta)


def compose(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Return the one transform that does what two warps do, without their second blur.

    `warp(warp(image, first), second)` looks where `warp(image, compose(first, second))` looks.

    Args:
        first: float `(batch, 6)`, `(batch, 2, 3)`, `(batch, 8)` or `(batch, 3, 3)`: what was done
            to the image first.
        second: the same forms: what was done to the result.

    Returns:
        Tensor `(batch, 2, 3)`; `(batch, 3, 3)` when either is projective, its last number 1.

    Raises:
        ValueError: another shape.

    Source: Lin and Lucey, Inverse Compositional Spatial Transformer Networks (2017).
    """
    one, affine_one = _square(first)
    other, affine_other = _square(second)
    # As sums, not a matmul, which a GPU may round to ten bits.
    product = tf.reduce_sum(one[:, :, :, tf.newaxis] * other[:, tf.newaxis, :, :], axis=2)
    return _narrow(product, affine_one and affine_other)


def invert(theta: tf.Tensor) -> tf.Tensor:
    """Return the transform back, which composed with theta is the identity.

    Args:
        theta: float `(batch, 6)`, `(batch, 2, 3)`, `(batch, 8)` or `(batch, 3, 3)`.

    Returns:
        Tensor `(batch, 2, 3)` or `(batch, 3, 3)`; not finite where theta cannot be inverted.

    Raises:
        ValueError: another shape.

    Source: the adjugate, divided by the determinant.
    """
    square, affine = _square(theta)
    a, b, c = tf.unstack(square, axis=1)
    columns = [tf.linalg.cross(b, c), tf.linalg.cross(c, a), tf.linalg.cross(a, b)]
    determinant = tf.reduce_sum(a * columns[0], axis=1)
    return _narrow(tf.stack(columns, axis=2) / determinant[:, tf.newaxis, tf.newaxis], affine)


def to_pixels(
    theta: tf.Tensor,
    input_size: Size,
    output_size: Size | None = None,
    align_corners: bool = True,
) -> tf.Tensor:
    """Return the matrix from output to input in pixels, 0 being the centre of the first pixel.

    Args:
        theta: float `(batch, 6)`, `(batch, 2, 3)`, `(batch, 8)` or `(batch, 3, 3)`, normalised.
        input_size: `(height, width)` of the picture that is sampled.
        output_size: `(height, width)` of the picture that is made; the input's when left out.
        align_corners: -1 and +1 are the centres of the outermost pixels, else their outer edges.

    Returns:
        Tensor `(batch, 2, 3)` or `(batch, 3, 3)` that takes `(x, y, 1)` in pixels.

    Raises:
        ValueError: another shape, or a size that is not positive.

    Source: the convention of this package.
    """
    square, affine = _square(theta)
    to_source, from_target = _frames(input_size, output_size, square.dtype, align_corners)
    return _narrow(to_source @ square @ tf.linalg.inv(from_target), affine)


def from_pixels(
    matrix: tf.Tensor,
    input_size: Size,
    output_size: Size | None = None,
    align_corners: bool = True,
) -> tf.Tensor:
    """Return theta of a matrix from output to input in pixels: the inverse of `to_pixels`.

    Args:
        matrix: float `(batch, 2, 3)` or `(batch, 3, 3)`, or flat.
        input_size: `(height, width)` of the picture that is sampled.
        output_size: `(height, width)` of the picture that is made; the input's when left out.
        align_corners: see `to_pixels`.

    Returns:
        Tensor `(batch, 2, 3)` or `(batch, 3, 3)`, normalised. An axis of one pixel has no extent:
        with `align_corners` its row is not finite.

    Raises:
        ValueError: another shape, or a size that is not positive.

    Source: the convention of this package.
    """
    square, affine = _square(matrix)
    to_source, from_target = _frames(input_size, output_size, square.dtype, align_corners)
    return _narrow(tf.linalg.inv(to_source) @ square @ from_target, affine)


def corners(theta: tf.Tensor, input_size: Size, transform: str | Transform = "affine") -> tf.Tensor:
    """Return the quadrilateral of the input that a warp looks at.

    Args:
        theta: float, as the transform has it, see `warp`.
        input_size: `(height, width)` of the input in pixels.
        transform: a name that `get_transform` knows, but not a flow.

    Returns:
        Tensor `(batch, 4, 2)`: `(x, y)` in pixels of the input, 0 being the centre of the first;
        where the output's top left, top right, bottom right and bottom left corner look.

    Raises:
        ValueError: theta has another shape.

    Example:
        >>> identity = tf.constant([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]])
        >>> corners(identity, (3, 5))[0].numpy().tolist()
        [[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [0.0, 2.0]]

    Source: the corners of the target square, by the grid generator.
    """
    theta = as_coordinates(theta, "theta")
    x, y = get_transform(transform).points(theta, pixel_lattice(input_size, (2, 2), theta.dtype))
    around = [(0, 0), (0, 1), (1, 1), (1, 0)]
    return tf.stack([tf.stack([x[:, i, j], y[:, i, j]], axis=-1) for i, j in around], axis=1)


class Decomposition(NamedTuple):
    """An affine map taken apart: shear, then scale, then rotation, then translation.

    Attributes:
        rotation: `(batch,)`, degrees, from x towards y, which is clockwise on the screen.
        scale: `(batch, 2)`, along x and y; below 1 zooms in.
        shear: `(batch,)`, degrees.
        translation: `(batch, 2)`, normalised units of the input.
        mirrored: `(batch,)` bool.
    """

    rotation: tf.Tensor
    scale: tf.Tensor
    shear: tf.Tensor
    translation: tf.Tensor
    mirrored: tf.Tensor


def decompose(theta: tf.Tensor, transform: str | Transform = "affine") -> Decomposition:
    """Return rotation, scale, shear and translation of what is looked at.

    The matrix is `R(rotation) @ [[sx, tan(shear) sy], [0, sy]]`, with the second row's sign turned
    when it mirrors.

    Args:
        theta: float, as the transform has it.
        transform: affine, attention, similarity or translation.

    Returns:
        A `Decomposition`.

    Raises:
        ValueError: the transform is not affine.

    Source: QR decomposition of the 2 x 2 part.
    """
    affine = matrix(theta, transform)
    if affine.shape[1] == 3:
        raise ValueError("a projective transform has no such decomposition")
    a, b, c, d = (affine[:, i, j] for i in (0, 1) for j in (0, 1))
    along_x = tf.sqrt(a * a + c * c)
    determinant = a * d - b * c
    along_y = tf.math.divide_no_nan(determinant, along_x)
    sheared = tf.math.divide_no_nan(a * b + c * d, along_x)
    degrees = 180 / np.pi
    return Decomposition(
        rotation=tf.atan2(c, a) * degrees,
        scale=tf.stack([along_x, tf.abs(along_y)], axis=1),
        shear=tf.atan(tf.math.divide_no_nan(sheared, tf.abs(along_y))) * degrees,
        translation=affine[:, :, 2],
        mirrored=determinant < 0,
    )


def _square(theta: tf.Tensor) -> tuple[tf.Tensor, bool]:
    """Return `(batch, 3, 3)`, and whether it is affine."""
    theta = as_coordinates(theta, "theta")
    shape = tuple(theta.shape[1:])
    if shape in {(6,), (2, 3)}:
        rows = tf.reshape(theta, [-1, 2, 3])
        last = tf.zeros_like(rows[:, :1]) + tf.constant([0, 0, 1], theta.dtype)
        return tf.concat([rows, last], axis=1), True
    if shape == (8,):
        return tf.reshape(tf.concat([theta, tf.ones_like(theta[:, :1])], axis=1), [-1, 3, 3]), False
    if shape in {(9,), (3, 3)}:
        return tf.reshape(theta, [-1, 3, 3]), False
    raise ValueError(
        "theta must have shape (batch, 6), (batch, 2, 3), (batch, 8) or (batch, 3, 3); "
        f"got {theta.shape}"
    )


def _narrow(square: tf.Tensor, affine: bool) -> tf.Tensor:
    return square[:, :2] if affine else square / square[:, 2:, 2:]


def _frames(
    input_size: Size, output_size: Size | None, dtype: tf.DType, align_corners: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """The matrices from normalised units to pixels, of the input and of the output."""
    output_size = input_size if output_size is None else output_size
    target = pixel_lattice(output_size, output_size, dtype, align_corners)
    return _frame(pixel_lattice(input_size, input_size, dtype, align_corners)), _frame(target)


def _frame(own: Lattice) -> tf.Tensor:
    (wide, high), (x, y) = own.source_extent, own.source_middle
    zero, one = 0 * x, 0 * x + 1
    rows = [[wide, zero, x], [zero, high, y], [zero, zero, one]]
    return tf.stack([tf.stack([tf.convert_to_tensor(v) for v in row]) for row in rows])
