"""Batches of pictures, streamed from disk while the last one is trained on."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from model_export.images.prepare import Prepared
from model_export.predictors import pictures_at_once

# Few pictures are gone through several times in an epoch, each time moved otherwise.
_LEAST_STEPS = 20


def num_steps(num_pictures: int, batch_size: int) -> int:
    """Return how many batches make an epoch."""
    return max(num_pictures // batch_size, _LEAST_STEPS)


def training_batches(
    prepared: Prepared, indices: np.ndarray, batch_size: int, balanced: bool, seed: tuple[int, int]
) -> tf.data.Dataset:
    """Return the batches of one epoch: uint8 pictures, and int32 classes.

    Args:
        prepared: the pictures.
        indices: of those to train on.
        batch_size: of every batch; at most as many as there are.
        balanced: draw each class equally often, else each picture.
        seed: of the order.
    """
    steps = num_steps(len(indices), batch_size)
    random = np.random.default_rng(seed)
    order = (_evenly if balanced else _in_turn)(
        prepared.classes[indices], steps * batch_size, random
    )
    parts = np.split(indices[order], steps)
    return _stream(prepared, lambda: iter(parts), batch_size)


def all_batches(prepared: Prepared, indices: np.ndarray) -> tf.data.Dataset:
    """Return pictures in order, the last batch shorter."""
    batch_size = pictures_at_once(prepared.spec.height, prepared.spec.width)
    parts = [indices[i : i + batch_size] for i in range(0, len(indices), batch_size)]
    return _stream(prepared, lambda: iter(parts), None)


def _in_turn(classes: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    rounds = -(-count // len(classes))
    return np.concatenate([random.permutation(len(classes)) for _ in range(rounds)])[:count]


def _evenly(classes: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    members = [np.flatnonzero(classes == number) for number in np.unique(classes)]
    drawn = random.integers(len(members), size=count)
    return np.array([random.choice(members[number]) for number in drawn])


def _stream(
    prepared: Prepared, parts: Callable[[], Iterator[np.ndarray]], batch_size: int | None
) -> tf.data.Dataset:
    def read() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for part in parts():
            yield prepared.read(part), prepared.classes[part]

    signature = (
        tf.TensorSpec([batch_size, *prepared.spec.shape], tf.uint8),
        tf.TensorSpec([batch_size], tf.int32),
    )
    return tf.data.Dataset.from_generator(read, output_signature=signature).prefetch(2)
