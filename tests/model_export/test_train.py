import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_export.config import TrainingConfig
from model_export.data import Digits
from model_export.predictors import keras_predictor, load_weights
from model_export.train import TrainingResult, train
from tests.model_export.conftest import TINY
from tests.model_export.killer import Killed, Killer

SHORT = TrainingConfig(epochs=2, batch_size=20, seed=1)


def figures(result: TrainingResult) -> list[dict[str, float]]:
    """The history without its CPU minutes, which no two runs share."""
    return [{k: v for k, v in row.items() if k != "cpu_minutes"} for row in result.history]


class Recorder:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def start(self, num_epochs: int, num_steps: int) -> None:
        self.calls.append((num_epochs, num_steps))

    def step(self) -> None:
        self.calls.append("step")

    def epoch(self, row: dict[str, float]) -> None:
        self.calls.append(f"epoch {row['epoch']}")


def test_the_loss_falls(run: tuple[Path, TrainingResult]) -> None:
    losses = [row["loss"] for row in run[1].history]

    assert len(losses) == TINY.epochs
    assert losses[-1] < 0.9 * losses[0]


def test_the_run_folder_says_what_was_done(run_folder: Path) -> None:
    config = json.loads((run_folder / "config.json").read_text())

    assert config["data"] == "MNIST sample"
    assert config["seed"] == TINY.seed
    # A fifth of 1,000, not the 2,000 asked for.
    assert config["num_validation"] == 200


def test_metrics_agree_in_json_and_csv(run: tuple[Path, TrainingResult]) -> None:
    folder, result = run
    metrics = json.loads((folder / "metrics.json").read_text())
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]

    assert rows == metrics["history"] == result.history
    assert metrics["localizer"]["centre_correlation"] == list(result.health.centre_correlation)
    assert len(metrics["localizer"]["theta_spread"]) == 6


def test_the_weights_that_are_left_are_those_that_are_returned(
    run: tuple[Path, TrainingResult], sample: Digits
) -> None:
    folder, result = run
    images = np.pad(sample.test_images[:3], ((0, 0), (7, 7), (7, 7)))

    saved, trained = (keras_predictor(m)(images) for m in (load_weights(folder), result.model))

    assert saved["probabilities"] == pytest.approx(trained["probabilities"], abs=1e-6)


def test_no_half_written_file_is_left(run_folder: Path) -> None:
    names = {path.name for path in run_folder.iterdir()}

    assert names == {"config.json", "metrics.json", "metrics.csv", "model.keras", "state.npz"}


def test_the_same_seed_gives_the_same_weights(few: Digits, tmp_path: Path) -> None:
    config = TrainingConfig(epochs=1, batch_size=40, seed=1)

    first, again = (train(few, config, tmp_path / name).model for name in ("first", "again"))

    pairs = zip(first.get_weights(), again.get_weights(), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)


def test_a_run_killed_within_an_epoch_ends_with_the_same_files(few: Digits, tmp_path: Path) -> None:
    """Weights, optimizers, averages, order, distortion and dropout go on where they were."""
    whole = train(few, SHORT, tmp_path / "whole")

    with pytest.raises(Killed):
        train(few, SHORT, tmp_path / "killed", Killer())
    resumed = train(few, SHORT, tmp_path / "killed")

    pairs = zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)
    assert figures(resumed) == figures(whole)
    assert resumed.health == whole.health
    saved = load_weights(tmp_path / "killed").get_weights()
    assert all(map(np.array_equal, saved, whole.model.get_weights()))


def test_files_that_were_not_written_before_the_kill_are_written_after_it(
    few: Digits, tmp_path: Path
) -> None:
    """The state is written first: a run may be killed between it and the rest."""
    whole = train(few, SHORT, tmp_path)
    for name in ("model.keras", "metrics.json", "metrics.csv"):
        (tmp_path / name).unlink()

    train(few, SHORT, tmp_path)

    assert all(map(np.array_equal, load_weights(tmp_path).get_weights(), whole.model.get_weights()))
    assert json.loads((tmp_path / "metrics.json").read_text())["history"] == whole.history


def test_a_run_does_not_go_on_with_other_settings(
    run: tuple[Path, TrainingResult], sample: Digits
) -> None:
    with pytest.raises(
        ValueError, match=r"begun with other settings \(recipe was rts, and is robust\)"
    ):
        train(sample, replace(TINY, recipe="robust"), run[0])


def test_the_robust_recipe_says_how_it_reads_what_is_drawn_anyhow(
    few: Digits, tmp_path: Path
) -> None:
    result = train(few, replace(SHORT, recipe="robust", epochs=1), tmp_path)

    assert 0 <= result.history[0]["anyhow_error_percent"] <= 100
    assert np.isfinite(result.history[0]["loss"])


def test_a_watcher_is_told_of_each_step_and_epoch(few: Digits, tmp_path: Path) -> None:
    recorder = Recorder()

    train(few, TrainingConfig(epochs=2, batch_size=40), tmp_path / "run", recorder)

    assert recorder.calls == [(2, 4), "step", "step", "epoch 1", "step", "step", "epoch 2"]


def test_too_few_digits_for_a_batch_are_refused(few: Digits, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave 80, fewer than one batch of 128"):
        train(few, TrainingConfig(), tmp_path / "run")

    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1; got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive"),
        ({"recipe": "soup"}, "recipe must be one of rts, robust; got 'soup'"),
        ({"averaging": 1.0}, "averaging must be at least 0 and below 1"),
        ({"share_close": 1.5}, "share_close must lie between 0 and 1"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**setting)
