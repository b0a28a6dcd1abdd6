"""The graph of the `warp` servable: any image size, every padding and interpolation.

It gives what `torch.nn.functional.grid_sample(align_corners=True)` gives. The output is made in
bands of rows whose temporaries stay in a processor's cache, so that a photo of twelve megapixels
takes a second, and memory for little more than itself. (TensorFlow's own op for this is no faster
on such a photo, needs it in float32, and has neither this reflection nor this rounding of halves.)

Coordinates are float64 down to rows and columns, and only the sum of the two is float32: exact for
the identity, and good to a thousandth of a pixel at 4,000 pixels.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

PADDINGS = ("zeros", "border", "reflection")
INTERPOLATIONS = ("bilinear", "nearest")

_BAND_PIXELS = 1 << 15
# Far outside any image, and well inside what float32 and int32 can hold.
_FARTHEST = 2.0**30


def warp_images(
    images: tf.Tensor, theta: tf.Tensor, output_size: tf.Tensor, padding: str, interpolation: str
) -> tf.Tensor:
    """Warp images of any size by affine transforms.

    Args:
        images: float32 or uint8 `(batch, height, width, channels)`.
        theta: float32 `(batch, 6)` or `(1, 6)`, from output to input coordinates.
        output_size: int32 `(height, width)`.
        padding: what lies outside the image: `zeros`, `border` (the nearest border pixel) or
            `reflection` (about the centres of the border pixels).
        interpolation: `bilinear` or `nearest`; halves go to the even neighbour.

    Returns:
        Tensor `(batch, *output_size, channels)` of the images' type, uint8 rounded to nearest; zero
        for an image whose theta is not finite.

    Raises:
        ValueError: padding or interpolation is none of these.
    """
    if padding not in PADDINGS or interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"padding must be one of {PADDINGS} and interpolation one of {INTERPOLATIONS}; "
            f"got {padding!r} and {interpolation!r}"
        )
    num_images, input_size = tf.shape(images)[0], tf.shape(images)[1:3]
    theta = tf.broadcast_to(theta, [num_images, 6])
    finite = tf.reduce_all(tf.math.is_finite(theta), axis=1)[:, tf.newaxis]
    x_lattice, y_lattice = _lattices(tf.where(finite, theta, 0.0), input_size, output_size)

    # With zeros, one ring of them around the image replaces every mask: points are clipped onto it.
    ring = 1 if padding == "zeros" else 0
    last_y, last_x = (tf.cast(input_size[axis] - 1, tf.float32) for axis in (0, 1))

    def settle(coordinate: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
        if padding == "reflection":
            coordinate = _reflect(coordinate, last)
        return tf.clip_by_value(coordinate, -float(ring), last + ring)

    read = _reader(images, ring)

    def band(rows: tf.Tensor) -> tf.Tensor:
        """Make rows, counted through all images: `(num_rows, width, channels)`."""
        image = rows // output_size[0]
        x = settle(_coordinates(x_lattice, rows, image), last_x)
        y = settle(_coordinates(y_lattice, rows, image), last_y)
        if interpolation == "nearest":
            return read(image, tf.round(x), tf.round(y))
        warped = _bilinear(lambda x, y: read(image, x, y), x, y, last_x + ring, last_y + ring)
        # A mixture of values from 0 to 255, once rounded, lies there too.
        return warped if images.dtype == tf.float32 else tf.cast(tf.round(warped), images.dtype)

    warped = _in_bands(band, num_images, output_size, images.dtype)
    return tf.cond(
        tf.reduce_all(finite),
        lambda: warped,
        lambda: tf.where(finite[:, :, tf.newaxis, tf.newaxis], warped, tf.zeros_like(warped)),
    )


class _Lattice(NamedTuple):
    """One coordinate of all output pixels, in pixels of the input: a row's share and a column's.

    Attributes:
        of_row: float32 `(batch * height,)`.
        of_column: float32 `(batch, width)`.
    """

    of_row: tf.Tensor
    of_column: tf.Tensor


def _lattices(
    theta: tf.Tensor, input_size: tf.Tensor, output_size: tf.Tensor
) -> tuple[_Lattice, _Lattice]:
    """Return where all output pixels look, in x and in y.

    The identity at equal size gives exactly the numbers of columns and of rows.
    """
    matrix = tf.reshape(tf.cast(theta, tf.float64), [-1, 2, 3])
    source_half = tf.cast(input_size - 1, tf.float64) / 2
    target_half = tf.cast(output_size - 1, tf.float64) / 2
    rows, columns = (tf.cast(tf.range(output_size[axis]), tf.float64) for axis in (0, 1))

    def lattice(line: int, half: tf.Tensor) -> _Lattice:
        per_column = matrix[:, line, :1] * tf.math.divide_no_nan(half, target_half[1])
        per_row = matrix[:, line, 1:2] * tf.math.divide_no_nan(half, target_half[0])
        middle = matrix[:, line, 2:] * half + half
        start = middle - per_column * target_half[1] - per_row * target_half[0]
        of_row, of_column = (
            tf.cast(tf.clip_by_value(part, -_FARTHEST, _FARTHEST), tf.float32)
            for part in (start + per_row * rows, per_column * columns)
        )
        return _Lattice(tf.reshape(of_row, [-1]), of_column)

    return lattice(0, source_half[1]), lattice(1, source_half[0])


def _coordinates(lattice: _Lattice, rows: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Return a coordinate for each pixel of some rows: `(num_rows, width)`."""
    of_row = tf.gather(lattice.of_row, rows)[:, tf.newaxis]
    return of_row + tf.gather(lattice.of_column, image)


