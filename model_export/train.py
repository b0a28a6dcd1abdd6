"""Training: distortion, forward, backward and update in one compiled step."""

import csv
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from model_export.classifier import build_classifier
from model_export.data import Digits
from model_export.distortion import CANVAS, draw_mixture, fixed_set, place
from model_export.localizer_health import LocalizerHealth, measure_health

VALIDATION_SEED = 1506


@dataclass(frozen=True)
class TrainingConfig:
    """What a run is made of; it is written beside the weights.

    Attributes:
        epochs: passes over the training digits, each distorted anew.
        batch_size: images per step.
        learning_rate: peak rate; 5 % linear warm-up, then cosine to zero.
        localizer_rate: factor on that rate for the localization network. At 1.0 it is known to die.
        weight_decay: of matrices and kernels only.
        share_close: share of training digits drawn closer than RTS, as people crop them.
        num_validation: digits held out of training to draw the curves by.
        seed: of weights, order, distortion and dropout.
    """

    epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 2e-3
    localizer_rate: float = 0.3
    weight_decay: float = 0.02
    share_close: float = 0.25
    num_validation: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class TrainingResult:
    """What comes out of a run."""

    model: keras.Model
    history: list[dict[str, float]]
    health: LocalizerHealth


def train(digits: Digits, config: TrainingConfig, run_folder: Path) -> TrainingResult:
    """Train a classifier on RTS digits and leave config, metrics and weights in the run folder.

    Raises:
        ValueError: too few digits for the validation set or for one batch.
        DeadLocalizerError: the localizer ended dead; the run folder is complete all the same.
    """
    num_train = len(digits.train_labels) - config.num_validation
    if num_train < config.batch_size:
        raise ValueError(
            f"{len(digits.train_labels)} training digits less {config.num_validation} for "
            f"validation leave {num_train}, fewer than one batch of {config.batch_size}. "
            "Lower --num-validation or --batch-size."
        )
    run_folder.mkdir(parents=True, exist_ok=True)
    _write_json(run_folder / "config.json", {**asdict(config), "data": digits.name})
    keras.utils.set_random_seed(config.seed)

    order = np.random.default_rng(config.seed).permutation(len(digits.train_labels))
    held_out, used = order[: config.num_validation], order[config.num_validation :]
    validation_images, placement = fixed_set(digits.train_images[held_out], seed=VALIDATION_SEED)
    validation_labels = digits.train_labels[held_out]

    model = build_classifier((CANVAS, CANVAS, 1), num_classes=10)
    steps_per_epoch = num_train // config.batch_size
    step = _training_step(
        model, digits.train_images[used], digits.train_labels[used], config, steps_per_epoch
    )
    forward = tf.function(lambda images: model(images, training=False))

    history: list[dict[str, float]] = []
    health = None
    started = time.process_time()
    with _progress() as progress:
        task = progress.add_task("training", total=config.epochs * steps_per_epoch, figures="")
        for epoch in range(1, config.epochs + 1):
            losses = []
            for number, batch in _batches(config, epoch, num_train, steps_per_epoch):
                losses.append(step(batch, number))
                progress.advance(task)
            predictions = predict(forward, validation_images)
            wrong = predictions["logits"].argmax(axis=1) != validation_labels
            health = measure_health(predictions["theta"], placement)
            row = {
                "epoch": epoch,
                "loss": float(tf.reduce_mean(losses)),
                "validation_error_percent": 100 * float(wrong.mean()),
                "centre_correlation": min(health.centre_correlation),
                "theta_spread": min(health.theta_spread[2], health.theta_spread[5]),
                "cpu_minutes": (time.process_time() - started) / 60,
            }
            history.append(row)
            _write_metrics(run_folder, history, health)
            model.save(run_folder / "model.keras")
            progress.update(
                task,
                figures=f"loss {row['loss']:.4f}  validation error "
                f"{row['validation_error_percent']:.2f} %  theta follows the digit "
                f"{row['centre_correlation']:.2f}",
            )
    assert health is not None
    health.check()
    return TrainingResult(model, history, health)


def predict(forward: Any, images: np.ndarray, batch_size: int = 500) -> dict[str, np.ndarray]:
    """Run uint8 `(num, height, width)` through a forward function of [0, 1] images, in batches."""
    parts = []
    for start in range(0, len(images), batch_size):
        batch = tf.cast(images[start : start + batch_size, ..., np.newaxis], tf.float32) / 255
        parts.append({name: value.numpy() for name, value in forward(batch).items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _training_step(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    config: TrainingConfig,
    steps_per_epoch: int,
) -> Any:
    localization = model.get_layer("spatial_transformer").trainable_variables
    localization_paths = {variable.path for variable in localization}
    rest = [v for v in model.trainable_variables if v.path not in localization_paths]
    total_steps = config.epochs * steps_per_epoch
    # Adam ignores the scale of a gradient, so the slower localizer needs an optimizer of its own.
    localization_optimizer = _optimizer(config, config.localizer_rate, total_steps)
    rest_optimizer = _optimizer(config, 1.0, total_steps)
    localization_optimizer.build(localization)
    rest_optimizer.build(rest)
    all_images, all_labels = tf.constant(images), tf.constant(labels, tf.int32)

    @tf.function
    def step(batch: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        seed = tf.stack([config.seed, number * 10])
        digits = tf.cast(tf.gather(all_images, batch), tf.float32) / 255
        pictures = place(digits, draw_mixture(config.share_close, config.batch_size, seed))
        with tf.GradientTape() as tape:
            logits = model(pictures[..., tf.newaxis], training=True)["logits"]
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(all_labels, batch), logits)
            )
        gradients = tape.gradient(loss, [*localization, *rest])
        gradients, _ = tf.clip_by_global_norm(gradients, 1.0)
        localization_optimizer.apply(gradients[: len(localization)], localization)
        rest_optimizer.apply(gradients[len(localization) :], rest)
        return loss

    return step


def _optimizer(config: TrainingConfig, factor: float, total_steps: int) -> keras.Optimizer:
    warmup_steps = max(1, total_steps // 20)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, total_steps - warmup_steps),
        warmup_target=config.learning_rate * factor,
        warmup_steps=warmup_steps,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay, beta_2=0.99)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _batches(
    config: TrainingConfig, epoch: int, num_train: int, steps_per_epoch: int
) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    order = np.random.default_rng([config.seed, epoch]).permutation(num_train)
    for index in range(steps_per_epoch):
        batch = order[index * config.batch_size : (index + 1) * config.batch_size]
        number = (epoch - 1) * steps_per_epoch + index
        yield tf.constant(number, tf.int32), tf.constant(batch, tf.int32)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )


def _write_metrics(folder: Path, history: list[dict[str, float]], health: LocalizerHealth) -> None:
    _write_json(folder / "metrics.json", {"history": history, "localizer": health.as_dict()})
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
