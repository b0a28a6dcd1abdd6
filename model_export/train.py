"""Training: distortion, forward, backward and update in one compiled step."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from model_export.classifier import build_classifier
from model_export.config import TrainingConfig
from model_export.data import Digits
from model_export.distortion import CANVAS, FRAME, draw_mixture, fixed_set, place
from model_export.learner import Course, Learner, Row
from model_export.localizer_health import LocalizerHealth, measure_health
from model_export.predictors import WEIGHTS, Predictor, keras_predictor
from model_export.shifts import ANYHOW, draw_shifted, shifted_set
from model_export.start import start_from

CONFIG, STATE = "config.json", "state.npz"
VALIDATION_SEED = 1506
_SEEDS_PER_STEP = 20


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
    digits: Digits,
    config: TrainingConfig,
    run_folder: Path,
    watcher: Watcher | None = None,
    start: Path | None = None,
) -> TrainingResult:
    """Train a classifier on distorted digits and leave config, metrics and weights in a run folder.

    Weights, metrics and the state to go on from are written anew after each epoch: killed at any
    moment, the same call goes on from the last whole epoch, and ends where it would have ended. The
    weights that are written are the moving average. Whether the localizer is alive is for the
    caller to check: `result.health.check()`.

    Args:
        digits: the training part is used.
        config: how.
        run_folder: new, empty, or with a training of the same settings to go on with.
        watcher: told of each step and epoch.
        start: a run or an exported classifier whose weights it starts from; chance when None.

    Raises:
        ValueError: too few digits for one batch; the folder holds a training with other settings;
            or `start` is another kind of classifier.
        FileNotFoundError: `start` holds no classifier.
    """
    num_digits = len(digits.train_labels)
    config = replace(config, num_validation=min(config.num_validation, max(1, num_digits // 5)))
    num_train = num_digits - config.num_validation
    if num_train < config.batch_size:
        raise ValueError(
            f"{num_digits} training digits less {config.num_validation} for validation leave "
            f"{num_train}, fewer than one batch of {config.batch_size}. Lower the batch size."
        )
    keras.utils.set_random_seed(config.seed)
    model = build_classifier((CANVAS, CANVAS, 1), num_classes=10)
    settings: dict[str, Any] = {**asdict(config), "data": digits.name}
    if start is not None:
        settings["started_from"] = start_from(model, start)

    order = np.random.default_rng(config.seed).permutation(num_digits)
    held_out, used = order[: config.num_validation], order[config.num_validation :]
    validation = _Validation(digits.train_images[held_out], digits.train_labels[held_out], config)
    steps_per_epoch = num_train // config.batch_size
    learner = Learner(model, config, config.epochs * steps_per_epoch)
    run_folder.mkdir(parents=True, exist_ok=True)
    course = Course(run_folder / STATE, learner, settings)
    _write_json(run_folder / CONFIG, settings)
    step = _training_step(learner, digits.train_images[used], digits.train_labels[used], config)
    predict = keras_predictor(model)

    def leave_run() -> None:
        # After the state: whoever is killed in between writes them when it goes on.
        with learner.average.in_place():
            _save_weights(model, run_folder)
        _write_metrics(run_folder, course.history, validation.health)

    if watcher:
        num_left = config.epochs - len(course.history)
        watcher.start(config.epochs, num_left * steps_per_epoch)
    for epoch in range(len(course.history) + 1, config.epochs + 1):
        with course.epoch() as row:
            losses = []
            for step_number, batch in _batches(config, epoch, num_train, steps_per_epoch):
                losses.append(step(batch, step_number))
                if watcher:
                    watcher.step()
            row["loss"] = float(tf.reduce_mean(losses))
            with learner.average.in_place():
                row |= validation.measure(predict)
        leave_run()
        if watcher:
            watcher.epoch(row)
    learner.average.settle()
    validation.measure(predict)
    leave_run()
    assert validation.health is not None
    return TrainingResult(model, course.history, validation.health)


class _Validation:
    """Digits held out, distorted once."""

    def __init__(self, digits: np.ndarray, labels: np.ndarray, config: TrainingConfig) -> None:
        self._labels = labels
        self._images, self._placement = fixed_set(digits, seed=VALIDATION_SEED)
        self._anyhow = None
        if config.recipe == "robust":
            self._anyhow, _ = shifted_set(digits, ANYHOW, seed=VALIDATION_SEED)
        self.health: LocalizerHealth | None = None

    def measure(self, predict: Predictor) -> Row:
        """Return the errors in per cent, and how well theta follows the digit."""
        outputs = predict(self._images)
        health = self.health = measure_health(outputs["theta"], self._placement)
        row = {
            "validation_error_percent": self._error_percent(outputs),
            "centre_correlation": min(health.centre_correlation),
            "theta_spread": min(health.theta_spread[2], health.theta_spread[5]),
        }
        if self._anyhow is not None:
            row["anyhow_error_percent"] = self._error_percent(predict(self._anyhow))
        return row

    def _error_percent(self, outputs: Mapping[str, np.ndarray]) -> float:
        wrong = outputs["probabilities"].argmax(axis=1) != self._labels
        return 100 * float(wrong.mean())


def _training_step(
    learner: Learner, images: np.ndarray, labels: np.ndarray, config: TrainingConfig
) -> Any:
    all_images, all_labels = tf.constant(images), tf.constant(labels, tf.int32)

    @tf.function
    def step(batch: tf.Tensor, step_number: tf.Tensor) -> tf.Tensor:
        seed = tf.stack([config.seed, step_number * _SEEDS_PER_STEP])
        digits = tf.cast(tf.gather(all_images, batch), tf.float32) / 255
        pictures = _draw(digits, config, seed)
        with tf.GradientTape() as tape:
            logits = learner.model(pictures[..., tf.newaxis], training=True)["logits"]
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(all_labels, batch), logits)
            )
        learner.descend(loss, tape, step_number)
        return loss

    return step


def _draw(digits: tf.Tensor, config: TrainingConfig, seed: tf.Tensor) -> tf.Tensor:
    """Draw a batch of digits as the recipe says."""
    num_anyhow = 0
    if config.recipe == "robust":
        num_anyhow = round(config.share_anyhow * config.batch_size)
    num_usual = config.batch_size - num_anyhow
    digits = tf.ensure_shape(digits, [config.batch_size, FRAME, FRAME])
    usual = place(digits[:num_usual], draw_mixture(config.share_close, num_usual, seed))
    if not num_anyhow:
        return usual
    anyhow, _ = draw_shifted(digits[num_usual:], ANYHOW, seed + [0, 10])
    return tf.concat([usual, anyhow], axis=0)


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


def _write_metrics(folder: Path, history: list[Row], health: LocalizerHealth | None) -> None:
    localizer = None if health is None else health.as_dict()
    _write_json(folder / "metrics.json", {"history": history, "localizer": localizer})
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
