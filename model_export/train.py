"""Training: distortion, forward, backward and update in one compiled step."""

import csv
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from model_export.classifier import build_classifier
from model_export.config import TrainingConfig
from model_export.data import Digits
from model_export.distortion import CANVAS, draw_mixture, fixed_set, place
from model_export.localizer_health import LocalizerHealth, measure_health
from model_export.pacing import PacedOptimizer
from model_export.predictors import WEIGHTS, Predictor, keras_predictor

VALIDATION_SEED = 1506

Row = dict[str, float]


class Watcher(Protocol):
    """Who is told how a training goes."""

    def start(self, num_epochs: int, num_steps: int) -> None:
        """Training begins; so many epochs, and so many steps in all."""

    def step(self) -> None:
        """One batch is done."""

    def epoch(self, row: Row) -> None:
        """One epoch is done; `row` has its figures."""


@dataclass(frozen=True)
class TrainingResult:
    """What comes out of a run."""

    model: keras.Model
    history: list[Row]
    health: LocalizerHealth


def train(
    digits: Digits, config: TrainingConfig, run_folder: Path, watcher: Watcher | None = None
) -> TrainingResult:
    """Train a classifier on RTS digits and leave config, metrics and weights in the run folder.

    Weights and metrics are written anew after each epoch. Whether the localizer is alive is for the
    caller to check: `result.health.check()`.

    Raises:
        ValueError: too few digits for one batch.
    """
    num_digits = len(digits.train_labels)
    config = replace(config, num_validation=min(config.num_validation, max(1, num_digits // 5)))
    num_train = num_digits - config.num_validation
    if num_train < config.batch_size:
        raise ValueError(
            f"{num_digits} training digits less {config.num_validation} for validation leave "
            f"{num_train}, fewer than one batch of {config.batch_size}. Lower the batch size."
        )
    run_folder.mkdir(parents=True, exist_ok=True)
    _write_json(run_folder / "config.json", {**asdict(config), "data": digits.name})
    keras.utils.set_random_seed(config.seed)

    order = np.random.default_rng(config.seed).permutation(num_digits)
    held_out, used = order[: config.num_validation], order[config.num_validation :]
    validation = _Validation(digits.train_images[held_out], digits.train_labels[held_out])

    model = build_classifier((CANVAS, CANVAS, 1), num_classes=10)
    predict = keras_predictor(model)
    steps_per_epoch = num_train // config.batch_size
    step = _training_step(
        model, digits.train_images[used], digits.train_labels[used], config, steps_per_epoch
    )

    history: list[Row] = []
    health = None
    started = time.process_time()
    if watcher:
        watcher.start(config.epochs, config.epochs * steps_per_epoch)
    for epoch in range(1, config.epochs + 1):
        losses = []
        for step_number, batch in _batches(config, epoch, num_train, steps_per_epoch):
            losses.append(step(batch, step_number))
            if watcher:
                watcher.step()
        error_percent, health = validation.measure(predict)
        row = {
            "epoch": epoch,
            "loss": float(tf.reduce_mean(losses)),
            "validation_error_percent": error_percent,
            "centre_correlation": min(health.centre_correlation),
            "theta_spread": min(health.theta_spread[2], health.theta_spread[5]),
            "cpu_minutes": (time.process_time() - started) / 60,
        }
        history.append(row)
        _write_metrics(run_folder, history, health)
        _save_weights(model, run_folder)
        if watcher:
            watcher.epoch(row)
    assert health is not None
    return TrainingResult(model, history, health)


class _Validation:
    """Digits held out, distorted once."""

    def __init__(self, digits: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.placement = fixed_set(digits, seed=VALIDATION_SEED)
        self.labels = labels

    def measure(self, predict: Predictor) -> tuple[float, LocalizerHealth]:
        """Return the error in per cent, and how the localizer is."""
        outputs = predict(self.images)
        wrong = outputs["probabilities"].argmax(axis=1) != self.labels
        return 100 * float(wrong.mean()), measure_health(outputs["theta"], self.placement)


def _training_step(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    config: TrainingConfig,
    steps_per_epoch: int,
) -> Any:
    optimizer = PacedOptimizer(
        model,
        config.learning_rate,
        config.localizer_rate,
        config.weight_decay,
        config.epochs * steps_per_epoch,
    )
    all_images, all_labels = tf.constant(images), tf.constant(labels, tf.int32)

    @tf.function
    def step(batch: tf.Tensor, step_number: tf.Tensor) -> tf.Tensor:
        seed = tf.stack([config.seed, step_number * 10])
        digits = tf.cast(tf.gather(all_images, batch), tf.float32) / 255
        pictures = place(digits, draw_mixture(config.share_close, config.batch_size, seed))
        with tf.GradientTape() as tape:
            logits = model(pictures[..., tf.newaxis], training=True)["logits"]
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(all_labels, batch), logits)
            )
        optimizer.minimize(loss, tape)
        return loss

    return step


def _batches(
    config: TrainingConfig, epoch: int, num_train: int, steps_per_epoch: int
) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """Give the number of each step of an epoch, and the digits `(batch,)` that it is made of."""
    order = np.random.default_rng([config.seed, epoch]).permutation(num_train)
    for index in range(steps_per_epoch):
        batch = order[index * config.batch_size : (index + 1) * config.batch_size]
        step_number = (epoch - 1) * steps_per_epoch + index
        yield tf.constant(step_number, tf.int32), tf.constant(batch, tf.int32)


def _save_weights(model: keras.Model, folder: Path) -> None:
    # Written beside and renamed: whoever reads while training goes on finds whole weights.
    part = folder / f".part-{WEIGHTS}"
    model.save(part)
    part.rename(folder / WEIGHTS)


def _write_metrics(folder: Path, history: list[Row], health: LocalizerHealth) -> None:
    _write_json(folder / "metrics.json", {"history": history, "localizer": health.as_dict()})
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
