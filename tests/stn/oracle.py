"""Slow and obvious: the sampler written as loops over pixels, in float64."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def lattice(length: int, align_corners: bool = True) -> Array:
    """Normalised coordinates of the pixel centres of one axis."""
    if align_corners:
        return np.array([2 * i / (length - 1) - 1 if length > 1 else 0.0 for i in range(length)])
    return np.array([(2 * i + 1) / length - 1 for i in range(length)])


def to_pixel(value: float, length: int, align_corners: bool = True) -> float:
    """One normalised coordinate in pixels."""
    if align_corners:
        return (value + 1) * (length - 1) / 2
    return ((value + 1) * length - 1) / 2


def affine_points(
    theta: Array, input_size: tuple[int, int], output_size: tuple[int, int], align: bool = True
) -> Array:
    """`(batch, height, width, 2)` source points, in pixels, of `(batch, 6)` or `(batch, 2, 3)`."""
    theta = np.asarray(theta, np.float64).reshape(-1, 2, 3)
    points = np.zeros((len(theta), *output_size, 2))
    for b, matrix in enumerate(theta):
        for i, y in enumerate(lattice(output_size[0], align)):
            for j, x in enumerate(lattice(output_size[1], align)):
                source_x, source_y = matrix @ [x, y, 1.0]
                points[b, i, j] = (
                    to_pixel(source_x, input_size[1], align),
                    to_pixel(source_y, input_size[0], align),
                )
    return points


def _reflect(value: float, low: float, high: float) -> float:
    if high == low:
        return low
    while value < low or value > high:
        value = 2 * low - value if value < low else 2 * high - value
    return value


def _settle(value: float, length: int, padding: str, align_corners: bool) -> float:
    if padding == "reflection":
        edge = 0.0 if align_corners else 0.5
        value = _reflect(value, -edge, length - 1 + edge)
    if padding in ("border", "reflection"):
        value = min(max(value, 0.0), length - 1.0)
    return value


def _linear(offset: float) -> float:
    return max(0.0, 1 - abs(offset))


def _cubic(offset: float, a: float = -0.75) -> float:
    d = abs(offset)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    if d < 2:
        return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return 0.0


def sample(
    image: Array,
    points: Array,
    interpolation: str = "bilinear",
    padding: str = "zeros",
    fill: float = 0.0,
    align_corners: bool = True,
) -> Array:
    """Read `(batch, height, width, channels)` at points in pixels, one neighbour at a time."""
    image = np.asarray(image, np.float64)
    _, height, width, channels = image.shape
    out = np.zeros((*points.shape[:3], channels))
    reach = 2 if interpolation == "bicubic" else 1
    kernel = _cubic if interpolation == "bicubic" else _linear
    for b, i, j in np.ndindex(*points.shape[:3]):
        x, y = (float(v) for v in points[b, i, j])
        if not (math.isfinite(x) and math.isfinite(y)):
            out[b, i, j] = fill
            continue
        if interpolation != "bicubic":
            x = _settle(x, width, padding, align_corners)
            y = _settle(y, height, padding, align_corners)
        if interpolation == "nearest":
            x, y = float(round(x)), float(round(y))  # halves to even, as torch
        for row in range(math.floor(y) - reach + 1, math.floor(y) + reach + 1):
            for column in range(math.floor(x) - reach + 1, math.floor(x) + reach + 1):
                weight = kernel(x - column) * kernel(y - row)
                r, c = row, column
                if padding == "wrap":
                    r, c = r % height, c % width
                elif padding in ("border", "reflection"):
                    r = int(_settle(r, height, padding, align_corners))
                    c = int(_settle(c, width, padding, align_corners))
                if 0 <= r < height and 0 <= c < width:
                    value = image[b % len(image), r, c]
                else:
                    value = np.full(channels, fill)
                out[b, i, j] += weight * value
    return out


def warp(image: Array, theta: Array, output_size: tuple[int, int] | None = None) -> Array:
    """Affine warp, bilinear, zeros outside."""
    size = (image.shape[1], image.shape[2])
    return sample(image, affine_points(theta, size, output_size or size))
