"""A network that learns: its optimizers, its averaged weights, and how it goes on after a kill."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from model_export.averaging import AveragedWeights
from model_export.pacing import PacedOptimizer
from model_export.training_state import read_notes, restore_state, save_state

Row = dict[str, float]


class Learner:
    """A model with the optimizers and the moving average of its weights.

    Args:
        model: what learns.
        settings: with `learning_rate`, `localizer_rate`, `weight_decay` and `averaging`.
        total_steps: of the training.
        cycles: how often the learning rate rises and falls.
    """

    def __init__(
        self, model: keras.Model, settings: Any, total_steps: int, cycles: int = 1
    ) -> None:
        self.model = model
        self.average = AveragedWeights(model, settings.averaging)
        self._optimizer = PacedOptimizer(
            model,
            settings.learning_rate,
            settings.localizer_rate,
            settings.weight_decay,
            total_steps,
            cycles,
        )

    @property
    def variables(self) -> dict[str, list[Any]]:
        """Everything that a training goes on from, by group."""
        return {
            "model": list(self.model.variables),
            "optimizers": self._optimizer.variables,
            "average": self.average.variables,
        }

    def descend(self, loss: tf.Tensor, tape: tf.GradientTape, step_number: tf.Tensor) -> None:
        """Take one step down a loss, and take the weights into the average."""
        self._optimizer.minimize(loss, tape)
        self.average.update(step_number)


class Course:
    """The epochs of a training, kept in a file: killed at any moment, it goes on from the last one.

    Args:
        path: of the file.
        learner: what is kept.
        settings: of the training; it goes on only with the same ones.

    Raises:
        ValueError: the file holds a training with other settings, or of another model.

    Attributes:
        history: a row for each epoch that is done.
    """

    def __init__(self, path: Path, learner: Learner, settings: dict[str, Any]) -> None:
        self._path, self._learner, self._settings = path, learner, settings
        self.history: list[Row] = []
        if path.is_file():
            notes = read_notes(path)
            refuse_other_settings(f"{path.parent} was begun", notes["settings"], settings)
            restore_state(path, learner.variables)
            self.history = list(notes["history"])

    @contextmanager
    def epoch(self) -> Iterator[Row]:
        """Give a row to fill; at the end it gets its CPU minutes, and everything is written.

        Raises:
            ValueError: the loss is no number any more.
        """
        row: Row = {"epoch": len(self.history) + 1}
        started = time.process_time()
        yield row
        if not math.isfinite(row["loss"]):
            raise ValueError(
                f"the training diverged in epoch {row['epoch']:.0f}: its loss is {row['loss']}. "
                "Begin another run with a lower learning rate"
            )
        minutes = (time.process_time() - started) / 60
        row["cpu_minutes"] = minutes + (self.history[-1]["cpu_minutes"] if self.history else 0)
        self.history.append(row)
        notes = {"settings": self._settings, "history": self.history}
        save_state(self._path, self._learner.variables, notes)


def refuse_other_settings(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with other settings than those of before.

    Args:
        what: happened before, such as `runs/1 was begun`.
        before: the settings then; there may be more.
        now: those that are asked for.

    Raises:
        ValueError: some are not the same; it names them.
    """
    different = [
        f"{name} was {before.get(name)}, and is {value}"
        for name, value in now.items()
        if before.get(name) != value
    ]
    if different:
        raise ValueError(
            f"{what} with other settings ({'; '.join(different)}); name another folder, or go on "
            "with the old ones"
        )
