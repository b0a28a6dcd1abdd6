"""What theta means, in words and in pixels. Pure arithmetic.

Pixels are counted from the centre of the first one: (0, 0) is the middle of the top left pixel.
"""

import math
from dataclasses import dataclass

import numpy as np

Point = tuple[float, float]

# Corners of the warped image, in the order in which a region is reported.
CORNERS: tuple[Point, ...] = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))


@dataclass(frozen=True)
class Transform:
    """An affine theta, taken apart.

    The columns of its 2 x 2 part are where the axes of the warped image lie in the input. Their
    lengths are the scale; the mean of the angles by which they are turned is the rotation; half the
    difference is the shear. Angles are clockwise on the screen, since y grows downwards.

    Attributes:
        rotation_degrees: how far the region looked at is turned, in (-180, 180].
        scale: of the warped image's x and y axis; below 1 the network zoomed in.
        shear_degrees: how far each axis leans from the right angle.
        translation: centre of the region in normalised coordinates, `(x, y)`.
        mirrored: whether the region is flipped; the y axis is then the one taken as reversed.
    """

    rotation_degrees: float
    scale: tuple[float, float]
    shear_degrees: float
    translation: Point
    mirrored: bool


def decompose(theta: np.ndarray) -> Transform:
    """Take an affine theta of six numbers apart; `compose` puts it together again."""
    a, b, x, c, d, y = (float(value) for value in theta)
    mirrored = a * d - b * c < 0
    flip = -1.0 if mirrored else 1.0
    first = math.atan2(c, a)
    second = math.atan2(-b * flip, d * flip)
    lean = math.remainder(first - second, math.tau) / 2
    return Transform(
        rotation_degrees=math.degrees(math.remainder(first - lean, math.tau)),
        scale=(math.hypot(a, c), math.hypot(b, d)),
        shear_degrees=math.degrees(lean),
        translation=(x, y),
        mirrored=mirrored,
    )


def compose(transform: Transform) -> np.ndarray:
    """Return the six numbers of theta, float64, that `decompose` takes apart."""
    first = math.radians(transform.rotation_degrees + transform.shear_degrees)
    second = math.radians(transform.rotation_degrees - transform.shear_degrees)
    scale_x, scale_y = transform.scale
    scale_y = -scale_y if transform.mirrored else scale_y
    x, y = transform.translation
    return np.array(
        [
            scale_x * math.cos(first),
            -scale_y * math.sin(second),
            x,
            scale_x * math.sin(first),
            scale_y * math.cos(second),
            y,
        ]
    )


@dataclass(frozen=True)
class Fit:
    """How a picture was laid on the model's input: pixel `p` went to `p * scale + offset`.

    The scale and offset act on pixel edges, not centres, as resizing does.

    Attributes:
        scale: pixels of the input per pixel of the picture, `(x, y)`.
        offset: where the picture's top left edge lies on the input, `(x, y)`.
    """

    scale: Point
    offset: Point

    def to_picture(self, x: float, y: float) -> Point:
        """Return the point of the picture under a pixel of the input."""
        return (
            (x + 0.5 - self.offset[0]) / self.scale[0] - 0.5,
            (y + 0.5 - self.offset[1]) / self.scale[1] - 0.5,
        )


UNFITTED = Fit(scale=(1.0, 1.0), offset=(0.0, 0.0))


def region(theta: np.ndarray, height: int, width: int, fit: Fit = UNFITTED) -> list[Point]:
    """Return the quadrilateral looked at, in pixels of the picture.

    Args:
        theta: six numbers.
        height: of the input that theta refers to, in pixels.
        width: of that input.
        fit: how the picture was laid on that input.

    Returns:
        Corners in the order of the warped image's top left, top right, bottom right, bottom left.
    """
    a, b, tx, c, d, ty = (float(value) for value in theta)
    points = []
    for x, y in CORNERS:
        column = (a * x + b * y + tx + 1) * (width - 1) / 2
        row = (c * x + d * y + ty + 1) * (height - 1) / 2
        points.append(fit.to_picture(column, row))
    return points
