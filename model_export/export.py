"""From a run folder to servables: written, verified, and only then given their name."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from model_export.batching import write_batching_params
from model_export.card import classifier_card, warp_card
from model_export.check import check_version
from model_export.data import Digits
from model_export.evaluate import Evaluation, evaluate
from model_export.golden import record_golden
from model_export.predictors import keras_predictor, load_weights
from model_export.saved_models import save_classifier, save_warp
from model_export.subject import Subject, subject_card
from model_export.undo import PromotionError
from model_export.verify import ExportRefusedError, verify_classifier
from model_export.version_folder import version_folder, written_whole
from model_export.warmup import classifier_requests, warp_requests, write_warmup

LABELS = [str(digit) for digit in range(10)]


def export_classifier(
    run_folder: Path,
    digits: Digits,
    models: Path,
    name: str = "stn",
    version: int | None = None,
) -> tuple[Path, Evaluation]:
    """Export the classifier of a run folder, with a card that has its test errors.

    Args:
        run_folder: what `train` left.
        digits: the test part is what the card's errors are measured on.
        models: the folder of all servables.
        name: of the servable.
        version: its number; the next one when None.

    Returns:
        The version folder, and what the card says of the errors.

    Raises:
        FileNotFoundError, ValueError: the run folder does not hold a classifier.
        FileExistsError: the version is there already.
        ExportRefusedError: what was written does not answer as the model does, or `check_version`
            refuses it.
    """
    target = version_folder(models, name, version)
    model = load_weights(run_folder)
    training = _read_config(run_folder)
    _refuse_diverged(model, f"the run in {run_folder}")
    with written_whole(target) as folder:
        evaluation = evaluate(keras_predictor(model), digits)
        output_size = evaluation.readings[0].outputs["warped"].shape[1:3]
        card = classifier_card(name, model, output_size, evaluation, training)
        save_classifier(model, LABELS, card, folder)
        write_warmup(folder, classifier_requests(name))
        write_batching_params(folder)
        verify_classifier(folder, model)
        record_golden(folder)
        _refuse_what_check_refuses(folder)
    return target, evaluation


def export_subject(
    subject: Subject, models: Path, name: str = "stn", version: int | None = None
) -> Path:
    """Export any classifier; returns the version folder.

    Args:
        subject: the classifier, its labels, and what its card says.
        models: the folder of all servables.
        name: of the servable.
        version: its number; the next one when None.

    Raises:
        FileExistsError: the version is there already.
        ExportRefusedError: what was written does not answer as the model does, or `check_version`
            refuses it.
    """
    target = version_folder(models, name, version)
    _refuse_diverged(subject.model, "the model")
    with written_whole(target) as folder:
        outputs = keras_predictor(subject.model)(subject.samples)
        save_classifier(
            subject.model, list(subject.labels), subject_card(name, subject, outputs), folder
        )
        write_warmup(folder, classifier_requests(name, subject.samples))
        write_batching_params(folder)
        verify_classifier(folder, subject.model, subject.samples, subject.own_probabilities)
        record_golden(folder)
        _refuse_what_check_refuses(folder)
    return target


def export_warp(models: Path, version: int | None = None) -> Path:
    """Export the spatial transformer alone; returns the version folder.

    Args:
        models: the folder of all servables.
        version: its number; the next one when None.

    Raises:
        FileExistsError: the version is there already.
        ExportRefusedError: `check_version` refuses what was written.
    """
    target = version_folder(models, "warp", version)
    with written_whole(target) as folder:
        save_warp(warp_card(), folder)
        write_warmup(folder, warp_requests())
        record_golden(folder)
        _refuse_what_check_refuses(folder)
    return target


def _refuse_diverged(model: Any, what: str) -> None:
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise ExportRefusedError(
            f"the weights of {what} are not all finite: the training diverged. Train again with a "
            "lower --learning-rate."
        )


def _refuse_what_check_refuses(folder: Path) -> None:
    try:
        for _ in check_version(folder):
            pass
    except PromotionError as error:
        raise ExportRefusedError(f"the export breaks the contract: {error}") from error


def _read_config(run_folder: Path) -> dict[str, Any]:
    """Return the settings of a run and the name of its data; none when only weights are there."""
    path = run_folder / "config.json"
    return dict(json.loads(path.read_text())) if path.is_file() else {}
