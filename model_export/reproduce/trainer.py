"""One training of one cell, in steps that TensorFlow compiles into one graph."""

import keras
import numpy as np
import tensorflow as tf

from model_export.learner import Learner
from model_export.reproduce.augmentation import augment
from model_export.reproduce.experiments import Experiment
from model_export.reproduce.networks import Network
from model_export.reproduce.recipe import Recipe

# Seeds for one step: of maps, of clutter, of what is distorted besides; each uses a few more.
_SEEDS_PER_STEP = 100


class Trainer:
    """A network that learns an experiment, epoch by epoch.

    Args:
        experiment: what it learns to read.
        network: what learns.
        recipe: how.
        seed: of weights, order, distortion and dropout.
        images: uint8 `(num, 28, 28)`, the training digits without those for validation.
        labels: `(num,)`.
    """

    def __init__(
        self,
        experiment: Experiment,
        network: Network,
        recipe: Recipe,
        seed: int,
        images: np.ndarray,
        labels: np.ndarray,
    ) -> None:
        keras.utils.set_random_seed(seed)
        model = network.build(experiment.canvas, recipe.dropout)
        self._experiment, self._recipe, self._seed = experiment, recipe, seed
        self._num_digits = len(labels)
        self.steps_per_epoch = self._num_digits // recipe.batch_size
        steps = recipe.epochs * self.steps_per_epoch
        self.learner = Learner(model, recipe, steps, recipe.cycles)
        self._images = tf.constant(images, tf.float32) / 255
        self._labels = tf.one_hot(labels, 10)
        self._step = tf.function(self._train_step, autograph=False)

    def train_epoch(self, epoch: int) -> float:
        """Pass over the digits once, in an order of the epoch's own, and return the mean loss."""
        order = np.random.default_rng([self._seed, epoch]).permutation(self._num_digits)
        size = self._recipe.batch_size
        losses = []
        for index in range(self.steps_per_epoch):
            batch = tf.constant(order[index * size : (index + 1) * size], tf.int32)
            number = tf.constant((epoch - 1) * self.steps_per_epoch + index, tf.int32)
            losses.append(self._step(batch, number))
        return float(tf.reduce_mean(losses))

    def _pictures(self, batch: tf.Tensor, step_number: tf.Tensor) -> tf.Tensor:
        seed = tf.stack([self._seed, step_number * _SEEDS_PER_STEP])
        maps = self._experiment.maps(self._recipe.batch_size, seed)
        maps = augment(maps, self._recipe, seed + [0, 40])
        digits = tf.gather(self._images, batch)
        clutter_seed = seed + [0, 60]
        pictures = self._experiment.render(digits, maps, self._images, clutter_seed, training=True)
        return pictures[..., tf.newaxis]

    def _train_step(self, batch: tf.Tensor, step_number: tf.Tensor) -> tf.Tensor:
        pictures = self._pictures(batch, step_number)
        smoothing = self._recipe.smoothing
        targets = (1 - smoothing) * tf.gather(self._labels, batch) + smoothing / 10
        with tf.GradientTape() as tape:
            logits = self.learner.model(pictures, training=True)["logits"]
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        self.learner.descend(loss, tape, step_number)
        return loss