def _reflect(coordinate: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    """Fold a coordinate into 0 to `last`, up to rounding."""
    period = 2 * last
    coordinate -= period * tf.floor(tf.math.divide_no_nan(coordinate, period))
    return tf.minimum(coordinate, period - coordinate)


def _reader(images: tf.Tensor, ring: int) -> Callable[..., tf.Tensor]:
    """Return a function that reads rows of pixels.

    It takes the image of each row, `(num_rows,)`, and whole `x` and `y`, `(num_rows, width)`, which
    must lie on the image or its ring.
    """
    images = tf.pad(images, [[0, 0], [ring, ring], [ring, ring], [0, 0]]) if ring else images
    shape = tf.shape(images)
    pixels = tf.reshape(images, tf.stack([-1, shape[3]]))

    def read(image: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        first_pixel = (image * shape[1] + ring) * shape[2] + ring
        index = tf.cast(y, tf.int32) * shape[2] + tf.cast(x, tf.int32)
        return tf.gather(pixels, first_pixel[:, tf.newaxis] + index)

    return read


def _bilinear(
    read: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    x: tf.Tensor,
    y: tf.Tensor,
    last_x: tf.Tensor,
    last_y: tf.Tensor,
) -> tf.Tensor:
    """Mix the four pixels around each point, in float32."""
    left, top = tf.floor(x), tf.floor(y)
    right, bottom = tf.minimum(left + 1, last_x), tf.minimum(top + 1, last_y)
    share_x, share_y = (x - left)[..., tf.newaxis], (y - top)[..., tf.newaxis]

    def along_x(row: tf.Tensor) -> tf.Tensor:
        first, second = (tf.cast(read(column, row), tf.float32) for column in (left, right))
        return first + share_x * (second - first)

    upper = along_x(top)
    return upper + share_y * (along_x(bottom) - upper)


def _in_bands(
    band: Callable[[tf.Tensor], tf.Tensor],
    num_images: tf.Tensor,
    output_size: tf.Tensor,
    dtype: tf.DType,
) -> tf.Tensor:
    """Make the output one band of rows after the other, and join them."""
    height, width = output_size[0], output_size[1]
    total = num_images * height
    num_rows = tf.clip_by_value(_BAND_PIXELS // tf.maximum(width, 1), 1, tf.maximum(total, 1))
    # The last band may reach past the end: it makes the last row more than once.
    bands = tf.map_fn(
        lambda first: band(tf.minimum(first + tf.range(num_rows), total - 1)),
        tf.range(0, total, num_rows),
        parallel_iterations=1,
        fn_output_signature=tf.TensorSpec([None, None, None], dtype),
    )
    channels = tf.shape(bands)[3]
    joined = tf.reshape(bands, tf.stack([-1, width, channels]))[:total]
    return tf.reshape(joined, tf.stack([num_images, height, width, channels]))
