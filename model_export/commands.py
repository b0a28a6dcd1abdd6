"""What each command does. Results go to standard output, everything else to standard error."""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from rich.console import Console

from model_export.check import check_version
from model_export.config import TrainingConfig, given_settings, refuse_given
from model_export.data import load_digits
from model_export.evaluate import Evaluation, TestError
from model_export.evaluate import evaluate as evaluate_classifier
from model_export.export import export_classifier, export_subject, export_warp
from model_export.foreign.classifier import open_keras_classifier
from model_export.foreign.file import import_layers
from model_export.images.command import train_images
from model_export.images.config import ImageConfig
from model_export.images.evaluation import evaluate_images, warn_if_unfinished
from model_export.images.subjects import is_run_on_pictures, pictures_subject
from model_export.localizer_health import DeadLocalizerError, LocalizerHealth
from model_export.pictures import draw_learning_curves, draw_looks, worst_first
from model_export.predictors import (
    WEIGHTS,
    keras_predictor,
    newest_version,
    open_predictor,
    weights_path,
)
from model_export.progress import training_progress
from model_export.reproduce.command import reproduce
from model_export.serving_commands import promote, rollback, serving_config
from model_export.session_model import SessionModel
from model_export.subject import Subject
from model_export.train import CONFIG, STATE
from model_export.train import train as train_classifier
from model_export.version_folder import folder_digest, version_folder, versions

__all__ = [
    "check",
    "evaluate",
    "export",
    "promote",
    "reproduce",
    "rollback",
    "serving_config",
    "train",
]

WARP = "warp"
_NUM_MISTAKES = 24


def train(options: Namespace) -> None:
    """Train on digits or on pictures, draw what came of it, and check the localizer."""
    if options.images is not None:
        train_images(options)
        return
    on_pictures = {field.name for field in fields(ImageConfig)}
    on_digits = {field.name for field in fields(TrainingConfig)}
    refuse_given(
        options,
        ("size", "channels", "polarity", *sorted(on_pictures - on_digits)),
        "is for pictures: it needs --images",
    )
    run: Path = options.run
    if run.exists() and not _can_begin_in(run):
        raise FileExistsError(
            f"{run} is not empty, and holds no training on digits to go on with; name another"
        )
    config = TrainingConfig(**given_settings(options, TrainingConfig))
    digits = load_digits(options.data)
    with training_progress(Console(stderr=True)) as progress:
        result = train_classifier(digits, config, run, progress, options.start)
    draw_learning_curves(result.history, run / "learning_curves.png")
    evaluation = evaluate_classifier(keras_predictor(result.model), digits)
    draw_looks(evaluation.readings[0], run / "looks.png")
    _say_evaluation(evaluation)
    evaluation.health.check()


def evaluate(options: Namespace) -> None:
    """Count the errors, and say them."""
    if options.images is not None or is_run_on_pictures(options.model):
        evaluate_images(options)
        return
    refuse_given(options, ("report",), "is for pictures: it needs --images, or a run on pictures")
    with open_predictor(options.model) as predict:
        evaluation = evaluate_classifier(predict, load_digits(options.data))
    if options.json:
        _say(json.dumps(evaluation.as_dict(), indent=2))
    else:
        _say_evaluation(evaluation)
    if options.pictures is not None:
        for reading in evaluation.readings:
            name = reading.error.name
            draw_looks(reading, options.pictures / f"{name}.png")
            mistakes = worst_first(reading)[:_NUM_MISTAKES]
            draw_looks(reading, options.pictures / f"{name}_mistakes.png", mistakes)
    evaluation.health.check()


def export(options: Namespace) -> None:
    """Write the servables."""
    models: Path = options.models
    wanted = (options.only,) if options.only else ("stn", "warp")
    if options.only is None and versions(models / WARP):
        # A version of it is a version to load for every server that watches; all are the same.
        wanted = ("stn",)
    if "stn" in wanted and options.run is None and options.keras is None:
        raise ValueError(
            "--run or --keras is needed: which classifier? (--only warp needs neither)"
        )
    if options.run is not None:
        of_others = ("keras", "labels", "input_range", "output", "imports", "polarity")
        refuse_given(options, of_others, "is for a model of your own, and --run is not; leave one")
    name = _servable_name(options)
    # Before the work begins: is every number free?
    for servable in wanted:
        version_folder(models, name if servable == "stn" else WARP, options.version)
    if "stn" in wanted and (subject := _subject(options)):
        _warn_of_other_classes(models / name, subject.labels)
        folder = export_subject(subject, models, name, options.version)
        _say_export(folder)
    elif "stn" in wanted:
        weights_path(options.run)  # or none is there, which is known without digits
        digits = load_digits(options.data)
        folder, evaluation = export_classifier(options.run, digits, models, name, options.version)
        _say_evaluation(evaluation)
        _warn_if_dead(evaluation.health)
        _say_export(folder)
    if "warp" in wanted:
        _say_export(export_warp(models, options.version))


