"""What a run on pictures is exported as, and how a classifier of pictures is asked again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model_export.images.prepare import INDEX, open_prepared
from model_export.images.reading import PictureSpec
from model_export.images.split import TEST, TRAIN
from model_export.images.training import CONFIG, METRICS
from model_export.predictors import (
    WEIGHTS,
    Predictor,
    keras_predictor,
    load_classifier,
    newest_version,
    session_predictor,
)
from model_export.session_model import SessionModel
from model_export.subject import Subject

_NUM_SAMPLES = 8


@dataclass(frozen=True)
class AskedClassifier:
    """A classifier that can be asked about pictures.

    Attributes:
        predict: from uint8 `(num, height, width, channels)`.
        labels: of its classes.
        spec: of its pictures.
        transform: of its spatial transformer.
    """

    predict: Predictor
    labels: tuple[str, ...]
    spec: PictureSpec
    transform: str


def is_run_on_pictures(folder: Path) -> bool:
    """Whether a run folder is one of `stn-model train --images`."""
    return (folder / INDEX).is_file()


def pictures_subject(run: Path) -> Subject:
    """Return the classifier of a run on pictures as a subject for export.

    Raises:
        FileNotFoundError: the run has no classifier yet.
    """
    model = load_classifier(run)
    prepared = open_prepared(run)
    config = json.loads((run / CONFIG).read_text())
    metrics = json.loads((run / METRICS).read_text())
    chosen = prepared.part(TEST)
    facts: dict[str, Any] = {
        "training_data": {
            "data_set": f"{len(prepared.part(TRAIN)):,} pictures of {len(prepared.labels)} classes",
            "distortion": f"moved at random, strength {config['augment']:g}",
        },
        "training": {name: value for name, value in config.items() if name != "kind"},
    }
    if "test" in metrics:
        facts["test_errors"] = [_test_error(metrics["test"])]
    samples = prepared.read(np.resize(chosen, _NUM_SAMPLES))
    return Subject(
        model,
        prepared.labels,
        config["transform"],
        prepared.spec.polarity,
        samples,
        facts,
    )


@contextmanager
def open_asked(folder: Path) -> Iterator[AskedClassifier]:
    """Open a run on pictures, a version folder, or a servable's folder.

    Raises:
        FileNotFoundError, ValueError: it is none of these, or no classifier.
    """
    if (folder / WEIGHTS).is_file() and is_run_on_pictures(folder):
        prepared = open_prepared(folder)
        transform = json.loads((folder / CONFIG).read_text())["transform"]
        predict = keras_predictor(load_classifier(folder))
        yield AskedClassifier(predict, prepared.labels, prepared.spec, transform)
        return
    if (folder / WEIGHTS).is_file() or folder.is_file():
        how = "--run" if folder.is_dir() else "--keras"
        raise ValueError(
            f"{folder} can be asked about pictures once it is exported: 'stn-model export {how} "
            f"{folder}'"
        )
    with SessionModel(newest_version(folder)) as model:
        if "describe" not in model.signatures or "predict" not in model.signatures:
            raise ValueError(f"{folder} is no classifier: it lacks 'predict' or 'describe'")
        described = model.run("describe")
        card = json.loads(np.asarray(described["card"]).item())
        given = card["input"]
        background = 255 if given["polarity"] == "dark_on_light" else 0
        spec = PictureSpec(given["height"], given["width"], given["channels"], background)
        labels = tuple(label.decode() for label in described["labels"])
        yield AskedClassifier(session_predictor(model), labels, spec, card["transform"])


def _test_error(test: dict[str, Any]) -> dict[str, Any]:
    low, high = test["accuracy_interval_95"]
    return {
        "name": "test",
        "data_set": "pictures kept for the test",
        "distortion": "none",
        "seed": None,
        "num_images": test["num_images"],
        "num_wrong": test["num_wrong"],
        "error_percent": round(100 * (1 - test["accuracy"]), 4),
        "interval_95_percent": [round(100 * (1 - high), 4), round(100 * (1 - low), 4)],
    }
