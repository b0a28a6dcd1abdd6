"""Distorted digits, after the paper's experiments, made inside the graph from a seed.

A placement is where a digit's 28 x 28 frame lands on the canvas: an angle, a scale and a centre.
Angles turn clockwise on the screen, as x grows to the right and y downwards.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

FRAME = 28
CANVAS = 42
TEST_SEED = 20150605


@dataclass(frozen=True)
class Family:
    """A distribution of placements.

    Attributes:
        name: what it is called in tables and cards.
        max_degrees: rotation is uniform in plus or minus this.
        scale: lowest and highest scale, uniform between.
        kept: side, in pixels of the digit's frame, of the centred square that always stays on the
            canvas (before rotation). MNIST draws within 20 x 20 of its 28 x 28.
        min_degrees: no rotation is less than this, in either direction.
        at_border: whether that square always touches the border of the canvas.
    """

    name: str
    max_degrees: float
    scale: tuple[float, float]
    kept: float
    min_degrees: float = 0.0
    at_border: bool = False

    def describe(self) -> str:
        """Say in one line what is drawn."""
        low, high = self.scale
        degrees = f"-{self.max_degrees:g} to {self.max_degrees:g} degrees"
        if self.min_degrees:
            degrees = f"{self.min_degrees:g} to {self.max_degrees:g} degrees either way"
        place = "touching the border of" if self.at_border else "placed at random on"
        return (
            f"{self.name}: rotation {degrees}, scale "
            f"{low:g} to {high:g}, {place} {CANVAS} x {CANVAS}; all uniform"
        )


# Rotation, translation and scale as in the paper, section 4.1 and appendix A.4.
RTS = Family("RTS", max_degrees=45.0, scale=(0.7, 1.2), kept=28.0)
# What people send is cropped closer than that: a 28 x 28 digit fitted to the canvas has scale 1.5.
CLOSE = Family("CLOSE", max_degrees=45.0, scale=(0.6, 1.8), kept=20.0)


class Placement(NamedTuple):
    """Where each digit of a batch lies; all tensors `(batch,)`.

    Attributes:
        radians: clockwise rotation.
        scale: pixels of the canvas per pixel of the digit.
        x: column of the digit's centre on the canvas.
        y: row of the digit's centre on the canvas.
    """

    radians: tf.Tensor
    scale: tf.Tensor
    x: tf.Tensor
    y: tf.Tensor


def draw_placements(family: Family, count: int, seed: tf.Tensor) -> Placement:
    """Draw placements; the same seed, int32 `(2,)`, gives the same ones."""
    uniform = tf.random.stateless_uniform([4, count], seed)
    turn = uniform[0] * 2 - 1
    least, most = math.radians(family.min_degrees), math.radians(family.max_degrees)
    radians = turn * (most - least) + tf.sign(turn) * least
    low, high = family.scale
    scale = low + (high - low) * uniform[1]
    half = family.kept / 2 * scale
    # The outer edges of the canvas lie half a pixel outside the centres of its border pixels.
    span = CANVAS - 2 * half
    across, down = uniform[2], uniform[3]
    if family.at_border:
        # From the middle outwards, to where one of the two is 0 or 1.
        reach = 2 * tf.maximum(tf.abs(across - 0.5), tf.abs(down - 0.5))
        across, down = ((share - 0.5) / reach + 0.5 for share in (across, down))
    return Placement(radians, scale, half - 0.5 + span * across, half - 0.5 + span * down)


def draw_mixture(share_close: float, count: int, seed: tf.Tensor) -> Placement:
    """Draw RTS placements, with a share of `CLOSE` ones among them."""
    usual = draw_placements(RTS, count, seed)
    close = draw_placements(CLOSE, count, seed + [0, 1])
    chosen = tf.random.stateless_uniform([count], seed + [0, 2]) < share_close
    return Placement(*(tf.where(chosen, c, u) for u, c in zip(usual, close, strict=True)))


def place(
    digits: tf.Tensor,
    placement: Placement,
    canvas: int = CANVAS,
    jitter: tf.Tensor | None = None,
) -> tf.Tensor:
    """Draw digits on black canvases.

    Args:
        digits: float32 `(batch, side, side)`, 28 a side unless they are drawn finer.
        placement: where each one goes.
        canvas: a side of the canvas, in pixels.
        jitter: `(batch, 2, 2)`, near the identity: what each digit is sheared and stretched by, as
            a map from what is drawn to the digit.

    Returns:
        float32 `(batch, canvas, canvas)`, bilinear, zero around the digit.
    """
    cosine = tf.cos(placement.radians) / placement.scale
    sine = tf.sin(placement.radians) / placement.scale
    # The op wants the map from canvas to digit, in pixels: the inverse of the placement.
    a, b, c, d = cosine, sine, -sine, cosine
    if jitter is not None:
        inverse = tf.stack([tf.stack([a, b], axis=1), tf.stack([c, d], axis=1)], axis=1)
        (a, b), (c, d) = (tf.unstack(row, axis=1) for row in tf.unstack(jitter @ inverse, axis=1))
    middle = (digits.shape[1] - 1) / 2
    zero = tf.zeros_like(sine)
    x, y = placement.x, placement.y
    canvas_to_digit = tf.stack(
        [a, b, middle - a * x - b * y, c, d, middle - c * x - d * y, zero, zero], axis=1
    )
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=digits[..., tf.newaxis],
        transforms=canvas_to_digit,
        output_shape=[canvas, canvas],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )[..., 0]


def fixed_set(
    digits: np.ndarray, family: Family = RTS, seed: int = TEST_SEED
) -> tuple[np.ndarray, Placement]:
    """Distort each digit once, always the same way.

    Args:
        digits: uint8 `(num, 28, 28)`.
        family: the distribution of placements.
        seed: 20150605 makes the test set that all published figures are about.

    Returns:
        uint8 `(num, 42, 42)`, rounded so that the very same pictures can be sent as PNG, and the
        placements.
    """
    placement = draw_placements(family, len(digits), tf.constant([seed, 0]))
    pictures = []
    for start in range(0, len(digits), 1000):
        part = slice(start, start + 1000)
        chunk = Placement(*(values[part] for values in placement))
        pictures.append(tf.round(place(tf.cast(digits[part], tf.float32), chunk)))
    return tf.cast(tf.concat(pictures, axis=0), tf.uint8).numpy(), placement
