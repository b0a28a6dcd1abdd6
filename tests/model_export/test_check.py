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
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_export.card import CLASSIFIER_KEYS
from model_export.check import BATCHES, check_version
from model_export.cli import main
from model_export.golden import record_golden
from model_export.undo import PromotionError
from model_export.verify import ExportRefusedError
from model_export.warmup import classifier_requests, write_warmup
from tests.versions import FORMER_FOLDER, SHIPPED

MODELS = Path(__file__).parents[2] / "models"
STN = MODELS / "stn" / str(SHIPPED)
WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
GOLDEN = Path("assets.extra") / "golden.npz"


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
    with np.load(copy / GOLDEN) as stored:
        answers = {name: stored[name] + (name == "3.theta") * 1e-3 for name in stored}
    np.savez(copy / GOLDEN, **answers)

    with pytest.raises(PromotionError, match=r"'theta' of golden request 3 differs by 0\.001"):
        list(check_version(copy))


@pytest.mark.parametrize(
    ("path", "reason"), [(WARMUP, "has no warm-up file"), (GOLDEN, "has no golden answers")]
)
def test_a_version_without_a_part_is_found(path: Path, reason: str, copy: Path) -> None:
    (copy / path).unlink()

    with pytest.raises(ExportRefusedError, match=reason):
        list(check_version(copy))


def cut_short(content: bytes) -> bytes:
    return content[: len(content) // 2]


def overwritten(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(64) + content[middle + 64 :]


@pytest.mark.parametrize("harm", [cut_short, overwritten])
@pytest.mark.parametrize("path", [WARMUP, GOLDEN], ids=["warm-up", "golden"])
def test_a_damaged_part_is_said_in_one_line(
    path: Path, harm: Callable[[bytes], bytes], copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / path).write_bytes(harm((copy / path).read_bytes()))

    status = main(["check", str(copy)])

    (line,) = capsys.readouterr().err.splitlines()
    assert status == 1
    assert line.endswith(f"{path.name} is damaged; export it again")


def test_a_version_that_is_asked_nothing_proves_nothing(copy: Path) -> None:
    (copy / WARMUP).write_bytes(b"")
    np.savez(copy / GOLDEN)

    with pytest.raises(ExportRefusedError, match="holds no requests"):
        list(check_version(copy))


@pytest.mark.parametrize(
    ("is_left_out", "reason"),
    [
        (lambda key: key.endswith("theta"), "'theta' of golden request 0 must be missing"),
        (lambda key: key.startswith("11."), "12 warm-up requests and golden answers to 11"),
        (lambda key: key.startswith("4."), "'probabilities' of golden request 4 must be missing"),
    ],
    ids=["an output", "the last request", "a request"],
)
def test_each_output_of_each_request_has_its_golden_answer(
    is_left_out: Callable[[str], bool], reason: str, copy: Path
) -> None:
    with np.load(copy / GOLDEN) as stored:
        answers = {name: stored[name] for name in stored if not is_left_out(name)}
    np.savez(copy / GOLDEN, **answers)

    with pytest.raises(PromotionError, match=reason):
        list(check_version(copy))


SIZE = {"height": 8, "width": 8}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"input": {**SIZE, "channels": 3, "polarity": "light_on_dark"}}, "card's input is"),
        ({"input": {**SIZE, "width": 9, "channels": 1}}, "card's input is"),
        ({"input": "pictures"}, "card's input is"),
        ({"output_size": {"height": 7, "width": 8}}, "card's output_size is"),
        ({"transform": "tps"}, "has 32 numbers; that of 'predict' has 6"),
        ({"transform": "magic"}, "transform must be one of"),
        ({"input": {**SIZE, "channels": 1, "polarity": "any"}}, "polarity must be one of"),
    ],
)
def test_a_card_that_says_otherwise_than_the_signatures_is_found(
    changed: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    write_version(tmp_path, **changed)

    with pytest.raises(PromotionError, match=reason):
        list(check_version(tmp_path))


def test_the_help_names_the_batches_that_are_tried(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "--help"])

    *sizes, last = map(str, BATCHES)
    said = " ".join(capsys.readouterr().out.split())
    assert f"batches of {', '.join(sizes)} and {last} do" in said


def test_weights_that_are_cut_short_are_found(copy: Path) -> None:
    (data,) = (copy / "variables").glob("*.data-*")
    data.write_bytes(data.read_bytes()[:1000])

    with pytest.raises(ExportRefusedError, match="fails in the v1 loader"):
        list(check_version(copy))


def nothing_there(signatures: Any) -> None:
    del signatures["serving_default"]


def another_name(signatures: Any) -> None:
    default = signatures["serving_default"]
    default.inputs["pictures"].CopyFrom(default.inputs.pop("images"))


def no_such_tensor(signatures: Any) -> None:
    signatures["serving_default"].inputs["images"].name = "nothing:0"


def half_of_it(signatures: Any) -> None:
    del signatures["serving_default"].outputs["theta"]


def theta_twice(signatures: Any) -> None:
    outputs = signatures["serving_default"].outputs
    outputs["probabilities"].CopyFrom(outputs["theta"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (nothing_there, "no signature 'serving_default'"),
        (another_name, r"must take 'images' alone; not \['images', 'pictures'\]"),
        (no_such_tensor, "the v1 loader in a Session: .*nothing:0"),
        (half_of_it, "'serving_default' gives no 'theta'"),
        (theta_twice, "'probabilities' of 'serving_default' has shape"),
    ],
)
def test_a_default_signature_that_a_server_cannot_use_is_found(
    change: Callable[[Any], None], reason: str, copy: Path
) -> None:
    """The loader of TensorFlow 2 does not look at what is written of it."""
    path = copy / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    change(saved.meta_graphs[0].signature_def)
    path.write_bytes(saved.SerializeToString())

    with pytest.raises(ExportRefusedError, match=reason):
        list(check_version(copy))


def empty(content: bytes) -> bytes:
    return b""


def untagged(content: bytes) -> bytes:
    saved = SavedModel.FromString(content)
    del saved.meta_graphs[0].meta_info_def.tags[:]
    return bytes(saved.SerializeToString())


@pytest.mark.parametrize("harm", [empty, untagged, cut_short])
def test_a_graph_that_is_none_is_said_in_one_line(
    harm: Callable[[bytes], bytes], copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy / "saved_model.pb"
    path.write_bytes(harm(path.read_bytes()))

    assert main(["check", str(copy)]) == 1
    assert main(["evaluate", str(copy), "--data", "sample"]) == 2

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all("holds no SavedModel to be served" in line for line in lines)


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


CARD = {
    "task": "classification",
    "transform": "affine",
    "input": {"height": 8, "width": 8, "channels": 1, "polarity": "light_on_dark"},
    "output_size": {"height": 8, "width": 8},
}


def write_version(
    folder: Path, change: Change = lambda outputs: outputs, **changed_card: Any
) -> None:
    """Write a small classifier whose answers, or whose card, are changed."""
    images = keras.Input((8, 8, 1))
    features = keras.layers.Flatten()(images)
    model = keras.Model(images, [keras.layers.Dense(2)(features), keras.layers.Dense(6)(features)])
    card: dict[str, Any] = dict.fromkeys(CLASSIFIER_KEYS, "") | CARD | changed_card
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
