"""The regular lattice over the output, and the frame of the input it is mapped into."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from stn._shapes import Size, size_tensor

# NumPy when the size is known as the graph is built, so that what follows from it is a constant.
Number: TypeAlias = Any


@dataclass(frozen=True)
class Lattice:
    """Target points, and what turns a normalised source point into the caller's units.

    Both pictures are measured from their middle, in whole and half pixels, which float32 holds
    exactly: so the identity at equal size gives whole numbers, and no other form does for every
    size. Pairs are `(x, y)`.

    Attributes:
        x: `(width,)`, columns of the output, measured from its middle.
        y: `(height,)`, rows of the output, measured from its middle.
        target_extent: what one normalised unit of the output is in the units of `x` and `y`.
        source_extent: what one normalised unit of the input is in the units of the result.
        source_middle: where the middle of the input lies in the units of the result.
        static_size: `(height, width)` of the lattice as far as known when the graph is built.
        oversampling: `(rows, columns)` of points within each output pixel.
    """

    x: Number
    y: Number
    target_extent: tuple[Number, Number]
    source_extent: tuple[Number, Number]
    source_middle: tuple[Number, Number]
    static_size: list[int | None]
    oversampling: tuple[int, int] = (1, 1)

    @property
    def ratio(self) -> tuple[Number, Number]:
        """Input pixels per output pixel under the identity, `(x, y)`."""
        return (
            divide(self.source_extent[0], self.target_extent[0]),
            divide(self.source_extent[1], self.target_extent[1]),
        )

    def normalised(self) -> tuple[Number, Number]:
        """Return the columns and rows of the output in normalised units."""
        return divide(self.x, self.target_extent[0]), divide(self.y, self.target_extent[1])


def divide(value: Number, by: Number) -> Number:
    """Return the quotient, zero where `by` is zero: one pixel has no extent."""
    if isinstance(value, tf.Tensor) or isinstance(by, tf.Tensor):
        return tf.math.divide_no_nan(value, by)
    return np.divide(value, by, out=np.zeros_like(value), where=by != 0)


def pixel_lattice(
    input_size: Size,
    output_size: Size,
    dtype: tf.DType = tf.float32,
    align_corners: bool = True,
    oversampling: tuple[int, int] = (1, 1),
) -> Lattice:
    """Return the lattice over the output whose points are wanted in pixels of the input.

    Args:
        input_size: `(height, width)` of the picture that is sampled.
        output_size: `(height, width)` of the picture that is made.
        dtype: float32 or float64.
        align_corners: -1 and +1 are the centres of the outermost pixels, else their outer edges.
        oversampling: `(rows, columns)` of points within each output pixel.
    """
    source, _ = _sides(input_size, "input_size")
    target, static = _sides(output_size, "output_size")
    rows, columns = oversampling
    return Lattice(
        x=_centred(target[1], columns, dtype),
        y=_centred(target[0], rows, dtype),
        target_extent=_extent(target, dtype, align_corners),
        source_extent=_extent(source, dtype, align_corners),
        source_middle=_extent(source, dtype, True),
        static_size=[
            side and side * times for side, times in zip(static, oversampling, strict=True)
        ],
        oversampling=oversampling,
    )


def normalised_lattice(
    output_size: Size, dtype: tf.DType = tf.float32, align_corners: bool = True
) -> Lattice:
    """Return the lattice over the output whose points are wanted in normalised units."""
    size, static = _sides(output_size, "output_size")
    width, height = _extent(size, dtype, align_corners)
    one, zero = np.ones([], dtype.as_numpy_dtype), np.zeros([], dtype.as_numpy_dtype)
    return Lattice(
        x=divide(_centred(size[1], 1, dtype), width),
        y=divide(_centred(size[0], 1, dtype), height),
        target_extent=(one, one),
        source_extent=(one, one),
        source_middle=(zero, zero),
        static_size=static,
    )


def _sides(size: Size, name: str) -> tuple[list[int] | list[tf.Tensor], list[int | None]]:
    """Height and width, as integers where known."""
    tensor, static = size_tensor(size, name)
    return (static if None not in static else tf.unstack(tensor)), static


def _extent(
    size: Sequence[int] | Sequence[tf.Tensor], dtype: tf.DType, align_corners: bool
) -> tuple[Number, Number]:
    """One normalised unit in pixels, `(x, y)`."""
    height, width = (
        _number(side - 1 if align_corners else side, dtype) / _number(2, dtype) for side in size
    )
    return width, height


def _centred(length: int | tf.Tensor, times: int, dtype: tf.DType) -> Number:
    count = length * times
    points = np.arange(count) if isinstance(count, int) else tf.range(count)
    points = _number(points, dtype) - _number(count - 1, dtype) / _number(2, dtype)
    return points / _number(times, dtype) if times > 1 else points


def _number(value: Any, dtype: tf.DType) -> Number:
    return (
        tf.cast(value, dtype)
        if isinstance(value, tf.Tensor)
        else np.asarray(value, dtype.as_numpy_dtype)
    )
