"""What size, colour and ground suit a set of pictures, from a look at some of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model_export.images.reading import (
    PictureSpec,
    UnreadablePictureError,
    fitted_size,
    is_transparent,
    read_picture,
    read_size,
)

SIZES = (28, 32, 48, 64, 96, 128)
_NUM_LOOKED_AT = 300
_ON_BLACK, _ON_WHITE = (PictureSpec(32, 32, 3, background) for background in (0, 255))


def choose_spec(
    paths: Sequence[Path],
    size: int | None = None,
    channels: int | None = None,
    polarity: str | None = None,
) -> PictureSpec:
    """Return what the network shall take; what is given stays as it is.

    The side is the largest of a few that the median picture's shorter side fills, at most 128. The
    channels are three when any picture looked at has colour. The ground is light when most of the
    pictures' borders are; a transparent picture counts for the ground that shows more of it.

    Args:
        paths: of all pictures; some, evenly spread, are looked at.
        size: of the square input, in pixels.
        channels: 1 or 3.
        polarity: `light_on_dark`, whose ground is black, or `dark_on_light`.
    """
    some = [paths[i] for i in np.linspace(0, len(paths) - 1, _NUM_LOOKED_AT).astype(int)]
    sides, coloured, light = [], False, []
    for path in dict.fromkeys(some):
        try:
            size_found = read_size(path)
            fitted = fitted_size(size_found, _ON_BLACK)
            on_black = on_white = _inside(read_picture(path, _ON_BLACK), fitted)
            if is_transparent(path):
                on_white = _inside(read_picture(path, _ON_WHITE), fitted)
        except UnreadablePictureError:
            continue
        sides.append(min(size_found))
        coloured = coloured or bool(np.ptp(on_black, axis=2).max() > 24)
        if _border(on_black) == _border(on_white):
            light.append(_border(on_black) > 127)
        else:
            light.append(bool(on_white.std() > on_black.std()))
    shorter = float(np.median(sides)) if sides else SIZES[0]
    side = size or max([one for one in SIZES if one <= shorter], default=SIZES[0])
    is_light = polarity == "dark_on_light" if polarity else sum(light) > len(light) / 2
    return PictureSpec(side, side, channels or (3 if coloured else 1), 255 if is_light else 0)


def _inside(probe: np.ndarray, fitted: tuple[int, int]) -> np.ndarray:
    """Return a probe without its margins, signed."""
    (width, height), side = fitted, len(probe)
    top, left = (side - height) // 2, (side - width) // 2
    return probe[top : top + height, left : left + width].astype(int)


def _border(inside: np.ndarray) -> float:
    """Return the median of the outermost pixels."""
    edges = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
    return float(np.median(np.concatenate(edges)))
