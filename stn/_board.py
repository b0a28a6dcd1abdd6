"""Writing for TensorBoard with TensorFlow's own ops: `tf.summary` wants TensorBoard installed."""

from typing import Any

import tensorflow as tf


class Board:
    """An event file of scalars and images.

    Args:
        log_dir: folder that TensorBoard reads.
    """

    def __init__(self, log_dir: str) -> None:
        self._writer = tf.raw_ops.SummaryWriter(shared_name="", container="")
        tf.raw_ops.CreateSummaryFileWriter(
            writer=self._writer,
            logdir=str(log_dir),
            max_queue=100,
            flush_millis=10_000,
            filename_suffix=".transformer",
        )

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Write a number."""
        tf.raw_ops.WriteScalarSummary(writer=self._writer, step=step, tag=tag, value=value)

    def images(self, tag: str, images: Any, step: int, count: int = 8) -> None:
        """Write the first of `(batch, height, width, channels)`, stretched to black and white."""
        images = tf.cast(images, tf.float32)
        if images.shape[3] not in (1, 3, 4):
            images = images[..., :1]
        low, high = tf.reduce_min(images), tf.reduce_max(images)
        shade = tf.math.divide_no_nan(images - low, high - low)
        tf.raw_ops.WriteImageSummary(
            writer=self._writer,
            step=step,
            tag=tag,
            tensor=tf.cast(255 * shade, tf.uint8),
            bad_color=tf.constant([255, 0, 0, 255], tf.uint8),
            max_images=count,
        )

    def flush(self) -> None:
        """Write to disk what is queued."""
        tf.raw_ops.FlushSummaryWriter(writer=self._writer)
