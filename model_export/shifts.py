"""Digits as people draw and photograph them: each shift away from RTS by itself, and all at once.

A shift is a test set with a fixed seed, and `ANYHOW` is what the shipped model is trained on.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from model_export.distortion import CANVAS, TEST_SEED, Family, Placement, draw_placements, place
from model_export.paper import draw_margins, draw_paper, lay_on_paper
from model_export.pen import FINE, redraw, refine

_CHUNK = 1000


@dataclass(frozen=True)
class Shift:
    """A way to draw digits.

    Attributes:
        name: in one word, for tables and cards.
        family: where they are placed.
        pen: least and greatest width of the strokes, in pixels of the 28 x 28 digit, uniform
            between; MNIST's are 3 wide on average.
        share_pen: of the digits drawn with such a pen; the rest keep their own strokes.
        share_paper: of the digits on grey paper with noise; the rest are on black.
        jitter: standard deviation of the numbers of a 2 x 2 matrix about one, which shears and
            stretches each digit besides.
        stream: number of its random numbers; no two shifts share one.
    """

    name: str
    family: Family
    stream: int
    pen: tuple[float, float] = (1.5, 6.0)
    share_pen: float = 0.0
    share_paper: float = 0.0
    jitter: float = 0.0

    def describe(self) -> str:
        """Say in one line what is drawn."""
        parts = [self.family.describe()]
        if self.jitter:
            parts.append(f"sheared and stretched by a normal deviation of {self.jitter:g}")
        if self.share_pen:
            low, high = self.pen
            parts.append(f"{_share(self.share_pen)}strokes {low:g} to {high:g} pixels wide")
        if self.share_paper:
            parts.append(
                f"{_share(self.share_paper)}on paper: ground 0 to 0.5 of white, contrast from 0.35 "
                "up, uneven light, noise up to a fifth of it, margins"
            )
        return "; ".join(parts)


def _share(share: float) -> str:
    return "" if share == 1 else f"{share:g} of them "


def _upright(name: str, low: float, high: float, at_border: bool = False) -> Family:
    return Family(name, 15.0, (low, high), kept=20.0, at_border=at_border)


SHIFTS = (
    Shift("small", _upright("small", 0.5, 0.7), stream=1),
    Shift("large", _upright("large", 1.6, 2.0), stream=2),
    Shift("thin", _upright("thin", 1.0, 1.4), stream=3, pen=(1.2, 1.8), share_pen=1.0),
    Shift("thick", _upright("thick", 1.0, 1.4), stream=4, pen=(5.0, 6.5), share_pen=1.0),
    Shift("off_centre", _upright("off centre", 0.7, 1.2, at_border=True), stream=5),
    Shift("turned", Family("turned", 60.0, (0.7, 1.2), kept=28.0, min_degrees=45.0), stream=6),
    Shift("paper", _upright("on paper", 1.0, 1.4), stream=7, share_paper=1.0),
)
ALL_AT_ONCE = Shift(
    "all_at_once",
    Family("all at once", 60.0, (0.5, 2.0), kept=20.0),
    stream=8,
    pen=(1.5, 6.0),
    share_pen=1.0,
    share_paper=1.0,
)
# A little beyond what it is tested on, and half of it on black with the strokes as they were.
ANYHOW = Shift(
    "anyhow",
    Family("anyhow", 65.0, (0.45, 2.05), kept=19.0),
    stream=0,
    pen=(1.2, 6.5),
    share_pen=0.7,
    share_paper=0.6,
    jitter=0.08,
)


def draw_shifted(digits: tf.Tensor, shift: Shift, seed: tf.Tensor) -> tuple[tf.Tensor, Placement]:
    """Draw digits as a shift says.

    They are drawn at twice the size and averaged, so that small ones lose no strokes.

    Args:
        digits: float32 `(batch, 28, 28)` in [0, 1].
        shift: how.
        seed: int32 `(2,)`; the same one draws the same pictures. The five numbers after its second
            are used as well.

    Returns:
        float32 `(batch, 42, 42)` in [0, 1], and where each digit lies.
    """
    count = digits.shape[0]
    placement = draw_placements(shift.family, count, seed)
    pen, on_paper, width = tf.unstack(tf.random.stateless_uniform([3, count], seed + [0, 1]))
    fine = refine(digits)
    if shift.share_pen:
        low, high = shift.pen
        drawn = redraw(fine, FINE * (low + (high - low) * width))
        fine = _choose(pen < shift.share_pen, drawn, fine)
    doubled = Placement(
        placement.radians, placement.scale, 2 * placement.x + 0.5, 2 * placement.y + 0.5
    )
    jitter = None
    if shift.jitter:
        jitter = tf.eye(2) + shift.jitter * tf.random.stateless_normal([count, 2, 2], seed + [0, 5])
    twice = place(fine, doubled, 2 * CANVAS, jitter)
    pictures = tf.nn.avg_pool2d(twice[..., tf.newaxis], 2, 2, "VALID")[..., 0]
    if shift.share_paper:
        laid = lay_on_paper(pictures, draw_paper(count, seed + [0, 2]), seed + [0, 3])
        laid *= draw_margins(pictures, seed + [0, 4])
        pictures = _choose(on_paper < shift.share_paper, laid, pictures)
    return pictures, placement


def shifted_set(
    digits: np.ndarray, shift: Shift, seed: int = TEST_SEED
) -> tuple[np.ndarray, Placement]:
    """Draw each digit once, always the same way.

    Args:
        digits: uint8 `(num, 28, 28)`.
        shift: how.
        seed: of the published test sets.

    Returns:
        uint8 `(num, 42, 42)`, rounded so that the very same pictures can be sent as PNG, and the
        placements.
    """
    drawn = list(_chunks(digits, shift, seed))
    pictures = np.concatenate([np.rint(255 * part.numpy()).astype(np.uint8) for part, _ in drawn])
    parts = zip(*(placement for _, placement in drawn), strict=True)
    return pictures, Placement(*(tf.concat(values, axis=0) for values in parts))


def _chunks(digits: np.ndarray, shift: Shift, seed: int) -> Iterator[tuple[tf.Tensor, Placement]]:
    for number, start in enumerate(range(0, len(digits), _CHUNK)):
        part = tf.cast(digits[start : start + _CHUNK], tf.float32) / 255
        yield draw_shifted(part, shift, tf.constant([seed + shift.stream, 10 * number]))


def _choose(chosen: tf.Tensor, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    return tf.where(chosen[:, tf.newaxis, tf.newaxis], one, other)
