"""Reading of shapes and sizes, shared by grid, sampler and layers."""

from collections.abc import Sequence
from typing import TypeAlias

import tensorflow as tf

Size: TypeAlias = Sequence[int] | tf.Tensor

# Numbers that no sensible transform holds; beyond it products overflow and gradients turn NaN.
LARGEST = 1e12


def as_parameters(theta: tf.Tensor, num_parameters: int, name: str) -> tf.Tensor:
    """Return `theta` as `(batch, num_parameters)` in float32, or float64 when it came so."""
    theta = as_coordinates(theta, "theta")
    if theta.shape.rank != 2 or theta.shape[1] not in (num_parameters, None):
        raise ValueError(
            f"theta of the {name} transform must have shape (batch, {num_parameters}); "
            f"got {theta.shape}"
        )
    return tf.ensure_shape(theta, [theta.shape[0], num_parameters])


def as_affine(theta: tf.Tensor) -> tf.Tensor:
    """Return `theta` as `(batch, 2, 3)` in float32, or float64 when it came so."""
    theta = as_coordinates(theta, "theta")
    shape = theta.shape
    flat = shape.rank == 2 and shape[1] in (6, None)
    if not flat and not (shape.rank == 3 and shape[1:].is_compatible_with([2, 3])):
        raise ValueError(f"theta must have shape (batch, 2, 3) or (batch, 6); got {shape}")
    return tf.ensure_shape(tf.reshape(theta, [-1, 2, 3]), [shape[0], 2, 3])


def as_coordinates(value: tf.Tensor, name: str) -> tf.Tensor:
    """Return a floating-point tensor in float32, or float64 when it came so."""
    value = tf.convert_to_tensor(value)
    if not value.dtype.is_floating:
        raise ValueError(f"{name} must be floating point; got {value.dtype.name}")
    # Half precision would misplace samples by up to a pixel at 512 pixels.
    return value if value.dtype == tf.float64 else tf.cast(value, tf.float32)


def check_image(image: tf.Tensor) -> tf.Tensor:
    """Return `image` as a tensor; refuse what is not `(batch, height, width, channels)`."""
    image = tf.convert_to_tensor(image)
    if image.shape.rank != 4 or not (image.dtype.is_floating or image.dtype == tf.uint8):
        raise ValueError(
            "image must be floating point or uint8 of shape (batch, height, width, channels); "
            f"got {image.dtype.name} {image.shape}"
        )
    return image


def size_tensor(size: Size, name: str) -> tuple[tf.Tensor, list[int | None]]:
    """Return `(height, width)` as an int32 tensor, and as far as known when the graph is built."""
    tensor = tf.convert_to_tensor(size, tf.int32)
    if tensor.shape != [2]:
        raise ValueError(f"{name} must be (height, width); got shape {tensor.shape}")
    static = tf.get_static_value(tensor)
    if static is None:
        return tensor, [None, None]
    if (static <= 0).any():
        raise ValueError(f"{name} must be positive; got {tuple(static.tolist())}")
    return tensor, static.tolist()


def image_size(image: tf.Tensor) -> Size:
    """Return `(height, width)` of an image: integers when known, else a tensor."""
    static = image.shape[1:3]
    return tuple(static.as_list()) if static.is_fully_defined() else tf.shape(image)[1:3]
