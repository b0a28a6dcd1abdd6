"""Theta in the conventions of others, and of this package's past."""

import tensorflow as tf

from stn._shapes import Size, as_affine
from stn.matrices import from_pixels, invert, to_pixels


def theta_from_1_0_1(theta: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Return the theta that looks where `stn` 1.0.1 looked with the one given.

    Release 1.0.1 took pixel `W - 2` for the last one, so that its identity shrank the image. With
    this, weights trained there see what they saw: apply it to what their network returns.

    Args:
        theta: float `(batch, 6)` or `(batch, 2, 3)`, of 1.0.1.
        height: of the input, in pixels; at least 2.
        width: of the input, in pixels; at least 2.

    Returns:
        Tensor `(batch, 6)`. Equal while all samples lie inside; 1.0.1 cut off the border.

    Raises:
        ValueError: another shape, or a side below 2.

    Example:
        >>> identity = tf.constant([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]])
        >>> [round(float(v), 3) for v in theta_from_1_0_1(identity, 11, 21)[0]]
        [0.95, 0.0, -0.05, 0.0, 0.9, -0.1]

    Source: x_old = (x + 1) (W - 2) / 2, x_new = (x + 1) (W - 1) / 2.
    """
    if min(height, width) < 2:
        raise ValueError(f"height and width must be at least 2; got {height} x {width}")
    matrix = as_affine(theta)
    shrink = tf.constant([(width - 2) / (width - 1), (height - 2) / (height - 1)], matrix.dtype)[
        :, tf.newaxis
    ]
    moved = tf.constant([0, 0, 1], matrix.dtype) * (shrink - 1)
    return tf.reshape(matrix * shrink + moved, [-1, 6])


def from_torch(
    theta: tf.Tensor,
    input_size: Size,
    output_size: Size | None = None,
    align_corners: bool = False,
) -> tf.Tensor:
    """Return theta of one made for `torch.nn.functional.affine_grid`.

    Args:
        theta: float `(batch, 2, 3)`; or `(batch, 3, 3)`, applied to torch's grid by hand.
        input_size: `(height, width)` of the picture that is sampled.
        output_size: `(height, width)` of the picture that is made; the input's when left out.
        align_corners: as given to `affine_grid` and `grid_sample`; theirs is False when left out.

    Returns:
        Tensor of the same shape for `align_corners=True`, the convention here.

    Raises:
        ValueError: another shape.

    Source: torch 2.13, `affine_grid`.
    """
    pixels = to_pixels(theta, input_size, output_size, align_corners)
    return from_pixels(pixels, input_size, output_size)


def to_torch(
    theta: tf.Tensor,
    input_size: Size,
    output_size: Size | None = None,
    align_corners: bool = False,
) -> tf.Tensor:
    """Return what `torch.nn.functional.affine_grid` wants: the inverse of `from_torch`.

    Args:
        theta: float `(batch, 6)`, `(batch, 2, 3)`, `(batch, 8)` or `(batch, 3, 3)`.
        input_size: see `from_torch`.
        output_size: see `from_torch`.
        align_corners: see `from_torch`.

    Returns:
        Tensor `(batch, 2, 3)` or `(batch, 3, 3)`.

    Raises:
        ValueError: another shape.

    Source: torch 2.13, `affine_grid`.
    """
    pixels = to_pixels(theta, input_size, output_size)
    return from_pixels(pixels, input_size, output_size, align_corners)


def from_opencv(
    matrix: tf.Tensor,
    input_size: Size,
    output_size: Size | None = None,
    inverse_map: bool = False,
) -> tf.Tensor:
    """Return theta of a matrix made for OpenCV's `warpAffine` or `warpPerspective`.

    Args:
        matrix: float `(batch, 2, 3)` or `(batch, 3, 3)`, in pixels, from input to output.
        input_size: `(height, width)` of the input (OpenCV gives sizes as width, height).
        output_size: `(height, width)` of the output; the input's when left out.
        inverse_map: the matrix goes from output to input, as with `WARP_INVERSE_MAP`.

    Returns:
        Tensor `(batch, 2, 3)` or `(batch, 3, 3)`.

    Raises:
        ValueError: another shape.

    Source: OpenCV 5.0, `warpAffine`.
    """
    return from_pixels(matrix if inverse_map else invert(matrix), input_size, output_size)


def to_opencv(
    theta: tf.Tensor,
    input_size: Size,
    output_size: Size | None = None,
    inverse_map: bool = False,
) -> tf.Tensor:
    """Return what OpenCV's `warpAffine` or `warpPerspective` wants.

    Args:
        theta: float `(batch, 6)`, `(batch, 2, 3)`, `(batch, 8)` or `(batch, 3, 3)`.
        input_size: see `from_opencv`.
        output_size: see `from_opencv`.
        inverse_map: see `from_opencv`.

    Returns:
        Tensor `(batch, 2, 3)` or `(batch, 3, 3)`, in pixels.

    Raises:
        ValueError: another shape.

    Source: OpenCV 5.0, `warpAffine`.
    """
    pixels = to_pixels(theta, input_size, output_size)
    return pixels if inverse_map else invert(pixels)


def from_keras(transform: tf.Tensor, input_size: Size) -> tf.Tensor:
    """Return theta of the eight numbers of `keras.ops.image.affine_transform`.

    Args:
        transform: float `(batch, 8)`: the matrix in pixels, output to input, its ninth number 1.
        input_size: `(height, width)` of the image; Keras returns the same size.

    Returns:
        Tensor `(batch, 3, 3)`, for `transform="projective"`.

    Raises:
        ValueError: another shape.

    Source: Keras 3.15, `ops.image.affine_transform`.
    """
    return from_pixels(transform, input_size)


def to_keras(theta: tf.Tensor, input_size: Size) -> tf.Tensor:
    """Return the eight numbers that `keras.ops.image.affine_transform` wants.

    Args:
        theta: float `(batch, 6)`, `(batch, 2, 3)`, `(batch, 8)` or `(batch, 3, 3)`.
        input_size: `(height, width)` of the image.

    Returns:
        Tensor `(batch, 8)`.

    Raises:
        ValueError: another shape.

    Source: Keras 3.15, `ops.image.affine_transform`.
    """
    pixels = to_pixels(theta, input_size)
    if pixels.shape[1] == 2:
        return tf.concat([tf.reshape(pixels, [-1, 6]), tf.zeros_like(pixels[:, 0, :2])], axis=1)
    return tf.reshape(pixels, [-1, 9])[:, :8]
