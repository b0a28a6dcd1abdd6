"""A callback that watches a localizer while it trains, because a dead one leaves no trace."""

import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from stn._board import Board
from stn._shapes import image_size
from stn._warping_layer import WarpingLayer
from stn.transforms import Transform
from stn.warping import warp


class TransformerMonitor(keras.callbacks.Callback):
    """Report after each epoch how a spatial transformer looks at a fixed batch of images.

    Adds to the logs `theta_spread`, the standard deviation of theta over the batch, averaged over
    its numbers, and `valid_fraction`, the share of output pixels that lie on the image. A localizer
    that does the same to every image is dead: loss and error do not show it.

    Args:
        images: a batch of the model's input, the same after each epoch.
        layer: name of the transformer layer; the model's only one when left out.
        log_dir: where TensorBoard reads; draws the batch, before and after. None draws nothing.
        patience: epochs before a spread or a fraction that is too small is worth a warning.
        least_spread: a smaller spread is a dead localizer.
        least_valid: a smaller fraction looks mostly beside the image.

    Raises:
        ValueError: when training begins, if the model has no transformer layer or several.

    Warns:
        UserWarning: once for a dead localizer, and once for one that zooms out of the picture.

    Example:
        >>> monitor = TransformerMonitor(tf.zeros([8, 28, 28, 1]), patience=5)

    Source: the pitfalls of Jaderberg et al. (2015) in other people's hands.
    """

    def __init__(
        self,
        images: Any,
        layer: str | None = None,
        log_dir: str | None = None,
        patience: int = 3,
        least_spread: float = 1e-3,
        least_valid: float = 0.6,
    ) -> None:
        super().__init__()
        self.images = tf.convert_to_tensor(images)
        self.layer_name = layer
        self.patience = patience
        self.least_spread = least_spread
        self.least_valid = least_valid
        self._board = Board(log_dir) if log_dir else None
        self._warned: set[str] = set()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Find the layer, and what leads to it."""
        layers = [
            layer
            for layer in self.model.layers
            if isinstance(layer, WarpingLayer) and self.layer_name in (None, layer.name)
        ]
        if len(layers) != 1:
            raise ValueError(
                f"the model must have one transformer layer, or `layer` name one; got "
                f"{[layer.name for layer in layers]}"
            )
        self._layer = layers[0]
        self._input = keras.Model(self.model.inputs, self._layer.input)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the batch, write the logs, warn."""
        inputs = self._input(self.images, training=False)
        theta = self._layer.localize(inputs, training=False)
        transform: Transform = getattr(self._layer, "composed", self._layer.transform)
        # Several transformers in parallel look at each image in turn.
        inputs = tf.repeat(inputs, theta.shape[0] // inputs.shape[0], axis=0)
        size = self._layer.output_size or image_size(inputs)
        warped, mask = warp(inputs, theta, transform, size, return_mask=True)

        spread = float(np.std(theta.numpy(), axis=0).mean())
        valid = float(tf.reduce_mean(mask))
        if logs is not None:
            logs.update(theta_spread=spread, valid_fraction=valid)
        if epoch + 1 >= self.patience:
            self._judge(spread, valid)
        if self._board is not None:
            self._board.scalar("theta/spread", spread, epoch)
            self._board.scalar("theta/valid_fraction", valid, epoch)
            self._board.images("transformer/input", inputs, epoch)
            self._board.images("transformer/output", warped, epoch)
            self._board.flush()

    def _judge(self, spread: float, valid: float) -> None:
        if not spread >= self.least_spread:
            self._warn(
                "dead",
                f"the localizer does the same to every image (theta spreads by {spread:.2g}): "
                "lower its learning rate, or start again with leaky activations",
            )
        if not valid >= self.least_valid:
            self._warn(
                "away",
                f"the transformer looks beside the image ({valid:.0%} of what it sees lies on it): "
                "bound theta (bounds=True), lower its learning rate, or pad with the border",
            )

    def _warn(self, kind: str, message: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            warnings.warn(message, stacklevel=3)
