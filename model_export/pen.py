"""How thick a pen drew a digit: strokes made thinner and thicker, whatever they were."""

import tensorflow as tf

# Digits are drawn this many times finer first: a step of one pixel would be too coarse.
FINE = 2
_THINNER, _THICKER = 2, 4


def refine(digits: tf.Tensor) -> tf.Tensor:
    """Enlarge float32 `(batch, 28, 28)` twice, bilinear, between the centres of its pixels."""
    side = digits.shape[1] * FINE
    return tf.image.resize(digits[..., tf.newaxis], (side, side))[..., 0]


def dilate(digits: tf.Tensor) -> tf.Tensor:
    """Give each pixel the most that it, or one of the four beside it, has; zero lies outside."""
    side = digits.shape[1]
    padded = tf.pad(digits, [[0, 0], [1, 1], [1, 1]])
    result = digits
    for row, column in ((0, 1), (2, 1), (1, 0), (1, 2)):
        result = tf.maximum(result, padded[:, row : row + side, column : column + side])
    return result


def erode(digits: tf.Tensor) -> tf.Tensor:
    """Give each pixel the least that it, or one of the four beside it, has; one lies outside."""
    return 1 - dilate(1 - digits)


def stroke_width(digits: tf.Tensor) -> tf.Tensor:
    """Estimate how wide the strokes of digits are.

    One erosion takes a pixel off each side of a stroke, so the share of the ink that it takes is as
    large as the stroke is narrow.

    Args:
        digits: float32 `(batch, height, width)` in [0, 1].

    Returns:
        float32 `(batch,)`, in pixels of the digits; no less than 2.
    """
    ink = tf.reduce_sum(digits, axis=(1, 2))
    left = tf.reduce_sum(erode(digits), axis=(1, 2))
    return 2 * ink / tf.maximum(ink - left, 1e-6)


def redraw(digits: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Draw digits with strokes of another width, as far as two erosions and four dilations go.

    Args:
        digits: float32 `(batch, side, side)` in [0, 1], as `refine` gives them.
        width: `(batch,)`, wanted of the strokes, in pixels of the digits.

    Returns:
        float32 `(batch, side, side)` in [0, 1]; between whole steps the two beside it are mixed.
    """
    steps = [digits]
    for _ in range(_THINNER):
        steps.insert(0, erode(steps[0]))
    for _ in range(_THICKER):
        steps.append(dilate(steps[-1]))
    # A step adds a pixel to both sides of a stroke.
    wanted = (width - stroke_width(digits)) / 2 + _THINNER
    wanted = tf.clip_by_value(wanted, 0.0, float(len(steps) - 1))
    shares = tf.nn.relu(1 - tf.abs(wanted[:, tf.newaxis] - tf.range(len(steps), dtype=tf.float32)))
    return tf.add_n([shares[:, k, tf.newaxis, tf.newaxis] * step for k, step in enumerate(steps)])
