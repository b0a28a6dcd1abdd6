"""The contract of the two servables, through both loaders, and what is refused."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from model_export import export as export_module
from model_export import saved_models
from model_export.card import classifier_card, weights_digest
from model_export.data import Digits
from model_export.distortion import fixed_set
from model_export.evaluate import evaluate
from model_export.export import export_classifier, export_warp
from model_export.predictors import WEIGHTS, keras_predictor, load_weights
from model_export.session_model import SessionModel
from model_export.verify import ExportRefusedError
from model_export.version_folder import version_folder, written_whole

PREDICT_OUTPUTS = {
    "probabilities": (tf.float32, (-1, 10)),
    "theta": (tf.float32, (-1, 6)),
    "warped": (tf.float32, (-1, 28, 28, 1)),
}
WARP_INPUTS = {
    "theta": (tf.float32, (-1, 6)),
    "output_size": (tf.int32, (2,)),
}


def specs(tensors: Any) -> dict[str, tuple[tf.DType, tuple[int, ...]]]:
    return {
        name: (tf.as_dtype(info.dtype), tuple(side.size for side in info.tensor_shape.dim))
        for name, info in tensors.items()
    }


def fed_blindly(
    model: SessionModel, signature: str, inputs: list[str], output: str
) -> Callable[..., list[np.ndarray]]:
    """Return the call that a model server makes: no shape is checked before the graph runs."""
    definition = model.signatures[signature]
    options = config_pb2.CallableOptions(
        feed=[definition.inputs[name].name for name in inputs],
        fetch=[definition.outputs[output].name],
    )
    return model._session._make_callable_from_options(options)


@pytest.fixture(params=["classifier", "eager_classifier"], ids=["v1 loader", "v2 loader"])
def loaded_classifier(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["warp", "eager_warp"], ids=["v1 loader", "v2 loader"])
def loaded_warp(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


# The classifier.


@pytest.mark.parametrize("signature", ["predict", "serving_default"])
def test_predict_takes_uint8_and_gives_three_tensors(
    classifier: SessionModel, signature: str
) -> None:
    definition = classifier.signatures[signature]

    assert specs(definition.inputs) == {"images": (tf.uint8, (-1, 42, 42, 1))}
    assert specs(definition.outputs) == PREDICT_OUTPUTS


def test_the_export_answers_as_the_run(
    loaded_classifier: Any, run_folder: Path, sample: Digits
) -> None:
    images, _ = fixed_set(sample.test_images[:20])
    expected = keras_predictor(load_weights(run_folder))(images)

    outputs = loaded_classifier.run("predict", images=images[..., np.newaxis])

    for name, values in expected.items():
        assert outputs[name] == pytest.approx(values, abs=1e-5), name


def test_an_image_alone_is_answered_as_in_a_batch(classifier: SessionModel, sample: Digits) -> None:
    images = fixed_set(sample.test_images[:7])[0][..., np.newaxis]

    batch = classifier.run("predict", images=images)
    alone = classifier.run("predict", images=images[4:5])

    for name, values in alone.items():
        assert values[0] == pytest.approx(batch[name][4], abs=1e-5)


@pytest.mark.parametrize("shape", [(2, 42, 42), (2, 40, 42, 1), (2, 42, 42, 3), (42,)])
def test_a_wrong_shape_is_an_error_and_no_answer(
    classifier: SessionModel, shape: tuple[int, ...]
) -> None:
    call = fed_blindly(classifier, "predict", ["images"], "theta")
    assert call(np.zeros((2, 42, 42, 1), np.uint8))[0].shape == (2, 6)

    with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible with expected shape"):
        call(np.zeros(shape, np.uint8))


def test_describe_names_the_classes_and_gives_the_card(loaded_classifier: Any) -> None:
    described = loaded_classifier.run("describe")

    assert described["labels"].tolist() == [str(digit).encode() for digit in range(10)]
    card = json.loads(np.asarray(described["card"]).item())
    assert card["name"] == "stn"
    assert card["task"] == "classification"
    assert card["transform"] == "affine"
    assert card["input"] == {
        "height": 42,
        "width": 42,
        "channels": 1,
        "polarity": "light_on_dark",
    }
    assert card["output_size"] == {"height": 28, "width": 28}
    assert card["training_data"]["data_set"] == "MNIST sample training"
    assert card["training"]["epochs"] == 3
    assert card["tensorflow_version"] == tf.__version__


def test_the_cards_errors_are_those_of_evaluate(
    classifier: SessionModel, run_folder: Path, sample: Digits
) -> None:
    card = json.loads(np.asarray(classifier.run("describe")["card"]).item())

    evaluation = evaluate(keras_predictor(load_weights(run_folder)), sample)

    assert card["test_errors"] == evaluation.as_dict()["test_errors"]
    assert [error["seed"] for error in card["test_errors"][:2]] == [20150605, None]


def test_the_cards_digest_is_that_of_the_weights(
    classifier: SessionModel, run_folder: Path
) -> None:
    card = json.loads(np.asarray(classifier.run("describe")["card"]).item())
    model = load_weights(run_folder)
    assert card["weights_sha256"] == weights_digest(model)
    assert card["num_parameters"] == sum(weights.size for weights in model.get_weights())

    bias = model.get_layer("logits").bias
    bias.assign(np.nextafter(bias.numpy(), 1))

    assert card["weights_sha256"] != weights_digest(model)


def test_source_date_epoch_is_the_time_of_creation(
    run_folder: Path, few: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1433462400")
    model = load_weights(run_folder)
    evaluation = evaluate(keras_predictor(model), few)

    card = json.loads(classifier_card("stn", model, (28, 28), evaluation, {}))

    assert card["created"] == "2015-06-05T00:00:00Z"


# The warp.


def test_warp_has_a_signature_for_each_mode(warp: SessionModel) -> None:
    endings = {"_zeros", "_border", "_reflection"}
    modes = {f"{e}_{i}" for e in endings for i in ("bilinear", "nearest")} | {""}

    expected = {f"{kind}{mode}" for kind in ("warp", "warp_uint8") for mode in modes}
    assert set(warp.signatures) - {"__saved_model_init_op"} == expected | {"describe"}


@pytest.mark.parametrize(("signature", "dtype"), [("warp", tf.float32), ("warp_uint8", tf.uint8)])
def test_warp_leaves_every_size_open(warp: SessionModel, signature: str, dtype: tf.DType) -> None:
    definition = warp.signatures[signature]
    image = (dtype, (-1, -1, -1, -1))

    assert specs(definition.inputs) == {"images": image, **WARP_INPUTS}
    assert specs(definition.outputs) == {"warped": image}


def test_warp_answers_alike_through_both_loaders(
    warp: SessionModel, eager_warp: Any, sample: Digits
) -> None:
    call = {
        "images": sample.test_images[:2, ..., np.newaxis].astype(np.float32),
        "theta": np.array([[0.8, -0.3, 0.1, 0.3, 0.7, -0.2]], np.float32),
        "output_size": np.array([31, 19], np.int32),
    }

    one, other = warp.run("warp", **call), eager_warp.run("warp", **call)

    assert one["warped"].shape == (2, 31, 19, 1)
    assert np.array_equal(one["warped"], other["warped"])


@pytest.mark.parametrize(
    ("name", "value", "shape"),
    [("images", 0, (5, 5, 1)), ("theta", 0, (1, 5)), ("output_size", 5, (3,))],
)
def test_warp_refuses_wrong_shapes(
    warp: SessionModel, name: str, value: int, shape: tuple[int, ...]
) -> None:
    good = {"images": (1, 5, 5, 1), "theta": (1, 6), "output_size": (2,)}
    call = fed_blindly(warp, "warp", list(good), "warped")
    types = {"images": np.float32, "theta": np.float32, "output_size": np.int32}
    arrays = {key: np.full(good[key], 5 * (key == "output_size"), types[key]) for key in good}
    assert call(*arrays.values())[0].shape == (1, 5, 5, 1)

    arrays[name] = np.full(shape, value, types[name])
    with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible with expected shape"):
        call(*arrays.values())


def test_warp_describes_its_modes(loaded_warp: Any) -> None:
    card = json.loads(np.asarray(loaded_warp.run("describe")["card"]).item())

    assert (card["name"], card["task"]) == ("warp", "warp")
    assert card["paddings"] == ["zeros", "border", "reflection"]
    assert card["interpolations"] == ["bilinear", "nearest"]
    assert "align_corners" in card["convention"]


def test_both_together_stay_under_four_megabytes(models: Path) -> None:
    sizes = [path.stat().st_size for path in models.rglob("*") if path.is_file()]

    assert sum(sizes) < 4e6


def test_the_graphs_hold_no_compiled_and_no_python_functions(
    classifier: SessionModel, warp: SessionModel
) -> None:
    for model in (classifier, warp):
        definition = model.meta_graph.graph_def
        nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
        assert not any("PyFunc" in node.op for node in nodes)
        assert not any(node.attr["_XlaMustCompile"].b for node in nodes)


# Folders.


def test_versions_count_up_from_the_highest(tmp_path: Path) -> None:
    assert version_folder(tmp_path, "stn", None).name == "1"
    for name in ("2", "10", ".11.tmp-x", "latest"):
        (tmp_path / "stn" / name).mkdir(parents=True)

    assert version_folder(tmp_path, "stn", None).name == "11"


def test_a_version_that_exists_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stn" / "3").mkdir(parents=True)

    with pytest.raises(FileExistsError, match="a version never changes"):
        version_folder(tmp_path, "stn", 3)


@pytest.mark.parametrize("name", ["", "../stn", "a b", ".hidden", "stn/1"])
def test_a_name_that_is_no_folder_of_its_own_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        version_folder(tmp_path, name, 1)


@pytest.mark.parametrize("version", [0, -1])
def test_a_version_is_a_natural_number(tmp_path: Path, version: int) -> None:
    with pytest.raises(ValueError, match="whole number from 1 up"):
        version_folder(tmp_path, "stn", version)


def test_while_it_is_written_a_version_has_no_number(tmp_path: Path) -> None:
    target = tmp_path / "models" / "stn" / "7"

    with written_whole(target) as folder:
        (folder / "saved_model.pb").touch()
        assert folder.name.startswith(".7.tmp")
        assert not target.exists()

    assert [path.name for path in target.parent.iterdir()] == ["7"]
    assert (target / "saved_model.pb").is_file()


def test_a_version_can_be_read_by_others(tmp_path: Path) -> None:
    """A model server runs as somebody else."""
    old = os.umask(0o022)
    try:
        with written_whole(tmp_path / "stn" / "1"):
            pass
    finally:
        os.umask(old)

    assert stat.S_IMODE((tmp_path / "stn" / "1").stat().st_mode) == 0o755


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_a_failure_nothing_is_left(tmp_path: Path, error: type[BaseException]) -> None:
    def write() -> None:
        with written_whole(tmp_path / "models" / "stn" / "1") as folder:
            (folder / "saved_model.pb").touch()
            raise error

    with pytest.raises(error):
        write()

    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_other_versions_alone(tmp_path: Path) -> None:
    (tmp_path / "stn" / "1").mkdir(parents=True)

    with pytest.raises(RuntimeError), written_whole(tmp_path / "stn" / "2"):
        raise RuntimeError

    assert [path.name for path in (tmp_path / "stn").iterdir()] == ["1"]


# Exports that are truly broken.

Writer = Callable[[keras.Model, list[str], str, Path], None]


def save_from_a_module(model: keras.Model, labels: list[str], card: str, folder: Path) -> None:
    """The trap: it loads, and its variables are not found at the first request."""
    module = tf.Module()
    module.model = model
    _save(module, folder, labels, card, lambda images: _outputs(model, images))


def save_with_python_inside(model: keras.Model, labels: list[str], card: str, folder: Path) -> None:
    def predict(images: tf.Tensor) -> dict[str, tf.Tensor]:
        images = tf.numpy_function(lambda array: array, [images], tf.uint8)
        return _outputs(model, tf.reshape(images, [-1, 42, 42, 1]))

    _save_archive(model, folder, labels, card, predict)


def save_with_forced_xla(model: keras.Model, labels: list[str], card: str, folder: Path) -> None:
    @tf.function(jit_compile=True)
    def soften(logits: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(logits)

    def predict(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = model(tf.cast(images, tf.float32) / 255, training=False)
        return {**_outputs(model, images), "probabilities": soften(outputs["logits"])}

    _save_archive(model, folder, labels, card, predict)


def save_with_another_scale(model: keras.Model, labels: list[str], card: str, folder: Path) -> None:
    def predict(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return _outputs(model, images, scale=256.0)

    _save_archive(model, folder, labels, card, predict)


def save_without_theta(model: keras.Model, labels: list[str], card: str, folder: Path) -> None:
    def predict(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = _outputs(model, images)
        return {name: outputs[name] for name in ("probabilities", "warped")}

    _save_archive(model, folder, labels, card, predict)


def save_with_half_of_the_bits(
    model: keras.Model, labels: list[str], card: str, folder: Path
) -> None:
    def predict(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = _outputs(model, images)
        return {**outputs, "theta": tf.cast(outputs["theta"], tf.float16)}

    _save_archive(model, folder, labels, card, predict)


def save_with_a_label_short(model: keras.Model, labels: list[str], card: str, folder: Path) -> None:
    _save_archive(model, folder, labels[1:], card, lambda images: _outputs(model, images))


def save_with_an_empty_card(model: keras.Model, labels: list[str], card: str, folder: Path) -> None:
    _save_archive(model, folder, labels, "{}", lambda images: _outputs(model, images))


@pytest.mark.parametrize(
    ("writer", "reason"),
    [
        (save_from_a_module, "v1 loader in a Session: FailedPrecondition"),
        (save_with_python_inside, "calls back into Python"),
        (save_with_forced_xla, "insists on XLA"),
        (save_with_another_scale, "differs from the Keras model by"),
        (save_without_theta, r"'theta' must be float32 \(1, 6\); got nothing"),
        (save_with_half_of_the_bits, r"'theta' must be float32 \(1, 6\); got float16"),
        (save_with_a_label_short, "must give 10 labels"),
        (save_with_an_empty_card, "breaks the contract: the card's task must be"),
    ],
)
def test_a_broken_export_is_refused_and_leaves_nothing(
    writer: Writer,
    reason: str,
    run_folder: Path,
    few: Digits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export_module, "save_classifier", writer)

    with pytest.raises(ExportRefusedError, match=reason):
        export_classifier(run_folder, few, tmp_path / "models")

    assert list(tmp_path.iterdir()) == []


def test_a_model_of_half_precision_answers_in_float32() -> None:
    def model(images: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        assert not training
        half = tf.cast(images, tf.bfloat16)
        return {"logits": half[:, 0, :, 0], "theta": half[:, 0, :, 0], "warped": half}

    outputs = saved_models.predict_outputs(model, tf.zeros((1, 6, 6, 1), tf.uint8))

    assert {name: values.dtype for name, values in outputs.items()} == dict.fromkeys(
        ("probabilities", "theta", "warped"), tf.float32
    )


def test_weights_that_are_not_finite_are_refused(
    run_folder: Path, few: Digits, tmp_path: Path
) -> None:
    model = load_weights(run_folder)
    model.get_layer("logits").bias.assign(np.full(10, np.nan, np.float32))
    broken = tmp_path / "run"
    broken.mkdir()
    model.save(broken / WEIGHTS)

    with pytest.raises(ExportRefusedError, match="training diverged"):
        export_classifier(broken, few, tmp_path / "models")

    assert not (tmp_path / "models").exists()


def test_a_warp_that_is_not_exact_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def brighter(images: tf.Tensor, *_: Any) -> tf.Tensor:
        return images + 1

    monkeypatch.setattr(saved_models, "warp_images", brighter)

    with pytest.raises(ExportRefusedError, match="the identity of 'warp' is not exact"):
        export_warp(tmp_path / "models")

    assert list(tmp_path.iterdir()) == []


# The warp's gradients are compiled by XLA, which would be refused before what is tried here.
_WITHOUT_GRADIENTS = tf.saved_model.SaveOptions(experimental_custom_gradients=False)


def _outputs(model: keras.Model, images: tf.Tensor, scale: float = 255.0) -> dict[str, tf.Tensor]:
    outputs = model(tf.cast(images, tf.float32) / scale, training=False)
    return {
        "probabilities": tf.nn.softmax(outputs["logits"]),
        "theta": outputs["theta"],
        "warped": outputs["warped"],
    }


def _save_archive(
    model: keras.Model, folder: Path, labels: list[str], card: str, predict: Callable[..., Any]
) -> None:
    archive = keras.export.ExportArchive()
    archive.add_endpoint("predict", predict, [tf.TensorSpec([None, 42, 42, 1], tf.uint8, "images")])
    described = {"labels": labels, "card": card}
    archive.add_endpoint(
        "describe", lambda: {key: tf.constant(value) for key, value in described.items()}, []
    )
    archive.write_out(folder, options=_WITHOUT_GRADIENTS, verbose=False)


def _save(
    module: tf.Module, folder: Path, labels: list[str], card: str, predict: Callable[..., Any]
) -> None:
    spec = [tf.TensorSpec([None, 42, 42, 1], tf.uint8, "images")]
    function = tf.function(predict, input_signature=spec, autograph=False)
    described = {"labels": labels, "card": card}
    describe = tf.function(
        lambda: {key: tf.constant(value) for key, value in described.items()}, input_signature=[]
    )
    signatures = {"predict": function, "serving_default": function, "describe": describe}
    tf.saved_model.save(module, folder, signatures, _WITHOUT_GRADIENTS)
