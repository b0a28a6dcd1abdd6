"""How a picture of any size is laid on a classifier's input. Pure arithmetic."""

from dataclasses import dataclass
from typing import Literal, get_args

from service.geometry import Fit

FitMode = Literal["pad", "stretch", "crop"]
FIT_MODES: tuple[FitMode, ...] = get_args(FitMode)


@dataclass(frozen=True)
class Layout:
    """Which part of a picture goes where.

    Attributes:
        box: the part that is used, `(left, top, right, bottom)` in pixel edges of the picture.
        size: what that part is resized to, `(width, height)`.
        corner: where its top left pixel goes on the input, `(x, y)`.
        fit: the same as a map from the picture to the input.
    """

    box: tuple[float, float, float, float]
    size: tuple[int, int]
    corner: tuple[int, int]
    fit: Fit


def lay_out(width: int, height: int, input_width: int, input_height: int, mode: FitMode) -> Layout:
    """Plan how a picture of `width` x `height` fills the input.

    Args:
        width: of the picture, in pixels.
        height: of the picture.
        input_width: of the classifier's input.
        input_height: of the classifier's input.
        mode: `pad` uses all of the picture, keeps its aspect and leaves two margins; `stretch` uses
            all of it and all of the input; `crop` uses its middle and keeps the aspect.
    """
    left, top, used_width, used_height = 0.0, 0.0, float(width), float(height)
    size = (input_width, input_height)
    if mode == "pad":
        scale = min(input_width / width, input_height / height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
    elif mode == "crop":
        scale = max(input_width / width, input_height / height)
        # Rounding may make it a hair wider than the picture, which no decoder lets pass.
        used_width, used_height = min(width, input_width / scale), min(height, input_height / scale)
        left, top = (width - used_width) / 2, (height - used_height) / 2
    corner = ((input_width - size[0]) // 2, (input_height - size[1]) // 2)
    scale_x, scale_y = size[0] / used_width, size[1] / used_height
    return Layout(
        box=(left, top, left + used_width, top + used_height),
        size=size,
        corner=corner,
        fit=Fit(
            scale=(scale_x, scale_y),
            offset=(corner[0] - left * scale_x, corner[1] - top * scale_y),
        ),
    )
