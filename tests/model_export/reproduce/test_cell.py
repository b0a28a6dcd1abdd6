"""Training a cell: what is left behind, and that it can be killed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_export.data import Digits
from model_export.reproduce.cell import Cell, parse_cell, train_cell
from model_export.reproduce.experiments import EXPERIMENTS
from model_export.reproduce.networks import NETWORKS
from model_export.reproduce.recipe import Recipe, recipe_for
from model_export.reproduce.trainer import Trainer

CELL = Cell("R", "st-fcn-affine", seed=3)
PLAIN = Cell("R", "fcn")
RECIPE = Recipe(epochs=2, batch_size=40, averaging=0.5, share_bent=0.0)


@pytest.fixture(scope="module")
def uninterrupted(few: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cell")
    train_cell(CELL, RECIPE, few, folder)
    return folder


def result(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "result.json").read_text()))


def state(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "state.npz") as stored:
        return {name: stored[name] for name in stored if name != "notes"}


def test_a_finished_cell_says_what_it_is_made_of(uninterrupted: Path) -> None:
    found = result(uninterrupted)

    assert found["cell"] == "R:st-fcn-affine"
    assert [row["epoch"] for row in found["history"]] == [1, 2]
    assert found["test"]["num_images"] == 100
    assert {path.name for path in uninterrupted.iterdir()} == {
        "log.jsonl",
        "model.keras",
        "result.json",
        "state.npz",
    }


def test_a_training_killed_after_each_epoch_ends_with_the_same_numbers(
    uninterrupted: Path, few: Digits, tmp_path: Path
) -> None:
    """Weights, optimizers, averages, order, distortion and dropout go on where they were."""
    for _ in range(2):
        train_cell(CELL, RECIPE, few, tmp_path, go_on=lambda row: False)

    resumed, whole = result(tmp_path), result(uninterrupted)
    assert resumed["test"] == whole["test"]
    assert all(np.array_equal(v, state(uninterrupted)[n]) for n, v in state(tmp_path).items())


def test_a_finished_cell_is_not_trained_again(uninterrupted: Path, few: Digits) -> None:
    def never(row: object) -> bool:
        raise AssertionError(row)

    assert train_cell(CELL, RECIPE, few, uninterrupted, never) == result(uninterrupted)


def test_a_finished_cell_is_not_taken_for_one_of_another_recipe_or_other_digits(
    uninterrupted: Path, few: Digits
) -> None:
    with pytest.raises(
        ValueError, match=r"trained with other settings \(epochs was \d+, and is 3\)"
    ):
        train_cell(CELL, replace(RECIPE, epochs=3), few, uninterrupted)
    with pytest.raises(
        ValueError, match=r"trained with other settings \(data was .*, and is others\)"
    ):
        train_cell(CELL, RECIPE, replace(few, name="others"), uninterrupted)


def test_a_training_that_was_stopped_does_not_go_on_with_another_recipe(
    few: Digits, tmp_path: Path
) -> None:
    stopped = train_cell(PLAIN, RECIPE, few, tmp_path, go_on=lambda row: False)

    assert stopped is None
    assert not (tmp_path / "result.json").exists()
    with pytest.raises(
        ValueError, match=r"begun with other settings \(dropout was .*, and is 0.1\)"
    ):
        train_cell(PLAIN, replace(RECIPE, dropout=0.1), few, tmp_path)


def test_what_is_measured_is_the_average_of_the_weights(few: Digits) -> None:
    recipe = replace(RECIPE, averaging=0.5)
    trainer = Trainer(
        EXPERIMENTS["R"], NETWORKS["fcn"], recipe, 1, few.train_images[:40], few.train_labels[:40]
    )
    kernel = trainer.learner.model.get_layer("logits").kernel
    begun = kernel.numpy()

    trainer.train_epoch(1)
    trained = kernel.numpy()
    with trainer.learner.average.in_place():
        averaged = kernel.numpy()

    # The first step keeps a tenth of the average: (1 + 0) / (10 + 0).
    assert averaged == pytest.approx(0.1 * begun + 0.9 * trained, abs=1e-6)
    assert np.array_equal(kernel.numpy(), trained)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_keeps_within_half_a_million_parameters(
    experiment: str, network: str
) -> None:
    model = NETWORKS[network].build(EXPERIMENTS[experiment].canvas, 0.3)

    assert model.count_params() <= 500_000
    assert recipe_for(experiment, network).epochs > 0


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_plain_network_is_as_large_as_the_one_beside_it(experiment: str) -> None:
    plain, transformer = (
        NETWORKS[name].build(EXPERIMENTS[experiment].canvas, 0.3).count_params()
        for name in ("cnn", "st-cnn-affine")
    )

    assert plain == pytest.approx(transformer, rel=0.04)


@pytest.mark.parametrize("text", ["RTS", "RTS:resnet", "XY:cnn", ""])
def test_a_cell_that_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no cell"):
        parse_cell(text, 1)
