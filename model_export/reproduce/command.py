"""`stn-model reproduce table1`: train what is asked, resume what was begun, print the table."""

import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from model_export.data import load_digits
from model_export.learner import Row
from model_export.progress import figures
from model_export.reproduce.cell import Cell, parse_cell, train_cell
from model_export.reproduce.experiments import EXPERIMENTS
from model_export.reproduce.networks import NETWORKS
from model_export.reproduce.recipe import recipe_for
from model_export.reproduce.table import write_table


def reproduce(options: Namespace) -> None:
    """Train the cells one after the other, as far as the budget goes, and print the table."""
    out: Path = options.out
    cells = chosen_cells(options.only, options.seeds)
    if options.budget != 0:
        digits = load_digits(options.data)
        budget = _Budget(options.budget)
        for cell in cells:
            recipe = recipe_for(cell.experiment, cell.network)
            if options.epochs is not None:
                recipe = replace(recipe, epochs=options.epochs)
            budget.begin(cell, recipe.epochs)
            train_cell(cell, recipe, digits, out / cell.folder, budget.spend)
            if budget.spent:
                break
    sys.stdout.write(write_table(out) + "\n")


def chosen_cells(only: list[str] | None, num_seeds: int) -> list[Cell]:
    """Return the cells in the order they are named, all of a seed before the next seed.

    Raises:
        ValueError: there is no such cell.
    """
    names = only or [f"{e}:{n}" for e in EXPERIMENTS for n in NETWORKS]
    return [parse_cell(name, seed) for seed in range(1, num_seeds + 1) for name in names]


class _Budget:
    """CPU minutes that may be spent, and a line to standard error for each epoch."""

    def __init__(self, minutes: float | None) -> None:
        self._minutes = minutes
        self._used = 0.0
        self.spent = False
        self._prefix, self._epochs = "", 0
        self._before: float | None = None

    def begin(self, cell: Cell, epochs: int) -> None:
        self._prefix, self._epochs = f"{cell.name} seed {cell.seed}", epochs
        self._before = None

    def spend(self, row: Row) -> bool:
        if self._before is None:
            # Of a resumed cell, only what is spent from now on counts.
            self._before = row["cpu_minutes"] * (1 - 1 / row["epoch"])
        self._used += row["cpu_minutes"] - self._before
        self._before = row["cpu_minutes"]
        sys.stderr.write(
            f"{self._prefix}: epoch {row['epoch']:.0f} of {self._epochs}: {figures(row)}\n"
        )
        sys.stderr.flush()
        self.spent = self._minutes is not None and self._used >= self._minutes
        return not self.spent
