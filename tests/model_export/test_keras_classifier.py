"""Any Keras classifier with a spatial transformer: exported, or refused with what is missing."""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from model_export.check import check_version
from model_export.cli import main
from model_export.export import export_subject
from model_export.keras_classifier import KerasClassifier, open_keras_classifier
from model_export.session_model import SessionModel
from stn import LocalizationNetwork, SpatialTransformer, fully_connected_localization, get_transform

layers = keras.layers


def build(
    transform: str = "tps", channels: int = 3, last: str = "softmax", return_theta: bool = False
) -> keras.Model:
    """A small classifier of three classes that is not at the identity."""
    keras.utils.set_random_seed(4)
    images = keras.Input((20, 24, channels))
    localization = fully_connected_localization(get_transform(transform).identity, (8,))
    seen = SpatialTransformer(
        localization, (12, 10), transform=transform, return_theta=return_theta
    )(images)
    seen = seen[0] if return_theta else seen
    x = layers.Flatten()(seen)
    model = keras.Model(images, layers.Dense(3, activation=last)(x))
    kernel = localization.layers[-1].kernel
    kernel.assign(0.02 * np.random.default_rng(1).normal(size=kernel.shape))
    return model


def test_a_spline_on_colour_goes_all_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build("tps").save(tmp_path / "model.keras")
    (tmp_path / "labels.txt").write_text("cat\ndog\nowl\n")
    arguments = ["--keras", str(tmp_path / "model.keras"), "--labels", str(tmp_path / "labels.txt")]
    models = ["--models", str(tmp_path / "models"), "--name", "animals", "--only", "stn"]

    status = main(["export", *arguments, *models])

    folder = tmp_path / "models" / "animals" / "1"
    assert status == 0, capsys.readouterr().err
    assert list(check_version(folder))
    with SessionModel(folder) as model:
        described = model.run("describe")
        card = json.loads(np.asarray(described["card"]).item())
        outputs = model.run("predict", images=np.zeros((2, 20, 24, 3), np.uint8))
    assert described["labels"].tolist() == [b"cat", b"dog", b"owl"]
    assert outputs["theta"].shape == (2, 32)
    assert (card["transform"], card["output_size"]) == ("tps", {"height": 12, "width": 10})


@pytest.mark.parametrize("return_theta", [False, True])
@pytest.mark.parametrize("last", ["softmax", None])
def test_what_is_served_is_what_the_model_answers(last: str, return_theta: bool) -> None:
    model = build("affine", 1, last, return_theta)
    images = np.random.default_rng(2).random((3, 20, 24, 1)).astype(np.float32)

    served = KerasClassifier(model)(images)

    answer = model(images)
    expected = answer if last else keras.ops.softmax(answer)
    assert keras.ops.softmax(served["logits"]).numpy() == pytest.approx(expected.numpy(), abs=1e-6)
    assert served["theta"].shape == (3, 6)
    assert np.abs(served["theta"].numpy() - [1, 0, 0, 0, 1, 0]).max() > 1e-3


def test_a_model_of_bytes_is_given_bytes_and_shows_what_it_saw_from_0_to_1() -> None:
    model = build("affine", 1)
    images = np.random.default_rng(2).random((3, 20, 24, 1)).astype(np.float32)

    served = KerasClassifier(model, "bytes")(images)

    expected = model(255 * images).numpy()
    assert keras.ops.softmax(served["logits"]).numpy() == pytest.approx(expected, abs=1e-6)
    assert 0.5 < served["warped"].numpy().max() <= 1


def without_transformer() -> keras.Model:
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)])


def on_features() -> keras.Model:
    images = keras.Input((8, 8, 1))
    features = layers.Conv2D(4, 3)(images)
    seen = SpatialTransformer(LocalizationNetwork((4,), 4))(features)
    return keras.Model(images, layers.Dense(2)(layers.Flatten()(seen)))


def of_any_size() -> keras.Model:
    return keras.Sequential([keras.Input((None, None, 1)), layers.GlobalMaxPooling2D()])


def of_one_class() -> keras.Model:
    images = keras.Input((8, 8, 1))
    seen = SpatialTransformer(LocalizationNetwork((4,), 4))(images)
    return keras.Model(images, layers.Dense(1)(layers.Flatten()(seen)))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (without_transformer, "holds no stn.SpatialTransformer .* it holds Dense, Flatten"),
        (on_features, "warps 4 feature maps, not the image of 1 channels"),
        (of_any_size, "images of a fixed size"),
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
    build("affine", 1).save(tmp_path / "model.keras")

    with pytest.raises(ValueError, match="has 3 classes and needs as many different labels; got 2"):
        open_keras_classifier(tmp_path / "model.keras", ["a", "b"])


def test_the_same_weights_give_the_same_card_requests_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SOURCE_DATE_EPOCH for the one date; the graph's order of variables is Keras's affair."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    build("affine", 1).save(tmp_path / "model.keras")

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
