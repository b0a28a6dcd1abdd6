"""Maps from canvas to digit, and the canvases that they draw."""

from typing import NamedTuple

import tensorflow as tf

from model_export.distortion import FRAME
from stn import get_transform, sample, transform_grid

_SPLINE = get_transform("tps_4x4")
NUM_CONTROLS = 16


class Maps(NamedTuple):
    """Where each pixel of a batch of canvases looks on its digit.

    Attributes:
        homography: float32 `(batch, 3, 3)`, from pixels of the canvas to pixels of the digit, each
            counted from its middle.
        bend: float32 `(batch, 2 * 16)`, or None: `(dx, dy)` of the 4 x 4 control points of a
            thin-plate spline over the canvas, in pixels of the canvas; bent before it is mapped.
    """

    homography: tf.Tensor
    bend: tf.Tensor | None = None


def similarity(radians: tf.Tensor, scale: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Return the map for digits that lie turned clockwise, scaled, and moved from the middle.

    Args:
        radians: `(batch,)`.
        scale: `(batch,)`, pixels of the canvas per pixel of the digit.
        x: `(batch,)`, column of the digit's middle, counted from that of the canvas.
        y: `(batch,)`, its row.
    """
    cosine, sine = tf.cos(radians) / scale, tf.sin(radians) / scale
    zero, one = tf.zeros_like(scale), tf.ones_like(scale)
    rows = [
        [cosine, sine, -cosine * x - sine * y],
        [-sine, cosine, sine * x - cosine * y],
        [zero, zero, one],
    ]
    return tf.stack([tf.stack(row, axis=1) for row in rows], axis=1)


def from_corners(moves: tf.Tensor, half: float) -> tf.Tensor:
    """Return the homography that takes a square's moved corners back to where they were.

    Args:
        moves: `(batch, 4, 2)`, how far each corner has moved, `(x, y)` in pixels; top left first,
            then clockwise.
        half: half a side of the square.
    """
    corners = half * tf.constant([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    moved = corners + moves
    x, y = moved[..., 0], moved[..., 1]
    u, v = (tf.broadcast_to(corners[:, axis], tf.shape(x)) for axis in (0, 1))
    zero, one = tf.zeros_like(x), tf.ones_like(x)
    for_u = tf.stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=2)
    for_v = tf.stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=2)
    system = tf.concat([for_u, for_v], axis=1)
    solution = tf.linalg.solve(system, tf.concat([u, v], axis=1)[..., tf.newaxis])[..., 0]
    return tf.reshape(tf.concat([solution, tf.ones_like(x[:, :1])], axis=1), [-1, 3, 3])


def draw(digits: tf.Tensor, maps: Maps, canvas: int, training: bool = False) -> tf.Tensor:
    """Draw digits on black canvases.

    Args:
        digits: float32 `(batch, 28, 28)`.
        maps: where each canvas looks.
        canvas: a side of it, in pixels.
        training: whether XLA may compile the spline's sampling; it rounds otherwise.

    Returns:
        float32 `(batch, canvas, canvas)`, bilinear, zero around the digit.
    """
    if maps.bend is None:
        return _draw_straight(digits, maps.homography, canvas)
    half, middle = (canvas - 1) / 2, (FRAME - 1) / 2
    bent = transform_grid(maps.bend / half, (canvas, canvas), _SPLINE) * half
    x, y = bent[..., 0], bent[..., 1]
    rows = maps.homography[:, :, :, tf.newaxis, tf.newaxis]
    u, v, w = (rows[:, k, 0] * x + rows[:, k, 1] * y + rows[:, k, 2] for k in range(3))
    grid = tf.stack([u / w, v / w], axis=3) / middle
    return sample(digits[..., tf.newaxis], grid, training=training)[..., 0]


def _draw_straight(digits: tf.Tensor, homography: tf.Tensor, canvas: int) -> tf.Tensor:
    to_frame = _shift((FRAME - 1) / 2)
    from_canvas = _shift(-(canvas - 1) / 2)
    pixels = to_frame @ homography @ from_canvas
    flat = tf.reshape(pixels / pixels[:, 2:, 2:], [-1, 9])[:, :8]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=digits[..., tf.newaxis],
        transforms=flat,
        output_shape=[canvas, canvas],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )[..., 0]


def _shift(pixels: float) -> tf.Tensor:
    return tf.constant([[[1.0, 0.0, pixels], [0.0, 1.0, pixels], [0.0, 0.0, 1.0]]])
