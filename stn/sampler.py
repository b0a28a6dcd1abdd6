"""The sampler in portable ops: an image read at real-valued points, and its derivatives."""

from dataclasses import dataclass

import tensorflow as tf

from stn.taps import INTERPOLATIONS, PADDINGS, Interpolation, Padding, Tap, axis_taps

_MANY_CHANNELS = 16


@dataclass(frozen=True)
class Sampling:
    """How an image is read.

    Attributes:
        interpolation: `"bilinear"`, `"nearest"` (halves to the even pixel) or `"bicubic"`.
        padding: what lies outside: `"zeros"`, `"constant"` (`fill_value`), `"border"` (the
            outermost pixel), `"reflection"` or `"wrap"`.
        fill_value: the constant; also what a point that is not finite reads, whatever the padding.
        align_corners: -1 and +1 are the centres of the outermost pixels, else their outer edges.
        compiled: written for XLA, which wants each use of a pixel to have a gather of its own; else
            for TensorFlow's own kernels, which want as few as can be.
    """

    interpolation: Interpolation = "bilinear"
    padding: Padding = "zeros"
    fill_value: float = 0.0
    align_corners: bool = True
    compiled: bool = False

    def __post_init__(self) -> None:
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"interpolation must be one of {', '.join(INTERPOLATIONS)}; "
                f"got {self.interpolation!r}"
            )
        if self.padding not in PADDINGS:
            raise ValueError(f"padding must be one of {', '.join(PADDINGS)}; got {self.padding!r}")
        if self.fill_value and self.padding == "zeros":
            raise ValueError(
                f"fill_value={self.fill_value} needs padding='constant'; got padding='zeros'"
            )


@dataclass(frozen=True)
class _Reading:
    """The taps of all points, and where each image begins in the flat list of pixels."""

    rows: list[Tap]
    columns: list[Tap]
    width: int | tf.Tensor
    first: tf.Tensor
    finite: tf.Tensor

    def index(self, row: Tap, column: Tap) -> tf.Tensor:
        return self.first + (row.index * self.width + column.index)


def sample_forward(image: tf.Tensor, x: tf.Tensor, y: tf.Tensor, how: Sampling) -> tf.Tensor:
    """Return the values of `image` at `x`, `y`.

    Args:
        image: `(batch, height, width, channels)`.
        x: `(batch, out_height, out_width)`, in pixels; 0 is the centre of the first column.
        y: as `x`; 0 is the centre of the first row.
        how: interpolation and padding.

    Returns:
        `(batch, out_height, out_width, channels)`, float32, or float64 when image or points are.
    """
    compute = compute_type(image, x)
    pixels = _flat(image)
    reading = _read(image, x, y, how)
    total: tf.Tensor = 0.0
    share: tf.Tensor = 0.0
    for row in reading.rows:
        for column in reading.columns:
            weight = tf.cast(row.weight * column.weight, compute)
            values = tf.cast(tf.gather(pixels, reading.index(row, column)), compute)
            total += values * weight[..., tf.newaxis]
            share += weight
    if how.fill_value:
        total += ((1 - share) * how.fill_value)[..., tf.newaxis]
    total.set_shape([*_batch_of(image, x), *x.shape[1:], image.shape[3]])
    return total


