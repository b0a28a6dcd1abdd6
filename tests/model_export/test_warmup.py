"""What an export carries for the model server: warm-up, golden answers, batching."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from model_export import export as export_module
from model_export.batching import ALLOWED_BATCH_SIZES, MAX_BATCH_SIZE
from model_export.data import Digits
from model_export.export import export_classifier, export_warp
from model_export.golden import TOLERANCE, compare_golden, read_golden, record_golden
from model_export.session_model import SessionModel
from model_export.undo import PromotionError
from model_export.verify import ExportRefusedError
from model_export.warmup import (
    classifier_requests,
    predict_request,
    read_warmup,
    replay,
    warp_requests,
    write_warmup,
)
from tests.serving_double.batching import read_batching_parameters

WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"


def records(folder: Path) -> list[PredictionLog]:
    """The file, read as TensorFlow Serving reads it."""
    data = tf.data.TFRecordDataset(str(folder / WARMUP))
    return [PredictionLog.FromString(record) for record in data.as_numpy_iterator()]


def shape_of(request: PredictRequest, name: str) -> list[int]:
    return [dimension.size for dimension in request.inputs[name].tensor_shape.dim]


# The warm-up file.


def test_each_allowed_batch_size_comes_once_for_each_set_of_outputs(models: Path) -> None:
    logs = records(models / "stn" / "1")

    requests = [log.predict_log.request for log in logs]
    assert [(tuple(r.output_filter), *shape_of(r, "images")) for r in requests] == [
        (outputs, size, 42, 42, 1)
        for outputs in (("probabilities", "theta"), ("probabilities", "theta", "warped"))
        for size in (1, 2, 4, 8, 16, 32)
    ]
    assert {(r.model_spec.name, r.model_spec.signature_name) for r in requests} == {
        ("stn", "predict")
    }
    assert all(r.inputs["images"].dtype == tf.uint8.as_datatype_enum for r in requests)


def test_the_warm_up_of_warp_calls_each_signature_once(models: Path, warp: SessionModel) -> None:
    called = [
        log.predict_log.request.model_spec.signature_name for log in records(models / "warp" / "1")
    ]

    assert sorted(called) == sorted(name for name in warp.signatures if name.startswith("warp"))


def test_a_servable_of_another_name_is_warmed_up_by_that_name() -> None:
    assert {r.model_spec.name for r in classifier_requests("digits")} == {"digits"}


def test_the_digits_are_digits() -> None:
    """Blank pictures would not show a broken sampler."""
    images = tf.make_ndarray(classifier_requests("stn")[-1].inputs["images"])

    assert len({image.tobytes() for image in images}) == 8
    assert all(image.max() > 200 for image in images)


def test_a_warm_up_file_reads_back_as_it_was_written(tmp_path: Path) -> None:
    requests = warp_requests()

    write_warmup(tmp_path, requests)

    assert read_warmup(tmp_path) == requests


def test_the_same_requests_give_the_same_bytes(tmp_path: Path) -> None:
    files = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_warmup(tmp_path / name, classifier_requests("stn"))
        files.append((tmp_path / name / WARMUP).read_bytes())

    assert files[0] == files[1]


def test_what_is_carried_is_small(models: Path) -> None:
    """It is checked in with every version."""
    extra = [p for p in models.rglob("*") if p.parent.name == "assets.extra"]

    assert len(extra) == 4
    assert sum(path.stat().st_size for path in extra) < 400_000


@pytest.mark.parametrize(
    ("signature", "inputs", "outputs"),
    [
        ("classify", {"images": np.zeros((1, 42, 42, 1), np.uint8)}, ["theta"]),
        ("predict", {"pictures": np.zeros((1, 42, 42, 1), np.uint8)}, ["theta"]),
        ("predict", {"images": np.zeros((1, 28, 28, 1), np.uint8)}, ["theta"]),
        ("predict", {"images": np.zeros((1, 42, 42, 1), np.uint8)}, ["logits"]),
    ],
    ids=["signature", "input", "shape", "output"],
)
def test_a_request_that_a_server_would_fail_to_load_with_is_refused(
    models: Path,
    tmp_path: Path,
    signature: str,
    inputs: dict[str, np.ndarray],
    outputs: list[str],
) -> None:
    folder = Path(shutil.copytree(models / "stn" / "1", tmp_path / "1"))
    write_warmup(folder, [predict_request("stn", signature, inputs, outputs)])

    with pytest.raises(ExportRefusedError, match="replay of its warm-up file"):
        record_golden(folder)


def test_a_bad_request_fails_the_export(
    run_folder: Path, few: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = predict_request("stn", "classify", {}, [])
    monkeypatch.setattr(export_module, "classifier_requests", lambda name: [bad])

    with pytest.raises(ExportRefusedError, match="replay of its warm-up file"):
        export_classifier(run_folder, few, tmp_path / "models")

    assert list(tmp_path.iterdir()) == []


def test_a_bad_request_fails_the_export_of_warp_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = predict_request("warp", "warp", {"images": np.zeros((1, 1, 1, 1), np.float32)})
    monkeypatch.setattr(export_module, "warp_requests", lambda: [bad])

    with pytest.raises(ExportRefusedError, match="replay of its warm-up file"):
        export_warp(tmp_path / "models")

    assert list(tmp_path.iterdir()) == []


# The golden answers.


def test_golden_answers_are_those_of_the_session(models: Path, classifier: SessionModel) -> None:
    folder = models / "stn" / "1"

    answers = replay(read_warmup(folder), classifier)

    golden = read_golden(folder)
    assert [sorted(answer) for answer in golden] == 6 * [["probabilities", "theta"]] + 6 * [
        ["probabilities", "theta", "warped"]
    ]
    assert compare_golden(golden, answers) <= 1e-6


def test_golden_answers_of_warp_are_exact(models: Path, warp: SessionModel) -> None:
    """A quarter of a pixel to the right and down: the mean of four, weighted 9 : 3 : 3 : 1."""
    folder = models / "warp" / "1"
    image = tf.make_ndarray(read_warmup(folder)[0].inputs["images"])[0, :, :, 0]
    padded = np.pad(image, 1)

    weighted = [
        w * padded[1 + dy : 4 + dy, 1 + dx : 6 + dx]
        for w, dy, dx in ((9, 0, 0), (3, 0, 1), (3, 1, 0), (1, 1, 1))
    ]

    expected = sum(weighted) / 16
    golden = read_golden(folder)
    assert np.array_equal(golden[0]["warped"][0, :, :, 0], expected)
    assert all(np.array_equal(a["warped"], np.round(a["warped"])) for a in golden)
    assert {a["warped"].dtype for a in golden} == {np.dtype(np.float32), np.dtype(np.uint8)}


def test_recording_again_changes_nothing(models: Path) -> None:
    path = models / "stn" / "1" / "assets.extra" / "golden.npz"
    before = path.read_bytes()

    record_golden(models / "stn" / "1")

    assert path.read_bytes() == before


def test_golden_answers_must_be_finite(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "model_export.golden.replay", lambda requests, model: [{"theta": np.array([np.nan])}]
    )

    with pytest.raises(ExportRefusedError, match="'theta' of warm-up request 0"):
        record_golden(models / "stn" / "1")


def test_rounding_passes_and_more_does_not() -> None:
    golden = [{"theta": np.zeros(3, np.float32)}]
    near, far = (np.array([0, factor * TOLERANCE, 0], np.float32) for factor in (-0.9, -1.1))

    assert compare_golden(golden, [{"theta": near}]) == pytest.approx(0.9 * TOLERANCE)
    with pytest.raises(PromotionError, match=r"'theta' of golden request 0 differs by 0\.00011"):
        compare_golden(golden, [{"theta": far}])


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"theta": np.zeros(2, np.float32)},
        {"theta": np.zeros(3, np.float64)},
        {"theta": np.array([0, np.nan, 0], np.float32)},
    ],
    ids=["missing", "shape", "type", "nan"],
)
def test_an_answer_of_another_form_is_no_golden_answer(answer: dict[str, np.ndarray]) -> None:
    with pytest.raises(PromotionError, match="'theta' of golden request 0"):
        compare_golden([{"theta": np.zeros(3, np.float32)}], [answer])


def test_an_image_of_bytes_is_compared_without_wrapping_round() -> None:
    """0 and 255 are far apart, though their difference is 1 in uint8."""
    with pytest.raises(PromotionError, match="differs by 255"):
        compare_golden([{"w": np.full(1, 255, np.uint8)}], [{"w": np.zeros(1, np.uint8)}])


# Batching.


def test_the_sizes_end_in_the_largest_and_the_card_agrees(
    models: Path, classifier: SessionModel
) -> None:
    parameters = read_batching_parameters(models / "stn" / "1" / "batching_params.pbtxt")

    assert parameters.allowed_batch_sizes == ALLOWED_BATCH_SIZES
    assert parameters.max_batch_size == MAX_BATCH_SIZE == ALLOWED_BATCH_SIZES[-1] == 32
    card = json.loads(np.asarray(classifier.run("describe")["card"]).item())
    assert card["max_batch_size"] == MAX_BATCH_SIZE


def test_nothing_waits_for_company(models: Path) -> None:
    """The gateway has batched already."""
    parameters = read_batching_parameters(models / "stn" / "1" / "batching_params.pbtxt")

    assert parameters.batch_timeout_seconds == 0


def test_warp_is_not_batched(models: Path) -> None:
    """Its images have any size, and its output_size no batch."""
    assert not (models / "warp" / "1" / "batching_params.pbtxt").exists()


def test_a_server_that_batches_can_ask_for_the_description(
    models: Path, classifier: SessionModel
) -> None:
    """`describe` takes no rows, which a batching server refuses."""
    described = classifier.run("describe")

    batched = classifier.run("describe_batched", rows=np.zeros(3, np.uint8))

    assert batched["card"].tolist() == 3 * [described["card"]]
    assert batched["labels"].tolist() == 3 * [described["labels"].tolist()]
