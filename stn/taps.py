"""Which pixels of one axis a point reads, with what weight and what slope.

Interpolation and padding are separable, so that a sampler is two lists of taps and nothing else.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import tensorflow as tf

Interpolation = Literal["bilinear", "nearest", "bicubic"]
Padding = Literal["zeros", "border", "reflection", "wrap", "constant"]

INTERPOLATIONS: tuple[str, ...] = get_args(Interpolation)
PADDINGS: tuple[str, ...] = get_args(Padding)

_SHARPNESS = -0.75  # of the cubic kernel, as torch and OpenCV have it


@dataclass(frozen=True)
class Tap:
    """One pixel beside each point of an axis.

    Attributes:
        index: int32 `(batch, height, width)`, always a pixel of the image.
        weight: its share; zero when the true pixel lies outside.
        slope: derivative of the weight with respect to the point.
    """

    index: tf.Tensor
    weight: tf.Tensor
    slope: tf.Tensor


def axis_taps(
    points: tf.Tensor,
    length: int | tf.Tensor,
    interpolation: Interpolation,
    padding: Padding,
    align_corners: bool,
) -> list[Tap]:
    """Return the taps of one axis.

    Args:
        points: coordinates in pixels, all finite.
        length: pixels on the axis.
        interpolation: one, two or four taps.
        padding: what lies outside.
        align_corners: whether a reflection turns at the centres of the outermost pixels, else at
            their outer edges.

    Source: Keys (1981) for the cubic kernel. Slopes are those of the cell to the right of a point,
    and zero where border or reflection holds a point back, as in torch's `grid_sample`.
    """
    last = tf.cast(length - 1, points.dtype)
    turn = tf.ones_like(points)
    if interpolation != "bicubic" and padding in ("border", "reflection"):
        points, turn = _settle(points, last, padding, align_corners)
    elif padding == "wrap":
        points = tf.math.floormod(points, last + 1)
    elif padding == "reflection":
        edge, period = _mirrors(last, align_corners)
        points = tf.math.floormod(points + edge, period) - edge
    else:
        # What is this far out reads nothing, and would not fit into an integer.
        points = tf.clip_by_value(points, -last - 8, 2 * last + 8)

    if interpolation == "nearest":
        # Halves go to the even neighbour, as in torch.
        pixels = [(tf.round(points), tf.ones_like(points), tf.zeros_like(points))]
    else:
        first = tf.floor(points)
        fraction = points - first
        kernel = _cubic if interpolation == "bicubic" else _linear
        pixels = [
            (first + offset, weight, slope * turn) for offset, weight, slope in kernel(fraction)
        ]
    return [_place(*pixel, length, padding, align_corners) for pixel in pixels]


def _linear(fraction: tf.Tensor) -> list[tuple[int, tf.Tensor, tf.Tensor]]:
    one = tf.ones_like(fraction)
    return [(0, 1 - fraction, -one), (1, fraction, one)]


def _cubic(fraction: tf.Tensor) -> list[tuple[int, tf.Tensor, tf.Tensor]]:
    taps = []
    for offset in (-1, 0, 1, 2):
        # Distances grow to the left of a tap and shrink to its right.
        distance, sign = (fraction - offset, 1) if offset <= 0 else (offset - fraction, -1)
        weight, slope = (_near if offset in (0, 1) else _far)(distance)
        taps.append((offset, weight, slope * sign))
    return taps


def _near(d: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    a = _SHARPNESS
    return ((a + 2) * d - (a + 3)) * d * d + 1, (3 * (a + 2) * d - 2 * (a + 3)) * d


def _far(d: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    a = _SHARPNESS
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a, (3 * a * d - 10 * a) * d + 8 * a


def _place(
    pixel: tf.Tensor,
    weight: tf.Tensor,
    slope: tf.Tensor,
    length: int | tf.Tensor,
    padding: Padding,
    align_corners: bool,
) -> Tap:
    """Turn the true pixel, which may lie outside, into one of the image."""
    last = tf.cast(length - 1, pixel.dtype)
    if padding == "wrap":
        pixel = tf.math.floormod(pixel, last + 1)
    elif padding in ("border", "reflection"):
        pixel, _ = _settle(pixel, last, padding, align_corners)
    index = tf.cast(pixel, tf.int32)
    inside = tf.clip_by_value(index, 0, length - 1)
    if padding in ("zeros", "constant"):
        # The weight comes from the true pixel: to clip first would drag the border outwards.
        mask = tf.equal(index, inside)
        weight = tf.where(mask, weight, tf.zeros_like(weight))
        slope = tf.where(mask, slope, tf.zeros_like(slope))
    return Tap(inside, weight, slope)


def _settle(
    points: tf.Tensor, last: tf.Tensor, padding: Padding, align_corners: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Bring points into the image; return them and the derivative of doing so."""
    turn = tf.ones_like(points)
    if padding == "reflection":
        edge, period = _mirrors(last, align_corners)
        phase = tf.math.floormod(points + edge, period)
        folded = phase > last + 2 * edge
        points = tf.where(folded, period - phase, phase) - edge
        turn = tf.where(folded, -turn, turn)
    kept = (points > 0) & (points < last)
    return tf.clip_by_value(points, tf.zeros_like(last), last), tf.where(
        kept, turn, tf.zeros_like(turn)
    )


def _mirrors(last: tf.Tensor, align_corners: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """How far outside the outermost centres the mirrors stand, and the period of reflections."""
    edge = tf.constant(0.0 if align_corners else 0.5, last.dtype)
    span = last + 2 * edge
    # A picture of one column reflects into itself.
    return edge, tf.where(span > 0, 2 * span, tf.ones_like(span))
