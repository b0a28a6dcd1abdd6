"""Forward warps by kernels that every TensorFlow has, and so every TensorFlow Serving.

They are two to four times as fast as the portable ops where those are not compiled. Their own
registered gradients are not used: that of `ImageProjectiveTransformV3` is not the adjoint, and
gives theta none.
"""

import tensorflow as tf

from stn._shapes import LARGEST
from stn.lattice import Lattice
from stn.projection import in_front_of_horizon, pixel_matrix
from stn.sampler import Sampling, sample_forward
from stn.transforms import Transform


def supports(transform: Transform, how: Sampling) -> bool:
    """Whether the kernels offer this: a matrix, read bilinearly, with these paddings."""
    return (
        transform.has_matrix
        and how.interpolation == "bilinear"
        and how.padding in ("zeros", "constant", "border")
    )


def kernel_forward(
    image: tf.Tensor, theta: tf.Tensor, transform: Transform, lattice: Lattice, how: Sampling
) -> tf.Tensor:
    """Warp by TensorFlow's own kernels; as `sample_forward` at the points of the transform."""
    image = tf.cast(image, tf.float32)
    matrix = transform.matrix(theta)
    size = tf.stack([tf.shape(lattice.y)[0], tf.shape(lattice.x)[0]])
    if transform.name == "attention" and how.padding != "border":
        out = _crop(image, matrix, lattice, size, how)
    elif matrix.shape[1] == 3:
        # The kernel does not know of the horizon.
        out = tf.cond(
            in_front_of_horizon(matrix, lattice),
            lambda: _project(image, matrix, lattice, size, how),
            lambda: sample_forward(image, *transform.points(theta, lattice), how),
        )
    else:
        out = _project(image, matrix, lattice, size, how)
    out.set_shape([image.shape[0], *lattice.static_size, image.shape[3]])
    return out


def _project(
    image: tf.Tensor, matrix: tf.Tensor, lattice: Lattice, size: tf.Tensor, how: Sampling
) -> tf.Tensor:
    eight = _eight_numbers(pixel_matrix(matrix, lattice), lattice)
    usable = tf.reduce_all(tf.abs(eight) < LARGEST, axis=1, keepdims=True)
    far = tf.constant([[0, 0, -1e6, 0, 0, -1e6, 0, 0]], tf.float32)
    out = tf.raw_ops.ImageProjectiveTransformV3(
        images=image,
        transforms=tf.where(usable, eight, far),
        output_shape=size,
        fill_value=tf.constant(how.fill_value, tf.float32),
        interpolation="BILINEAR",
        fill_mode="NEAREST" if how.padding == "border" else "CONSTANT",
    )
    if how.padding == "border":
        nowhere = tf.constant(how.fill_value, out.dtype)
        out = tf.where(usable[:, :, tf.newaxis, tf.newaxis], out, nowhere)
    return out


def _eight_numbers(matrix: tf.Tensor, lattice: Lattice) -> tf.Tensor:
    """The kernel's `(batch, 8)`: pixels counted from the first, the ninth number one."""
    middle_x, middle_y = lattice.source_middle
    left, top = lattice.x[0], lattice.y[0]
    # The points of an oversampled lattice lie closer than a pixel.
    rows_apart, columns_apart = lattice.oversampling
    first, second = matrix[:, 0], matrix[:, 1]
    if matrix.shape[1] == 2:
        last = tf.zeros_like(first) + tf.constant([0, 0, 1], first.dtype)
    else:
        last = matrix[:, 2]
    rows = [first + middle_x * last, second + middle_y * last, last]
    columns = []
    for row in rows:
        at_first = row[:, 2] + (row[:, 0] * left + row[:, 1] * top)
        columns.append((row[:, 0] / columns_apart, row[:, 1] / rows_apart, at_first))
    ninth = columns[2][2]
    numbers = [number / ninth for row in columns for number in row]
    return tf.cast(tf.stack(numbers[:8], axis=1), tf.float32)


def _crop(
    image: tf.Tensor, matrix: tf.Tensor, lattice: Lattice, size: tf.Tensor, how: Sampling
) -> tf.Tensor:
    """Scale and translation alone are a crop, resized."""
    matrix = pixel_matrix(matrix, lattice)
    usable = tf.reduce_all(tf.abs(matrix) < LARGEST, axis=[1, 2])[:, tf.newaxis]
    height, width = tf.unstack(tf.cast(tf.shape(image)[1:3], matrix.dtype))
    x = _ends(matrix[:, 0, 0], matrix[:, 0, 2], lattice.x) + lattice.source_middle[0]
    y = _ends(matrix[:, 1, 1], matrix[:, 1, 2], lattice.y) + lattice.source_middle[1]
    nowhere = tf.constant(-9.0, x.dtype)
    x, y = tf.where(usable, x, nowhere), tf.where(usable, y, nowhere)
    inside = tf.reduce_all((x >= 0) & (x <= width - 1)) & tf.reduce_all(
        (y >= 0) & (y <= height - 1)
    )

    def crop(image: tf.Tensor, ring: int) -> tf.Tensor:
        box = tf.concat(
            [
                tf.math.divide_no_nan(y + ring, height - 1 + 2 * ring),
                tf.math.divide_no_nan(x + ring, width - 1 + 2 * ring),
            ],
            axis=1,
        )
        return tf.image.crop_and_resize(
            image,
            tf.cast(tf.gather(box, [0, 2, 1, 3], axis=1), tf.float32),
            tf.range(tf.shape(image)[0]),
            size,
            extrapolation_value=how.fill_value,
        )

    def crop_ringed() -> tf.Tensor:
        # The kernel ends hard at the last centre; a ring of the padding makes it fade.
        ring = [[0, 0], [1, 1], [1, 1], [0, 0]]
        return crop(tf.pad(image, ring, constant_values=how.fill_value), 1)

    return tf.cond(inside, lambda: crop(image, 0), crop_ringed)


def _ends(scale: tf.Tensor, shift: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """`(batch, 2)`: where the first and the last point of an axis look, from the middle."""
    return (
        scale[:, tf.newaxis] * tf.gather(points, [0, tf.shape(points)[0] - 1])
        + shift[:, tf.newaxis]
    )
