"""A spatial transformer in plain loops and float64: slow, obvious, and the judge of the fast one.

It follows `torch.nn.functional.affine_grid` and `grid_sample` with `align_corners=True`, for one
image at a time. Nothing here is shared with the code that it checks.
"""

import math
from collections.abc import Sequence

import numpy as np


def affine_points(theta: Sequence[float] | np.ndarray, output_size: tuple[int, int]) -> np.ndarray:
    """Return where each output pixel looks, in normalised coordinates of the input.

    Args:
        theta: six numbers or two rows of three, from output `(x, y, 1)` to input `(x, y)`.
        output_size: `(height, width)`.

    Returns:
        float64 `(height, width, 2)`, last axis `(x, y)`; -1 and +1 are the centres of the first and
        last pixel, and a side of one pixel lies at 0.
    """
    (a, b, c), (d, e, f) = np.asarray(theta, dtype=np.float64).reshape(2, 3)
    height, width = output_size
    points = np.empty((height, width, 2))
    for row in range(height):
        for column in range(width):
            x = 0.0 if width == 1 else -1.0 + 2.0 * column / (width - 1)
            y = 0.0 if height == 1 else -1.0 + 2.0 * row / (height - 1)
            points[row, column] = a * x + b * y + c, d * x + e * y + f
    return points


def sample_at(
    image: np.ndarray,
    points: np.ndarray,
    padding: str = "zeros",
    interpolation: str = "bilinear",
) -> np.ndarray:
    """Read an image at normalised points.

    Args:
        image: `(height, width, channels)`.
        points: `(out_height, out_width, 2)`, last axis `(x, y)`.
        padding: `zeros`, `border` or `reflection`, the last about the centres of the border pixels.
        interpolation: `bilinear` or `nearest`; halves go to the even neighbour.

    Returns:
        float64 `(out_height, out_width, channels)`; a point that is not finite reads zero.
    """
    height, width, channels = image.shape
    out = np.zeros((*points.shape[:2], channels))
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            x, y = points[row, column]
            if not (math.isfinite(x) and math.isfinite(y)):
                continue
            x = _into_range((x + 1.0) / 2.0 * (width - 1), width, padding)
            y = _into_range((y + 1.0) / 2.0 * (height - 1), height, padding)
            if interpolation == "nearest":
                out[row, column] = _pixel(image, round(y), round(x))
            elif interpolation == "bilinear":
                left, top = math.floor(x), math.floor(y)
                right_share, lower_share = x - left, y - top
                out[row, column] = (
                    (1 - lower_share) * (1 - right_share) * _pixel(image, top, left)
                    + (1 - lower_share) * right_share * _pixel(image, top, left + 1)
                    + lower_share * (1 - right_share) * _pixel(image, top + 1, left)
                    + lower_share * right_share * _pixel(image, top + 1, left + 1)
                )
            else:
                raise ValueError(f"interpolation must be bilinear or nearest; got {interpolation}")
    return out


def affine_warp(
    image: np.ndarray,
    theta: Sequence[float] | np.ndarray,
    output_size: tuple[int, int],
    padding: str = "zeros",
    interpolation: str = "bilinear",
) -> np.ndarray:
    """Warp one image `(height, width, channels)`; float64 `(*output_size, channels)` comes back."""
    return sample_at(image, affine_points(theta, output_size), padding, interpolation)


def _into_range(coordinate: float, length: int, padding: str) -> float:
    """Apply the padding mode to a coordinate in pixels."""
    last = length - 1
    if padding == "zeros":
        return coordinate
    if padding == "border":
        return min(max(coordinate, 0.0), float(last))
    if padding == "reflection":
        if last == 0:
            return 0.0
        folded = math.fmod(abs(coordinate), 2.0 * last)
        return 2.0 * last - folded if folded > last else folded
    raise ValueError(f"padding must be zeros, border or reflection; got {padding}")


def _pixel(image: np.ndarray, row: int, column: int) -> np.ndarray:
    if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
        return image[row, column].astype(np.float64)
    return np.zeros(image.shape[2])
