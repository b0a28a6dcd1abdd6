"""The sampler: read an image at real-valued points."""

import tensorflow as tf


def bilinear_sampler(image: tf.Tensor, grid: tf.Tensor) -> tf.Tensor:
    """Sample `image` at the points of `grid`, bilinearly; outside the image is zero.

    A point within float32 rounding of a pixel centre is that centre, so that the grid of the
    identity returns the image bit for bit.

    Args:
        image: float `(batch, height, width, channels)`, any float type.
        grid: float `(batch, out_height, out_width, 2)`, last axis `(x, y)` in normalised units as
            `affine_grid` makes them; batch 1 is shared by all images.

    Returns:
        Tensor `(batch, out_height, out_width, channels)` of the image's type. A point with a NaN or
        infinite coordinate gives zero.

    Raises:
        ValueError: a shape or type is not as above.

    Example:
        >>> image = tf.constant([[[[1.0], [3.0]]]])
        >>> bilinear_sampler(image, tf.constant([[[[0.0, 0.0]]]])).numpy().item()
        2.0

    Source: Jaderberg et al. (2015), equation 5. The gradients with respect to the points are those
    of the cell to the right of and below a point, also when it lies on a pixel centre.
    """
    grid = tf.convert_to_tensor(grid)
    if grid.shape.rank != 4 or grid.shape[3] != 2 or not grid.dtype.is_floating:
        raise ValueError(
            "grid must be floating point of shape (batch, height, width, 2); "
            f"got {grid.dtype.name} {grid.shape}"
        )
    if grid.dtype != tf.float64:
        grid = tf.cast(grid, tf.float32)
    image = tf.convert_to_tensor(image)
    _check_image(image)
    half = tf.cast(tf.shape(image)[2:0:-1] - 1, grid.dtype) / 2
    points = _snap(grid * half + half, half)
    return sample_pixels(image, points[..., 0], points[..., 1])


def sample_pixels(image: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Sample `image` at `x`, `y` in pixels, bilinearly; outside the image is zero.

    Args:
        image: float `(batch, height, width, channels)`.
        x: float32 or float64 `(batch, out_height, out_width)`; 0 is the centre of the first column.
        y: as `x`; 0 is the centre of the first row.

    Returns:
        Tensor `(batch, out_height, out_width, channels)` of the image's type; zero where a
        coordinate is not finite.

    Raises:
        ValueError: the image is not of that rank, or not floating point.
    """
    image = tf.convert_to_tensor(image)
    _check_image(image)
    height, width = (tf.shape(image)[1], tf.shape(image)[2])
    pixels = tf.reshape(image, tf.stack([-1, tf.shape(image)[3]]))
    first_pixel = tf.range(tf.shape(image)[0])[:, tf.newaxis, tf.newaxis] * (height * width)
    # Weights and sums in at least float32, whatever the image.
    compute = tf.float64 if tf.float64 in (image.dtype, x.dtype) else tf.float32

    finite = tf.math.is_finite(x) & tf.math.is_finite(y)
    x, y = tf.where(finite, x, -2.0), tf.where(finite, y, -2.0)
    left, top = tf.floor(x), tf.floor(y)
    columns = _neighbours(left, tf.cast(x - left, compute), width)
    rows = _neighbours(top, tf.cast(y - top, compute), height)

    total = None
    for row, row_weight in rows:
        for column, column_weight in columns:
            values = tf.cast(tf.gather(pixels, first_pixel + row * width + column), compute)
            term = values * (row_weight * column_weight)[..., tf.newaxis]
            total = term if total is None else total + term
    sampled = tf.cast(total, image.dtype)
    sampled.set_shape([*_batch_of(image, x), *x.shape[1:], image.shape[3]])
    return sampled


def _neighbours(
    first: tf.Tensor, fraction: tf.Tensor, length: tf.Tensor
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Index and weight of the two pixels beside a point on one axis; weight zero when outside."""
    last = tf.cast(length - 1, first.dtype)
    neighbours = []
    for index, weight in ((first, 1 - fraction), (first + 1, fraction)):
        inside = (index >= 0) & (index <= last)
        # The weight comes from the unclipped index; clipping first would drag the border outwards.
        clipped = tf.cast(tf.clip_by_value(index, 0, last), tf.int32)
        neighbours.append((clipped, tf.where(inside, weight, tf.zeros_like(weight))))
    return neighbours


def _snap(points: tf.Tensor, half: tf.Tensor) -> tf.Tensor:
    """Round points that float rounding alone can have moved off a pixel centre."""
    tolerance = half * (2.0**-20 if points.dtype == tf.float32 else 2.0**-49)
    nearest = tf.stop_gradient(tf.round(points) - points)
    return tf.where(tf.abs(nearest) <= tolerance, points + nearest, points)


def _check_image(image: tf.Tensor) -> None:
    if image.shape.rank != 4 or not image.dtype.is_floating:
        raise ValueError(
            "image must be floating point of shape (batch, height, width, channels); "
            f"got {image.dtype.name} {image.shape}"
        )


def _batch_of(image: tf.Tensor, x: tf.Tensor) -> list[int | None]:
    batch = image.shape[0] if image.shape[0] is not None else x.shape[0]
    return [None if batch == 1 and x.shape[0] != 1 else batch]
