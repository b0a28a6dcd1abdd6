"""A training on pictures, its end, and what is reported."""

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_export.cli import main
from model_export.evaluate import wilson_interval
from model_export.images import training
from model_export.images.config import ImageConfig
from model_export.images.figures import draw_calibration
from model_export.images.prepare import INDEX, PIXELS, Prepared, open_prepared
from model_export.images.reading import PictureSpec
from model_export.images.readings import Readings, read_pictures
from model_export.images.report import say_readings
from model_export.images.split import VALIDATION
from model_export.images.training import STATE, train_on_pictures
from model_export.predictors import keras_predictor, load_classifier
from model_export.training_state import read_notes
from tests.model_export.images.conftest import TINY, draw_bars
from tests.model_export.killer import Killed, Killer


def weights(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / STATE) as stored:
        return {name: stored[name] for name in stored if name != "notes"}


def test_a_training_killed_within_an_epoch_ends_with_the_same_weights(
    trained: Prepared, tmp_path: Path
) -> None:
    for name in (INDEX, PIXELS):
        shutil.copy(trained.folder / name, tmp_path / name)
    prepared = open_prepared(tmp_path)

    with pytest.raises(Killed):
        train_on_pictures(prepared, TINY, Killer())
    history = train_on_pictures(prepared, TINY)

    whole = weights(trained.folder)
    assert len(history) == TINY.epochs
    assert all(np.array_equal(values, whole[name]) for name, values in weights(tmp_path).items())


@pytest.mark.parametrize(("name", "value"), [("dropout", 0.1), ("transform", "tps")])
def test_a_run_does_not_go_on_with_other_settings(name: str, value: Any, trained: Prepared) -> None:
    with pytest.raises(
        ValueError, match=rf"begun with other settings \({name} was .*, and is {value}\)"
    ):
        train_on_pictures(trained, replace(TINY, **{name: value}))


def test_a_training_that_diverges_says_so_and_keeps_what_it_had(
    trained: Prepared, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (INDEX, PIXELS):
        shutil.copy(trained.folder / name, tmp_path / name)
    losses = iter([0.5, math.nan])
    monkeypatch.setattr(training._Training, "epoch", lambda *_: next(losses))

    with pytest.raises(ValueError, match="diverged in epoch 2: its loss is nan"):
        train_on_pictures(open_prepared(tmp_path), TINY)

    assert [row["epoch"] for row in read_notes(tmp_path / STATE)["history"]] == [1]


def test_the_validation_figures_are_those_of_the_kept_weights_on_the_pictures_held_out(
    trained: Prepared,
) -> None:
    history = training.read_history(trained.folder)
    best = min(history, key=lambda row: row["validation_loss"])
    held_out = trained.part(VALIDATION)
    classes = trained.classes[held_out]

    answers = keras_predictor(load_classifier(trained.folder))(trained.read(held_out))

    shares = answers["probabilities"][np.arange(len(classes)), classes]
    assert best["validation_loss"] == pytest.approx(-np.log(shares).mean(), rel=1e-4)
    wrong = answers["probabilities"].argmax(axis=1) != classes
    assert best["validation_error_percent"] == pytest.approx(100 * wrong.mean())


def test_a_rare_class_weighs_as_much_as_a_frequent_one() -> None:
    classes = np.array([0, 0, 0, 0, 0, 0, 1, 1, 3])

    weights = training._rarity(classes, 4)

    totals = [weights[number] * (classes == number).sum() for number in (0, 1, 3)]
    assert totals == pytest.approx([3, 3, 3]), "one on average over the nine"


def test_training_stops_when_validation_gets_no_better(
    trained: Prepared, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    losses = iter([3.0, 1.0, 2.0, 2.0, 2.0, 2.0])
    saved: list[float] = []
    monkeypatch.setattr(training._Training, "epoch", lambda *_: 0.0)
    monkeypatch.setattr(training._Training, "validate", lambda _: {"validation_loss": next(losses)})
    monkeypatch.setattr(training, "_save_model", lambda *_: saved.append(1.0))
    for name in (INDEX, PIXELS):
        shutil.copy(trained.folder / name, tmp_path / name)

    history = train_on_pictures(open_prepared(tmp_path), replace(TINY, epochs=9, patience=2))

    assert [row["validation_loss"] for row in history] == [3.0, 1.0, 2.0, 2.0]
    assert len(saved) == 2, "the best two so far were kept, and nothing after them"


LIGHT = "dark_on_light"

READINGS = Readings(
    ("a", "b", "c"),
    np.array(["1", "2", "3", "4"]),
    np.array([0, 0, 1, 1]),
    np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.4, 0.6, 0.0], [0.95, 0.0, 0.05]]),
    np.zeros((4, 6)),
)


