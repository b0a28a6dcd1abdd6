"""What spatial transformers look at while a model runs, however deep inside it they are.

To follow the model's graph instead would need one: submodels and layers written as classes hide
theirs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from model_export.foreign.faults import refusing_faults
from model_export.layer_calls import Call, replaced_calls
from stn import SpatialTransformer

# Of the way from black to white. In half precision an image is held no better than that.
_ROUNDING = 0.01

Run = Callable[[tf.Tensor], "list[Look]"]


@dataclass(frozen=True)
class Look:
    """One call of a spatial transformer.

    Attributes:
        layer: the transformer.
        images: what it was given, `(batch, height, width, channels)`.
        theta: where it looked, `(batch, num_parameters)`.
        warped: what it saw there, `(batch, *output_size, channels)`.
    """

    layer: SpatialTransformer
    images: Any
    theta: Any
    warped: Any


@contextmanager
def noted_looks(transformers: Sequence[SpatialTransformer]) -> Iterator[list[Look]]:
    """Note each call of some layers, in the order in which they come."""
    looks: list[Look] = []

    def noting(layer: SpatialTransformer) -> Call:
        call = layer.call

        def noted(images: Any, training: bool | None = None) -> Any:
            outputs = call(images, training=training)
            warped = outputs[0] if isinstance(outputs, tuple) else outputs
            # Worked out twice in the graph, which TensorFlow's optimizer makes once again.
            theta = outputs[1] if layer.return_theta else layer.localize(images, training=training)
            looks.append(Look(layer, images, theta, warped))
            return outputs

        return noted

    with replaced_calls(transformers, noting):
        yield looks


@dataclass(frozen=True)
class ImageLook:
    """Which of a model's looks is at the image, and what was done to the image before.

    Attributes:
        number: of the look, in the order of calls.
        layer: the transformer.
        scale: of each channel: the transformer is given `scale * image + offset`.
        offset: of each channel.
    """

    number: int
    layer: SpatialTransformer
    scale: np.ndarray
    offset: np.ndarray

    def picture(self, warped: tf.Tensor) -> tf.Tensor:
        """Return what was seen as a float32 picture in [0, 1] again."""
        seen = (tf.cast(warped, tf.float32) - self.offset) / self.scale
        # Bicubic interpolation and fill values may lie outside.
        return tf.clip_by_value(seen, 0.0, 1.0)


def find_image_look(run: Run, shape: tuple[int, ...]) -> ImageLook:
    """Find the first look at the image itself, or at one with channels scaled and shifted.

    What lies between is asked and not read: black, white and noise go in, and must arrive.

    Args:
        run: calls the model on float32 images in [0, 1], and returns its looks.
        shape: `(height, width, channels)` of the images.

    Raises:
        ValueError: there is none.
    """
    noise = np.random.default_rng(0).integers(0, 256, (2, *shape)) / 255
    images = np.stack([np.zeros(shape), np.ones(shape), *noise]).astype(np.float32)
    with refusing_faults(f"the model fails on {len(images)} images at once"):
        looks = run(tf.constant(images))
    for number, look in enumerate(looks):
        if _is_hidden(look, len(images)) or look.images.shape != images.shape:
            continue
        given = tf.cast(look.images, tf.float32).numpy()
        offset = given[0, 0, 0]
        scale = given[1, 0, 0] - offset
        off = np.abs(given - (scale * images + offset)).max(axis=(0, 1, 2))
        if (off < _ROUNDING * np.abs(scale)).all():
            return ImageLook(number, look.layer, scale, offset)
    warped = [_what_it_warps(look, len(images)) for look in looks]
    raise ValueError(
        "no stn.SpatialTransformer of the model warps its image, so that there is no picture of "
        f"what it saw: {'; '.join(warped) or 'none is called'}. Between image "
        "and transformer there may only be layers that scale and shift each channel, such as "
        "Rescaling and Normalization"
    )


def _is_hidden(look: Look, num_images: int) -> bool:
    """Whether it was traced and not made, or made of a part: within another layer's graph, loop."""
    return bool(tf.is_symbolic_tensor(look.images)) or len(look.images) != num_images


def _what_it_warps(look: Look, num_images: int) -> str:
    if _is_hidden(look, num_images):
        return f"{look.layer.name!r} is called in a loop or a graph within another layer"
    height, width, channels = look.images.shape[1:]
    return f"{look.layer.name!r} warps {channels} feature maps of {height} x {width}"
