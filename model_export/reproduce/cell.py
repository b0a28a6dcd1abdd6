"""One cell of the table: an experiment, a network and a seed, trained until it is done."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from model_export.data import Digits
from model_export.learner import Course, Row, refuse_other_settings
from model_export.reproduce.experiments import EXPERIMENTS, Experiment, fixed_set
from model_export.reproduce.measure import measuring
from model_export.reproduce.networks import NETWORKS
from model_export.reproduce.recipe import Recipe
from model_export.reproduce.trainer import Trainer

STATE, LOG, RESULT, MODEL = "state.npz", "log.jsonl", "result.json", "model.keras"
VALIDATION_SEED = 1506
# Few digits are held out; each is distorted several times.
_VALIDATION_DRAWS = 2


@dataclass(frozen=True)
class Cell:
    """What is trained.

    Attributes:
        experiment: a name in `EXPERIMENTS`.
        network: a name in `NETWORKS`.
        seed: of weights, order, distortion and dropout.
    """

    experiment: str
    network: str
    seed: int = 1

    @property
    def name(self) -> str:
        """Such as `RTS:st-cnn-affine`."""
        return f"{self.experiment}:{self.network}"

    @property
    def folder(self) -> str:
        """Where it keeps its files."""
        return f"{self.experiment}-{self.network}-seed{self.seed}"


def parse_cell(text: str, seed: int) -> Cell:
    """Return the cell that `RTS:st-cnn-affine` names.

    Raises:
        ValueError: there is no such experiment or network.
    """
    experiment, _, network = text.partition(":")
    if experiment not in EXPERIMENTS or network not in NETWORKS:
        raise ValueError(
            f"{text!r} is no cell: it must be EXPERIMENT:NETWORK, one of {', '.join(EXPERIMENTS)} "
            f"and one of {', '.join(NETWORKS)}"
        )
    return Cell(experiment, network, seed)


def train_cell(
    cell: Cell,
    recipe: Recipe,
    digits: Digits,
    folder: Path,
    go_on: Callable[[Row], bool] = lambda row: True,
) -> dict[str, Any] | None:
    """Train a cell from where it was left, and measure it once it is done.

    Args:
        cell: what.
        recipe: how; the same as before when there is something to go on from.
        digits: the training part is trained on; the test part is looked at once, at the end.
        folder: of this cell. It keeps `state.npz` (weights, optimizers, averages, epoch),
            `log.jsonl` (a line for each epoch) and, when done, `result.json` and `model.keras`.
        go_on: told of each epoch; training stops after it when this is false.

    Returns:
        What `result.json` holds; None when it was stopped before its end.

    Raises:
        ValueError: the folder holds a training with another recipe, or of other digits.
    """
    if (folder / RESULT).is_file():
        return _finished(folder, recipe, digits)
    folder.mkdir(parents=True, exist_ok=True)
    experiment = EXPERIMENTS[cell.experiment]
    data = _Data(digits, recipe.num_validation)
    trainer = Trainer(
        experiment, NETWORKS[cell.network], recipe, cell.seed, data.images, data.labels
    )
    settings = {**asdict(cell), **asdict(recipe), "num_digits": len(data.labels)}
    learner = trainer.learner
    course = Course(folder / STATE, learner, settings)
    validation = data.validation(experiment)
    measure = measuring(learner.model)
    for epoch in range(len(course.history) + 1, recipe.epochs + 1):
        with course.epoch() as row:
            row["loss"] = trainer.train_epoch(epoch)
            with learner.average.in_place():
                measured = measure(*validation)
            row["validation_error_percent"] = measured.error_percent
            row["theta_spread"] = measured.theta_spread
        _write_log(folder, course.history)
        if not go_on(row) and epoch < recipe.epochs:
            return None
    with learner.average.in_place():
        test = measure(fixed_set(experiment, digits.test_images, data.images), digits.test_labels)
        learner.model.save(folder / f".part-{MODEL}")
    (folder / f".part-{MODEL}").rename(folder / MODEL)
    # It may have been killed between its last state and its last line.
    _write_log(folder, course.history)
    result = {
        "cell": cell.name,
        "seed": cell.seed,
        "distortion": experiment.says,
        "num_parameters": learner.model.count_params(),
        "cpu_minutes": course.history[-1]["cpu_minutes"],
        "test": {"data": digits.name, **test.as_dict()},
        "recipe": asdict(recipe),
        "tensorflow": tf.__version__,
        "log_sha256": hashlib.sha256((folder / LOG).read_bytes()).hexdigest(),
        "history": course.history,
    }
    _write(folder / RESULT, json.dumps(result, indent=1) + "\n")
    return result


def _finished(folder: Path, recipe: Recipe, digits: Digits) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / RESULT).read_text())
    before = {**result["recipe"], "data": result["test"]["data"]}
    now = {**asdict(recipe), "data": digits.name}
    refuse_other_settings(f"{folder} was trained", before, now)
    return result


class _Data:
    """The training digits, and those of them that are held out: the same ones for every seed."""

    def __init__(self, digits: Digits, num_validation: int) -> None:
        count = len(digits.train_labels)
        order = np.random.default_rng(VALIDATION_SEED).permutation(count)
        held_out, used = np.split(order, [min(num_validation, count // 5)])
        self.images, self.labels = digits.train_images[used], digits.train_labels[used]
        self._held_out = digits.train_images[held_out], digits.train_labels[held_out]

    def validation(self, experiment: Experiment) -> tuple[np.ndarray, np.ndarray]:
        """Return pictures of the digits held out, each distorted several times, and labels."""
        images, labels = (np.concatenate([part] * _VALIDATION_DRAWS) for part in self._held_out)
        return fixed_set(experiment, images, self.images, VALIDATION_SEED), labels


def _write_log(folder: Path, history: list[Row]) -> None:
    _write(folder / LOG, "".join(json.dumps(row) + "\n" for row in history))


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".part-{path.name}")
    part.write_text(text)
    part.replace(path)