def test_the_figures_of_readings_are_those_counted_by_hand() -> None:
    assert READINGS.accuracy == 0.5
    assert READINGS.confusion.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert READINGS.mistakes() == [
        {"label": "a", "read_as": "b", "num_images": 1},
        {"label": "b", "read_as": "a", "num_images": 1},
    ]
    assert READINGS.worst_first().tolist() == [3, 1]
    assert READINGS.commonest == ("a", 0.5)
    third = READINGS.per_class()[2]
    assert (third["num_images"], third["precision"], third["recall"]) == (0, None, None)
    # |0.925 - 0.5| * 2/4 + |0.8 - 0| / 4 + |0.6 - 1| / 4
    assert READINGS.calibration_error == pytest.approx(0.2125 + 0.2 + 0.1)


def test_calibration_is_drawn_with_what_chance_may_do_to_few_pictures() -> None:
    (axes,) = draw_calibration(READINGS).axes

    drawn = [np.asarray(line.get_data()).T.tolist() for line in axes.lines[1:]]
    intervals, points = drawn[::2], [point for (point,) in drawn[1::2]]
    assert points == [[0.6, 1.0], [0.8, 0.0], [pytest.approx(0.925), 0.5]]
    for interval, num_right, (confidence, _) in zip(intervals, (1, 0, 1), points, strict=True):
        low, high = wilson_interval(num_right, 2 if confidence > 0.9 else 1)
        assert interval == [[confidence, low], [confidence, high]]


def test_who_is_not_surely_better_than_one_answer_to_all_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    right = np.array([[1.0, 0.0, 0.0]] * 3 + [[0.0, 1.0, 0.0]])
    many = np.tile(np.arange(4), 50)

    for indices in (np.arange(4), many):
        part = Readings(
            ("a", "b", "c"),
            indices,
            np.array([0, 0, 0, 1])[indices],
            right[indices],
            np.zeros((4, 6)),
        )
        say_readings("test", part, None)

    few, many_said = capsys.readouterr().out.split("test: ")[1:]
    assert few.endswith("Whoever answers 'a' to every one of them is right on 75.0%.\n")
    assert "Whoever" not in many_said


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"transform": "rubber"}, "transform must be one of affine"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"test_share": 0.0}, "test_share must lie above 0"),
        ({"augment": 4.0}, "augment must lie between 0 and 3"),
        ({"balanced": True, "class_weights": True}, "take one"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"weight_decay": -5.0}, "weight_decay must be at least 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageConfig(**setting)


def test_a_run_does_not_go_on_with_other_pictures_or_another_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bars, run = draw_bars(tmp_path / "bars", 6), tmp_path / "run"
    again = ["train", "--images", str(bars), "--run", str(run), "--epochs", "1"]

    first = main(again)
    capsys.readouterr()
    statuses = [main([*again, *more]) for more in (["--size", "28"], ["--size", "32"])]
    statuses.append(main([*again, "--test-share", "0.3"]))
    (bars / "lying" / "more.png").write_bytes((bars / "standing" / "000.png").read_bytes())
    statuses.append(main(again))

    errors = capsys.readouterr().err
    assert (first, *statuses) == (0, 0, 2, 2, 2)
    begun = (
        "--size 28 --channels 1 --polarity light_on_dark --validation-share 0.15 --test-share 0.15"
    )
    assert errors.count(f"was begun with {begun};") == 2
    assert "was begun with other pictures than" in errors
    assert "(13 files)" in errors


def test_an_input_too_small_for_the_network_is_refused_before_anything_is_read(
    bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"

    assert main(["train", "--images", str(bars), "--run", str(run), "--size", "4"]) == 2
    assert "size must lie between 16 and 512; got 4" in capsys.readouterr().err
    assert not run.exists()


def test_options_of_digits_and_pictures_do_not_mix(
    bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--images", str(bars), "--run", str(tmp_path / "run")]

    assert main([*arguments, "--share-close", "0.5"]) == 2
    assert "--share-close is for training on digits" in capsys.readouterr().err
    for flags in (["--transform", "tps"], ["--size", "64"], ["--balanced"], ["--polarity", LIGHT]):
        assert main(["train", "--data", "sample", "--run", str(tmp_path / "run"), *flags]) == 2
        assert f"{flags[0]} is for pictures: it needs --images" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_larger_pictures_are_the_fewer_are_asked_about_at_once() -> None:
    sizes: list[int] = []

    def predict(images: np.ndarray) -> dict[str, np.ndarray]:
        sizes.append(len(images))
        return {"probabilities": np.zeros((len(images), 2)), "theta": np.zeros((len(images), 6))}

    class Endless:
        labels, spec = ("a", "b"), PictureSpec(512, 512, 3, 0)
        paths, classes = np.zeros(9, "U1"), np.zeros(9, int)

        def read(self, indices: np.ndarray) -> np.ndarray:
            return np.zeros((len(indices), *self.spec.shape), np.uint8)

    readings = read_pictures(predict, Endless(), np.arange(9))  # type: ignore[arg-type]

    assert sizes == [4, 4, 1]
    assert len(readings.classes) == 9