def _servable_name(options: Namespace) -> str:
    """Return what the classifier is to be called; only digits have a name of their own."""
    is_of_digits = options.keras is None and not (options.run and is_run_on_pictures(options.run))
    if options.name == WARP:
        raise ValueError(f"{WARP!r} is the transformer alone; give the classifier another --name")
    if options.name is None and not is_of_digits:
        raise ValueError("--name is needed: what is the classifier to be called?")
    return options.name or "stn"


def _warn_of_other_classes(servable: Path, labels: Sequence[str]) -> None:
    """Say so when a new version has other classes than the newest one there."""
    if not versions(servable):
        return
    folder = newest_version(servable)
    with SessionModel(folder) as model:
        described = model.run("describe").get("labels", np.empty(0)).tolist()
    before = [label.decode() for label in described]
    if before != list(labels):
        sys.stderr.write(
            f"stn-model: warning: {folder} has other classes ({_some(before)}) than this next "
            f"version ({_some(labels)}), which whoever asks for {servable.name!r} will get\n"
        )


def _some(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:5])
    return shown if len(labels) <= 5 else f"{shown} and {len(labels) - 5} more"


def check(options: Namespace) -> None:
    """Check a version folder, a line for each thing that holds."""
    for line in check_version(newest_version(options.folder)):
        _say(line)


def _can_begin_in(run: Path) -> bool:
    """Whether it is empty, or holds a run on digits, begun at least."""
    if not run.is_dir() or not any(run.iterdir()):
        return run.is_dir()
    if is_run_on_pictures(run):
        return False
    # Weights without a state are those of a run that is not to be overwritten.
    is_only_begun = (run / CONFIG).is_file() and not (run / WEIGHTS).is_file()
    return (run / STATE).is_file() or is_only_begun


def _subject(options: Namespace) -> Subject | None:
    """Return what is to be exported, or None for a run on digits."""
    if options.keras is not None:
        labels = None
        if options.labels is not None:
            labels = [
                line.strip() for line in options.labels.read_text().splitlines() if line.strip()
            ]
        import_layers(options.imports or ())
        return open_keras_classifier(
            options.keras,
            labels,
            options.input_range or "unit",
            options.polarity or "light_on_dark",
            options.output,
        )
    if not is_run_on_pictures(options.run):
        return None
    warn_if_unfinished(options.run, "the card will say nothing of its error")
    return pictures_subject(options.run)


def _say_evaluation(evaluation: Evaluation) -> None:
    for reading in evaluation.readings:
        error = reading.error
        _say(_line(error))
        seed = "" if error.seed is None else f", seed {error.seed}"
        _say(f"  {error.data_set}; distortion: {error.distortion}{seed}")
    health = evaluation.health
    (x, y), spread = health.centre_correlation, health.theta_spread
    _say(
        f"localizer: its centre follows the digit's with correlation {x:.2f} in x and {y:.2f} in "
        f"y, {health.centre_error_pixels:.1f} pixels off; its angle with "
        f"{health.angle_correlation:.2f}"
    )
    _say(f"  spread of theta: {', '.join(f'{s:.2f}' for s in spread)}")


def _line(error: TestError) -> str:
    low, high = error.interval_percent
    return (
        f"{error.name}: {error.num_wrong:,} of {error.num_images:,} wrong, "
        f"{error.percent:.2f} % (95 % interval {low:.2f} to {high:.2f} %)"
    )


def _warn_if_dead(health: LocalizerHealth) -> None:
    try:
        health.check()
    except DeadLocalizerError as error:
        sys.stderr.write(f"stn-model: warning: {error}\n")


def _say_export(folder: Path) -> None:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    _say(f"{folder}: {size / 1e6:.2f} MB, loads and answers as it should")
    _say(f"  sha256 {folder_digest(folder)}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
