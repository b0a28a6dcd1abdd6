from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_export.data import Digits
from model_export.distortion import fixed_set
from model_export.evaluate import TestError, enlarge, evaluate, wilson_interval
from model_export.predictors import load_weights, open_predictor
from model_export.shifts import ALL_AT_ONCE, SHIFTS, shifted_set


def test_wilson_interval_of_a_textbook_example() -> None:
    """10 of 100, from Newcombe's tables (1998): 0.0552 to 0.1744."""
    assert wilson_interval(10, 100) == pytest.approx((0.0552, 0.1744), abs=1e-4)


@given(num_images=st.integers(1, 10**6), data=st.data())
def test_the_interval_holds_the_share_and_is_one_of_shares(
    num_images: int, data: st.DataObject
) -> None:
    num_wrong = data.draw(st.integers(0, num_images))

    low, high = wilson_interval(num_wrong, num_images)

    assert 0 <= low <= num_wrong / num_images <= high <= 1
    assert low < high


def test_what_is_counted_are_the_wrong_answers(few: Digits) -> None:
    """A predictor that says 7 whatever it sees is right where there are sevens."""

    def seven(images: np.ndarray) -> dict[str, np.ndarray]:
        probabilities = np.eye(10)[np.full(len(images), 7)]
        return {"probabilities": probabilities, "theta": np.zeros((len(images), 6))}

    evaluation = evaluate(seven, few)

    num_others = int((few.test_labels != 7).sum())
    assert {reading.error.num_wrong for reading in evaluation.readings} == {num_others}


def test_a_predictor_is_shown_all_test_sets(few: Digits) -> None:
    shown = []

    def look(images: np.ndarray) -> dict[str, np.ndarray]:
        shown.append(images)
        return {"probabilities": np.zeros((len(images), 10)), "theta": np.zeros((len(images), 6))}

    evaluation = evaluate(look, few)

    assert np.array_equal(shown[0], fixed_set(few.test_images)[0])
    assert np.array_equal(shown[1], enlarge(few.test_images))
    for pictures, shift in zip(shown[2:], (*SHIFTS, ALL_AT_ONCE), strict=True):
        assert np.array_equal(pictures, shifted_set(few.test_images, shift)[0])
    names = [reading.error.name for reading in evaluation.readings]
    assert len(set(names)) == len(names) == len(shown)


def test_enlarged_digits_fill_the_canvas_in_the_same_proportion(sample: Digits) -> None:
    """Each block of 3 x 3 pixels shows what 2 x 2 showed before; their means agree."""
    enlarged = enlarge(sample.test_images[:20]).astype(float)

    before = sample.test_images[:20].reshape(20, 14, 2, 14, 2).mean(axis=(2, 4))
    after = enlarged.reshape(20, 14, 3, 14, 3).mean(axis=(2, 4))
    assert enlarged.shape == (20, 42, 42)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.99


def test_an_error_knows_its_per_cent_and_interval() -> None:
    error = TestError("rts", "MNIST test", "turned", 5, 200, 3).as_dict()

    assert error["error_percent"] == 1.5
    assert error["interval_95_percent"][0] < 1.5 < error["interval_95_percent"][1]
    assert error["num_wrong"] == 3


def test_run_and_export_err_on_the_same_digits(
    run_folder: Path, models: Path, sample: Digits
) -> None:
    with open_predictor(run_folder) as run, open_predictor(models / "stn" / "1") as exported:
        of_run, of_export = evaluate(run, sample), evaluate(exported, sample)

    for ours, theirs in zip(of_run.readings, of_export.readings, strict=True):
        assert ours.error == theirs.error


def test_a_servables_folder_means_its_newest_version(models: Path, tmp_path: Path) -> None:
    """Ten is newer than nine, and what is not a number is no version."""
    for name in ("9", "10", ".11.tmp-x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    (tmp_path / "10" / "saved_model.pb").unlink()
    (tmp_path / "10").rmdir()
    (tmp_path / "10").symlink_to(models / "stn" / "1")

    with open_predictor(tmp_path) as predict:
        outputs = predict(np.zeros((2, 42, 42), np.uint8))

    assert outputs["probabilities"].shape == (2, 10)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError, match="neither a run folder"),
        open_predictor(tmp_path),
    ):
        pass


def test_the_warp_is_no_classifier(models: Path) -> None:
    with (
        pytest.raises(ValueError, match="no signature 'predict'"),
        open_predictor(models / "warp"),
    ):
        pass


def test_weights_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"not a zip file")

    with pytest.raises(ValueError, match=r"model\.keras is not a Keras model"):
        load_weights(tmp_path)
