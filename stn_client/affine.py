"""From words to theta. Pure arithmetic."""

import math
from collections.abc import Sequence

Theta = tuple[float, float, float, float, float, float]


def affine(
    *,
    rotate: float = 0.0,
    scale: float | tuple[float, float] = 1.0,
    shear: float = 0.0,
    translate: tuple[float, float] = (0.0, 0.0),
    size: tuple[int, int] = (1, 1),
) -> Theta:
    """Return the theta that looks at a region of a picture, in the words of `Transform`.

    All of it says where to look, not how to move the picture: a region turned clockwise comes out
    turned the other way round, and one half as wide comes out twice as large.

    Args:
        rotate: how far the region is turned, in degrees, clockwise on the screen.
        scale: of the region; below 1 zooms in. Or one for each side, `(x, y)`.
        shear: how far each side leans from the right angle, in degrees.
        translate: centre of the region, `(x, y)`, -1 and +1 being the edges of the picture.
        size: `(width, height)` of the picture, so that angles hold in its pixels. Where they are
            equal, or left out, they hold in normalised coordinates, as those of the answers do.

    Returns:
        Six numbers, row one gives x, row two y: the map from output to input coordinates.

    Raises:
        ValueError: a number is not finite, or the size is not positive.

    Example:
        >>> [round(number, 4) for number in affine(rotate=90, scale=0.5, translate=(0.1, 0))]
        [0.0, -0.5, 0.1, 0.5, 0.0, 0.0]
    """
    scale_x, scale_y = (scale, scale) if isinstance(scale, (int, float)) else scale
    numbers = (rotate, scale_x, scale_y, shear, *translate)
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"rotate, scale, shear and translate must be finite; got {numbers}")
    width, height = size
    if width < 1 or height < 1:
        raise ValueError(f"size must be (width, height), at least 1 each; got {size}")
    first, second = math.radians(rotate + shear), math.radians(rotate - shear)
    # Coordinates count between the centres of the first and the last pixel. A side of one pixel
    # has no length; then angles cannot hold in pixels.
    long = max(height - 1, 1) / max(width - 1, 1) if min(size) > 1 else 1.0
    x, y = translate
    return (
        scale_x * math.cos(first),
        -scale_y * math.sin(second) * long,
        x,
        scale_x * math.sin(first) / long,
        scale_y * math.cos(second),
        y,
    )


def six_numbers(theta: Sequence[float] | Sequence[Sequence[float]]) -> Theta:
    """Return theta as six numbers, from those or from two rows of three.

    Raises:
        ValueError: it is neither.
    """
    flat: list[float] = []
    for part in theta:
        flat += [float(part)] if isinstance(part, (int, float)) else [float(n) for n in part]
    if len(flat) != 6 or not all(map(math.isfinite, flat)):
        raise ValueError(f"theta must be six finite numbers, or two rows of three; got {theta!r}")
    a, b, c, d, e, f = flat
    return a, b, c, d, e, f
