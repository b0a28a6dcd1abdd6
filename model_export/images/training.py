"""Training on pictures: resumable, stopped when validation gets no better, the best epoch kept."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from model_export.images.augment import move_at_random
from model_export.images.batches import all_batches, num_steps, training_batches
from model_export.images.config import ImageConfig
from model_export.images.network import build
from model_export.images.prepare import Prepared
from model_export.images.split import TRAIN, VALIDATION
from model_export.learner import Course, Learner, Row
from model_export.predictors import WEIGHTS
from model_export.train import Watcher

STATE, CONFIG, METRICS = "state.npz", "config.json", "metrics.json"
KIND = "pictures"


def train_on_pictures(
    prepared: Prepared, config: ImageConfig, watcher: Watcher | None = None
) -> list[Row]:
    """Train in the run folder of the pictures, from where it was left.

    The folder keeps `config.json`, `state.npz` and `metrics.json`, written after each epoch, and
    `model.keras`: the averaged weights of the epoch with the lowest validation loss.

    Returns:
        The history, a row for each epoch.

    Raises:
        ValueError: the folder holds a training with other settings.
    """
    training = _Training(prepared, config)
    folder, history = prepared.folder, training.course.history
    _write_json(folder / CONFIG, {"kind": KIND, **asdict(config)})
    if watcher:
        watcher.start(config.epochs, (config.epochs - len(history)) * training.steps)
    while len(history) < config.epochs and not _is_done(history, config.patience):
        with training.course.epoch() as row:
            row["loss"] = training.epoch(len(history) + 1, watcher)
            with training.learner.average.in_place():
                row |= training.validate()
                if row["validation_loss"] < _lowest(history):
                    _save_model(training.learner.model, folder)
        _write_json(folder / METRICS, {"history": history})
        if watcher:
            watcher.epoch(row)
    return history


def read_history(folder: Path) -> list[Row]:
    """Return what `train_on_pictures` returned, from the run folder."""
    metrics = json.loads((folder / METRICS).read_text())
    return list(metrics["history"])


class _Training:
    def __init__(self, prepared: Prepared, config: ImageConfig) -> None:
        self._prepared, self._config = prepared, config
        self._indices = prepared.part(TRAIN)
        self._batch_size = min(config.batch_size, len(self._indices))
        self.steps = num_steps(len(self._indices), self._batch_size)
        num_classes = len(prepared.labels)
        keras.utils.set_random_seed(config.seed)
        model = build(prepared.spec, num_classes, config.transform, config.dropout)
        self.learner = Learner(model, config, config.epochs * self.steps)
        self.course = Course(prepared.folder / STATE, self.learner, asdict(config))
        self._weights = tf.constant(
            _rarity(prepared.classes[self._indices], num_classes)
            if config.class_weights
            else np.ones(num_classes),
            tf.float32,
        )
        self._step = tf.function(self._train_step, autograph=False)
        self._forward = tf.function(self._validation_step, autograph=False)

    def epoch(self, epoch: int, watcher: Watcher | None) -> float:
        config, losses = self._config, []
        seed = (config.seed, epoch)
        batches = training_batches(
            self._prepared, self._indices, self._batch_size, config.balanced, seed
        )
        for index, (images, classes) in enumerate(batches):
            number = tf.constant((epoch - 1) * self.steps + index, tf.int32)
            losses.append(self._step(images, classes, number))
            if watcher:
                watcher.step()
        return float(tf.reduce_mean(losses))

    def validate(self) -> Row:
        losses, wrong, theta = [], [], []
        for images, classes in all_batches(self._prepared, self._prepared.part(VALIDATION)):
            outputs = self._forward(images, classes)
            losses.append(outputs["loss"].numpy())
            wrong.append(outputs["wrong"].numpy())
            theta.append(outputs["theta"].numpy())
        return {
            "validation_loss": float(np.concatenate(losses).mean()),
            "validation_error_percent": 100 * float(np.concatenate(wrong).mean()),
            "theta_spread": float(np.concatenate(theta).std(axis=0).max()),
        }

    def _train_step(self, images: tf.Tensor, classes: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        config, spec = self._config, self._prepared.spec
        seed = tf.stack([config.seed, number])
        pictures = tf.cast(images, tf.float32) / 255
        pictures = move_at_random(pictures, config.augment, spec.background / 255, seed)
        num_classes = len(self._prepared.labels)
        targets = tf.one_hot(classes, num_classes) * (1 - config.smoothing)
        targets += config.smoothing / num_classes
        with tf.GradientTape() as tape:
            logits = self.learner.model(pictures, training=True)["logits"]
            losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
            loss = tf.reduce_mean(tf.gather(self._weights, classes) * losses)
        self.learner.descend(loss, tape, number)
        return loss

    def _validation_step(self, images: tf.Tensor, classes: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = self.learner.model(tf.cast(images, tf.float32) / 255, training=False)
        logits = outputs["logits"]
        return {
            "loss": tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits),
            "wrong": tf.argmax(logits, axis=1, output_type=tf.int32) != classes,
            "theta": outputs["theta"],
        }


def _rarity(classes: np.ndarray, num_classes: int) -> np.ndarray:
    """Weights that are as large as a class is rare, one on average over the pictures."""
    counts = np.bincount(classes, minlength=num_classes)
    return len(classes) / (np.count_nonzero(counts) * np.maximum(counts, 1))


def _lowest(history: list[Row]) -> float:
    return min((row["validation_loss"] for row in history), default=math.inf)


def _is_done(history: list[Row], patience: int) -> bool:
    if not history:
        return False
    losses = [row["validation_loss"] for row in history]
    return len(losses) - 1 - losses.index(min(losses)) >= patience


def _save_model(model: keras.Model, folder: Path) -> None:
    part = folder / f".part-{WEIGHTS}"
    model.save(part)
    part.replace(folder / WEIGHTS)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    part = path.with_name(f".part-{path.name}")
    part.write_text(json.dumps(content, indent=1) + "\n")
    part.replace(path)
