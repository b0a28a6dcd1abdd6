"""Reading of shapes and sizes, shared by grid, sampler and layers."""

from collections.abc import Sequence

import tensorflow as tf


def as_affine(theta: tf.Tensor) -> tf.Tensor:
    """Return `theta` as `(batch, 2, 3)` in float32, or float64 when it came so."""
    theta = tf.convert_to_tensor(theta)
    if not theta.dtype.is_floating:
        raise ValueError(f"theta must be floating point; got {theta.dtype.name}")
    shape = theta.shape
    flat = shape.rank == 2 and shape[1] in (6, None)
    if not flat and not (shape.rank == 3 and shape[1:].is_compatible_with([2, 3])):
        raise ValueError(f"theta must have shape (batch, 2, 3) or (batch, 6); got {shape}")
    # Half precision would misplace samples by up to a pixel at 512 pixels.
    if theta.dtype != tf.float64:
        theta = tf.cast(theta, tf.float32)
    return tf.ensure_shape(tf.reshape(theta, [-1, 2, 3]), [shape[0], 2, 3])


def size_tensor(size: Sequence[int] | tf.Tensor, name: str) -> tuple[tf.Tensor, list[int | None]]:
    """Return `(height, width)` as an int32 tensor, and as far as known when the graph is built."""
    tensor = tf.convert_to_tensor(size, tf.int32)
    if tensor.shape != [2]:
        raise ValueError(f"{name} must be (height, width); got shape {tensor.shape}")
    static = tf.get_static_value(tensor)
    if static is None and isinstance(tensor, tf.Tensor):
        return tensor, [None, None]
    if (static <= 0).any():
        raise ValueError(f"{name} must be positive; got {tuple(static.tolist())}")
    return tensor, static.tolist()


def image_size(image: tf.Tensor) -> tuple[tf.Tensor, int | None, int | None]:
    """Return `(height, width)` of `(batch, height, width, channels)`, dynamic and static."""
    return tf.shape(image)[1:3], image.shape[1], image.shape[2]