def points_gradient(
    image: tf.Tensor, x: tf.Tensor, y: tf.Tensor, upstream: tf.Tensor, how: Sampling
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the gradient to `x` and to `y`, each shaped as `upstream` without its channels."""
    compute = compute_type(image, x)
    upstream = tf.cast(upstream, compute)
    reading = _read(image, x, y, how)
    if how.interpolation == "nearest":
        return tf.zeros_like(upstream[..., 0]), tf.zeros_like(upstream[..., 0])
    gradient = _gradient_compiled if how.compiled else _gradient_by_kernels
    along_x, along_y = gradient(image, reading, upstream, how.fill_value)
    return tf.cast(along_x, x.dtype), tf.cast(along_y, y.dtype)


def _gradient_compiled(
    image: tf.Tensor, reading: _Reading, upstream: tf.Tensor, fill_value: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Two gathers for each tap, of different form, each with a user of its own.

    XLA puts a gather with two users outside the loop, at five times the cost. One runs over the
    flat list of pixels, the other image by image.
    """
    batch = tf.shape(image)[0]
    pixels = _flat(image)
    by_image = tf.reshape(image, tf.stack([batch, -1, tf.shape(image)[3]]))
    along_x: tf.Tensor = 0.0
    along_y: tf.Tensor = 0.0
    for row in reading.rows:
        for column in reading.columns:
            index = row.index * reading.width + column.index
            one = tf.cast(tf.gather(pixels, reading.first + index), upstream.dtype) - fill_value
            other = tf.cast(tf.gather(by_image, index, batch_dims=1), upstream.dtype) - fill_value
            along_x += one * tf.cast(row.weight * column.slope, one.dtype)[..., tf.newaxis]
            along_y += other * tf.cast(row.slope * column.weight, one.dtype)[..., tf.newaxis]
    return _over_channels(along_x * upstream), _over_channels(along_y * upstream)


def _over_channels(values: tf.Tensor) -> tf.Tensor:
    """Sum over the last axis."""
    channels = values.shape[-1]
    if channels is None or channels < _MANY_CHANNELS:
        return tf.reduce_sum(values, axis=-1)
    # XLA sums along a row one number at a time; a product with ones takes two thirds of the time.
    ones = tf.ones([channels, 1], values.dtype)
    summed = tf.matmul(tf.reshape(values, [-1, channels]), ones)
    return tf.reshape(summed, tf.shape(values)[:-1])


def _gradient_by_kernels(
    image: tf.Tensor, reading: _Reading, upstream: tf.Tensor, fill_value: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """One gather for each tap, summed over channels before anything else."""
    pixels = _flat(image)
    along_x: tf.Tensor = 0.0
    along_y: tf.Tensor = 0.0
    for row in reading.rows:
        for column in reading.columns:
            values = tf.gather(pixels, reading.index(row, column))
            values = tf.cast(values, upstream.dtype) - fill_value
            slope = tf.reduce_sum(values * upstream, axis=-1)
            along_x += slope * tf.cast(row.weight * column.slope, slope.dtype)
            along_y += slope * tf.cast(row.slope * column.weight, slope.dtype)
    return along_x, along_y


def image_gradient(
    image_shape: tf.Tensor, x: tf.Tensor, y: tf.Tensor, upstream: tf.Tensor, how: Sampling
) -> tf.Tensor:
    """Return the gradient to the image, by adding each value where it was read.

    Args:
        image_shape: int32 `(4,)`, shape of the image.
        x: points, as for `sample_forward`.
        y: points, as for `sample_forward`.
        upstream: `(batch, out_height, out_width, channels)`.
        how: interpolation and padding.

    Returns:
        A tensor of the image's shape, float32, or float64 when points or `upstream` are.
    """
    compute = compute_type(upstream, x)
    channels = image_shape[3]
    upstream = tf.cast(upstream, compute)
    reading = _read_shape(image_shape, x, y, how)
    count = image_shape[0] * image_shape[1] * image_shape[2]
    total: tf.Tensor = 0.0
    for row in reading.rows:
        for column in reading.columns:
            weight = tf.cast(row.weight * column.weight, compute)
            index = tf.broadcast_to(reading.index(row, column), tf.shape(upstream)[:3])
            values = tf.reshape(upstream * weight[..., tf.newaxis], tf.stack([-1, channels]))
            total += tf.math.unsorted_segment_sum(values, tf.reshape(index, [-1]), count)
    return tf.reshape(total, image_shape)


def valid_fraction(
    x: tf.Tensor, y: tf.Tensor, input_size: tuple[int, int] | tf.Tensor, align_corners: bool
) -> tf.Tensor:
    """Return 1 where a point lies on the picture and 0 where not, `(batch, height, width, 1)`."""
    inside = None
    for points, length in ((x, input_size[1]), (y, input_size[0])):
        # Rounding may carry a border point out by less than this.
        reach = (0.0 if align_corners else 0.5) + 1e-3
        on_axis = (points >= -reach) & (points <= tf.cast(length - 1, points.dtype) + reach)
        inside = on_axis if inside is None else inside & on_axis
    return tf.cast(inside, x.dtype)[..., tf.newaxis]


def compute_type(image: tf.Tensor, points: tf.Tensor) -> tf.DType:
    """Weights and sums are in at least float32, whatever the image."""
    return tf.float64 if tf.float64 in (image.dtype, points.dtype) else tf.float32


def _read(image: tf.Tensor, x: tf.Tensor, y: tf.Tensor, how: Sampling) -> _Reading:
    shape = image.shape
    known = shape.as_list() if shape.is_fully_defined() else tf.shape(image)
    if shape[1:3].is_fully_defined() and not shape.is_fully_defined():
        known = [tf.shape(image)[0], shape[1], shape[2], tf.shape(image)[3]]
    return _read_shape(known, x, y, how)


def _read_shape(
    shape: tf.Tensor | list[int | tf.Tensor], x: tf.Tensor, y: tf.Tensor, how: Sampling
) -> _Reading:
    batch, height, width = shape[0], shape[1], shape[2]
    finite = tf.math.is_finite(x) & tf.math.is_finite(y)
    # A point that is nowhere is put where zeros and constants read nothing.
    x, y = (
        tf.where(finite, x, tf.fill([], tf.cast(-4.0, x.dtype))),
        tf.where(finite, y, tf.fill([], tf.cast(-4.0, y.dtype))),
    )
    columns = axis_taps(x, width, how.interpolation, how.padding, how.align_corners)
    rows = axis_taps(y, height, how.interpolation, how.padding, how.align_corners)
    if how.padding not in ("zeros", "constant"):
        columns = [
            Tap(
                tap.index,
                tf.where(finite, tap.weight, tf.zeros_like(tap.weight)),
                tf.where(finite, tap.slope, tf.zeros_like(tap.slope)),
            )
            for tap in columns
        ]
    first = tf.range(batch)[:, tf.newaxis, tf.newaxis] * (height * width)
    return _Reading(rows, columns, width, first, finite)


def _flat(image: tf.Tensor) -> tf.Tensor:
    return tf.reshape(image, tf.stack([-1, tf.shape(image)[3]]))


def _batch_of(image: tf.Tensor, x: tf.Tensor) -> list[int | None]:
    batch = image.shape[0] if image.shape[0] is not None else x.shape[0]
    return [None if batch == 1 and x.shape[0] != 1 else batch]
