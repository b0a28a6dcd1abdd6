"""Any Keras classifier with a spatial transformer: exported, or refused with what is missing."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from model_export.check import check_version
from model_export.cli import main
from model_export.export import export_subject
from model_export.foreign.classifier import KerasClassifier, open_keras_classifier
from model_export.foreign.own import InputRange
from model_export.session_model import SessionModel
from model_export.subject import Subject, subject_card
from model_export.verify import ExportRefusedError
from stn import LocalizationNetwork, SpatialTransformer
from tests.model_export.foreign.models import (
    SIZE,
    classifier,
    pictures,
    softmax,
    transformer,
    with_weights,
)

layers = keras.layers


def test_a_spline_on_colour_goes_all_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    look = transformer("tps", (12, 10))
    with_weights(classifier(3, look=look)).save(tmp_path / "model.keras")
    (tmp_path / "labels.txt").write_text("cat\ndog\nowl\n")
    arguments = ["--keras", str(tmp_path / "model.keras"), "--labels", str(tmp_path / "labels.txt")]
    models = ["--models", str(tmp_path / "models"), "--name", "animals", "--only", "stn"]

    status = main(["export", *arguments, *models])

    folder = tmp_path / "models" / "animals" / "1"
    assert status == 0, capsys.readouterr().err
    with SessionModel(folder) as model:
        described = model.run("describe")
        card = json.loads(np.asarray(described["card"]).item())
        outputs = model.run("predict", images=np.zeros((2, *SIZE, 3), np.uint8))
    assert described["labels"].tolist() == [b"cat", b"dog", b"owl"]
    assert outputs["theta"].shape == (2, 32)
    assert (card["transform"], card["output_size"]) == ("tps", {"height": 12, "width": 10})


TAKEN: dict[InputRange, Callable[[np.ndarray], np.ndarray]] = {
    "unit": lambda bytes_: bytes_ / 255,
    "symmetric": lambda bytes_: bytes_ / 127.5 - 1,
    "bytes": lambda bytes_: bytes_.astype(float),
}


@pytest.mark.parametrize("taken", TAKEN)
def test_a_model_is_given_images_in_the_range_that_it_takes(taken: InputRange) -> None:
    model = with_weights(classifier(), spread=0.0005 if taken == "bytes" else 0.1)
    images = pictures()

    served = KerasClassifier(model, taken)(images.astype(np.float32) / 255)

    expected = model.predict(TAKEN[taken](images), verbose=0)
    assert np.ptp(expected, axis=0).max() > 0.01
    assert keras.ops.softmax(served["logits"]).numpy() == pytest.approx(expected, abs=1e-6)


def test_a_model_of_whole_bytes_is_given_each_of_them_exactly() -> None:
    """Divided by 255 and multiplied again, some could be a hair below a whole number."""
    model = classifier(dtype="uint8")
    images = np.resize(np.arange(256, dtype=np.uint8), (1, *SIZE, 1))

    served = KerasClassifier(model, "bytes")(images.astype(np.float32) / 255)

    assert np.array_equal(np.rint(255 * served["warped"].numpy()), images)


def test_a_sequential_model_is_served(tmp_path: Path) -> None:
    """The standard one: bytes, rescaled by its first layer."""
    parts = [layers.Rescaling(1 / 255), transformer(), layers.Flatten()]
    model = keras.Sequential(
        [keras.Input((*SIZE, 3)), *parts, layers.Dense(3, activation="softmax")]
    )
    with_weights(model).save(tmp_path / "model.keras")

    subject = open_keras_classifier(tmp_path / "model.keras", input_range="bytes")

    folder = export_subject(subject, tmp_path / "models")
    with SessionModel(folder) as served:
        outputs = served.run("predict", images=pictures(3))
    expected = model.predict(pictures(3).astype(float), verbose=0)
    assert outputs["probabilities"] == pytest.approx(expected, abs=1e-6)
    assert 0.5 < outputs["warped"].max() <= 1


def in_half_precision(policy: str) -> keras.Model:
    """Ten classes, whose probabilities sum to 1 no better than to a thousandth."""
    former = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        end = layers.Dense(10, activation="softmax")
        return with_weights(classifier(before=[layers.Rescaling(1 / 255)], end=end), spread=0.1)
    finally:
        keras.config.set_dtype_policy(former)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_model_of_half_precision_is_served_in_float32(policy: str, tmp_path: Path) -> None:
    model = in_half_precision(policy)
    model.save(tmp_path / "model.keras")
    images = pictures(count=32)
    answer = model.predict(images.astype(float), verbose=0).astype(float)

    subject = open_keras_classifier(tmp_path / "model.keras", input_range="bytes")
    folder = export_subject(subject, tmp_path / "models")

    assert list(check_version(folder))
    layers_served = subject.model._model._flatten_layers()  # type: ignore[attr-defined]
    assert {layer.compute_dtype for layer in layers_served} == {"float32"}
    with SessionModel(folder) as served:
        outputs = served.run("predict", images=images)
        types = {output.dtype for output in served.signatures["predict"].outputs.values()}
    assert types == {tf.float32.as_datatype_enum}
    assert np.ptp(answer, axis=0).max() > 0.1
    assert outputs["probabilities"] == pytest.approx(answer, abs=0.02)


def test_rounded_probabilities_are_probabilities_all_the_same() -> None:
    """Of bfloat16: rows that sum to 1 no better than to a thousandth, among rows that do."""
    model = in_half_precision("mixed_bfloat16")
    images = pictures(count=32)
    answer = model.predict(images.astype(float), verbose=0).astype(float)
    sums = answer.sum(axis=1, keepdims=True)
    off = np.abs(sums - 1) > 1e-3
    assert off.any()
    assert not off.all()

    served = KerasClassifier(model, "bytes")(images.astype(np.float32) / 255)

    probabilities = keras.ops.softmax(served["logits"]).numpy()
    assert probabilities == pytest.approx(answer / sums, abs=0.01)


# Refused before there is a version.


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    with_weights(classifier()).save(tmp_path / "model.keras")
    return open_keras_classifier(tmp_path / "model.keras")


def in_another_range(subject: Subject) -> Subject:
    served: Any = subject.model
    return replace(subject, model=KerasClassifier(served._model, "symmetric"))


def softmax_twice(subject: Subject) -> Subject:
    served: Any = subject.model
    other = KerasClassifier(served._model)
    other._kind = "logits"
    return replace(subject, model=other)


def with_a_label_short(subject: Subject) -> Subject:
    return replace(subject, labels=subject.labels[1:])


def with_another_transform(subject: Subject) -> Subject:
    return replace(subject, transform="projective")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (in_another_range, "'probabilities' differs from the Keras model by"),
        (softmax_twice, "'probabilities' differs from the Keras model by"),
        (with_a_label_short, "breaks the contract: 'describe' must give 3 labels"),
        (with_another_transform, "breaks the contract: theta of the card's transform"),
    ],
)
def test_what_answers_or_says_otherwise_than_the_users_own_model_gets_no_name(
    change: Callable[[Subject], Subject], reason: str, subject: Subject, tmp_path: Path
) -> None:
    with pytest.raises(ExportRefusedError, match=reason):
        export_subject(change(subject), tmp_path / "models")

    assert not (tmp_path / "models").exists()


def without_transformer() -> keras.Model:
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)])


def on_features() -> keras.Model:
    images = keras.Input((8, 8, 1))
    features = layers.Conv2D(4, 3)(images)
    seen = SpatialTransformer(LocalizationNetwork((4,), 4))(features)
    return keras.Model(images, layers.Dense(2)(layers.Flatten()(seen)))


def of_any_size() -> keras.Model:
    return keras.Sequential([keras.Input((None, None, 1)), layers.GlobalMaxPooling2D()])


def of_eight_images() -> keras.Model:
    return keras.Sequential(
        [keras.Input(batch_shape=(8, 8, 8, 1)), layers.Flatten(), layers.Dense(2)]
    )


def of_eight_within() -> keras.Model:
    def end(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.Dense(2)(keras.ops.reshape(x, (8, x.shape[1])))

    return classifier(end=end)


def of_one_class() -> keras.Model:
    return classifier(end=layers.Dense(1))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (without_transformer, "holds no stn.SpatialTransformer, .*; it holds Dense, Flatten"),
        (on_features, "warps 4 feature maps of 6 x 6"),
        (of_any_size, "images of a fixed size"),
        (of_eight_images, "any number of images"),
        (of_eight_within, "the model fails on 4 images at once: InvalidArgumentError"),
        (of_one_class, "two or more classes"),
    ],
)
def test_a_model_that_cannot_honour_the_contract_is_refused_with_what_is_missing(
    make: Callable[[], keras.Model], reason: str, tmp_path: Path
) -> None:
    make().save(tmp_path / "model.keras")

    with pytest.raises(ValueError, match=reason):
        open_keras_classifier(tmp_path / "model.keras")


def test_labels_that_are_not_one_for_each_class_are_refused(tmp_path: Path) -> None:
    classifier().save(tmp_path / "model.keras")

    with pytest.raises(ValueError, match="has 3 classes and needs as many labels; got 2"):
        open_keras_classifier(tmp_path / "model.keras", ["a", "b"])
    with pytest.raises(ValueError, match="a label of its own; 'b' is there twice"):
        open_keras_classifier(tmp_path / "model.keras", ["a", "b", "b"])


# What stays.


def test_the_card_has_what_is_known_of_the_errors(subject: Subject) -> None:
    errors = [{"name": "test", "num_images": 269, "num_wrong": 2}]
    outputs = {"theta": np.zeros((2, 6)), "warped": np.zeros((2, *SIZE, 1))}

    known, unknown = (
        json.loads(subject_card("stn", replace(subject, facts=facts), outputs))
        for facts in ({"test_errors": errors}, {})
    )

    assert known["test_errors"] == errors
    assert unknown["test_errors"] == []


def test_the_same_weights_give_the_same_card_requests_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SOURCE_DATE_EPOCH for the one date; the graph's order of variables is Keras's affair."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    with_weights(classifier(end=softmax)).save(tmp_path / "model.keras")

    first, again = (
        what_is_repeated(
            export_subject(open_keras_classifier(tmp_path / "model.keras"), tmp_path / name)
        )
        for name in ("first", "again")
    )

    assert first == again


def what_is_repeated(folder: Path) -> list[bytes]:
    """The description, the warm-up file and the golden answers."""
    with SessionModel(folder) as model:
        card = bytes(np.asarray(model.run("describe")["card"]).item())
    extra = folder / "assets.extra"
    return [card, *(path.read_bytes() for path in sorted(extra.iterdir()))]
