"""Conformance: what holds is said, and what does not ends the check."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from model_export.card import CLASSIFIER_KEYS
from model_export.check import check_version
from model_export.golden import record_golden
from model_export.undo import PromotionError
from model_export.verify import ExportRefusedError
from model_export.warmup import classifier_requests, write_warmup
from tests.versions import FORMER_FOLDER, SHIPPED

MODELS = Path(__file__).parents[2] / "models"
STN = MODELS / "stn" / str(SHIPPED)


@pytest.mark.parametrize(
    ("folder", "num_lines"),
    [(STN, 5), (MODELS / "warp" / "1", 3), (FORMER_FOLDER, 5)],
    ids=["stn", "warp", "the former stn"],
)
def test_the_shipped_models_conform(folder: Path, num_lines: int) -> None:
    assert len(list(check_version(folder))) == num_lines


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STN, tmp_path / "1"))


def test_answers_other_than_at_the_export_are_found(copy: Path) -> None:
    path = copy / "assets.extra" / "golden.npz"
    with np.load(path) as stored:
        answers = {name: stored[name] + (name == "3.theta") * 1e-3 for name in stored}
    np.savez(path, **answers)

    with pytest.raises(PromotionError, match=r"'theta' of golden request 3 differs by 0\.001"):
        list(check_version(copy))


def test_a_version_without_its_warm_up_file_is_found(copy: Path) -> None:
    (copy / "assets.extra" / "tf_serving_warmup_requests").unlink()

    with pytest.raises(FileNotFoundError, match="has no warm-up file"):
        list(check_version(copy))


def test_weights_that_are_cut_short_are_found(copy: Path) -> None:
    (data,) = (copy / "variables").glob("*.data-*")
    data.write_bytes(data.read_bytes()[:1000])

    with pytest.raises(ExportRefusedError, match="fails in the v1 loader"):
        list(check_version(copy))


Change = Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]


def shared_among_rows(outputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    theta = outputs["theta"] + 1e-3 * tf.reduce_mean(outputs["theta"], axis=0)
    return {**outputs, "theta": theta}


def not_a_number(outputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {**outputs, "theta": outputs["theta"] / tf.zeros([])}


def no_probabilities(outputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {**outputs, "probabilities": 2 * outputs["probabilities"]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (shared_among_rows, "'theta' in a batch of 1 is off by"),
        (not_a_number, "'theta' of black, white or noise is not finite"),
        (no_probabilities, "do not sum to 1"),
    ],
)
def test_a_model_that_loads_and_answers_wrongly_is_found(
    change: Change, reason: str, tmp_path: Path
) -> None:
    write_version(tmp_path, change)

    with pytest.raises(ExportRefusedError, match=reason):
        list(check_version(tmp_path))


def write_version(folder: Path, change: Change) -> None:
    """Write a small classifier whose answers are changed."""
    images = keras.Input((8, 8, 1))
    features = keras.layers.Flatten()(images)
    model = keras.Model(images, [keras.layers.Dense(2)(features), keras.layers.Dense(6)(features)])
    card: dict[str, Any] = dict.fromkeys(CLASSIFIER_KEYS, "")
    card |= {"task": "classification", "input": {"polarity": "light_on_dark"}}
    described = {"labels": ["a", "b"], "card": json.dumps(card)}

    def predict(images: tf.Tensor) -> dict[str, tf.Tensor]:
        pictures = tf.cast(images, tf.float32) / 255
        logits, theta = model(pictures)
        outputs = {"probabilities": tf.nn.softmax(logits), "theta": theta, "warped": pictures}
        return change(outputs)

    def describe() -> dict[str, tf.Tensor]:
        return {name: tf.constant(value) for name, value in described.items()}

    def describe_batched(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: tf.repeat(v[None], tf.size(rows), axis=0) for name, v in describe().items()}

    archive = keras.export.ExportArchive()
    archive.add_endpoint("predict", predict, [tf.TensorSpec([None, 8, 8, 1], tf.uint8, "images")])
    archive.add_endpoint("describe", describe, [])
    archive.add_endpoint(
        "describe_batched", describe_batched, [tf.TensorSpec([None], tf.uint8, "rows")]
    )
    archive.write_out(folder, verbose=False)
    write_warmup(folder, classifier_requests("stn", np.zeros((1, 8, 8, 1), np.uint8)))
    if change is not not_a_number:
        record_golden(folder)
