"""The table in benchmarks/table1 follows from the logs beside it, and they from today's recipes."""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from model_export.reproduce.experiments import EXPERIMENTS
from model_export.reproduce.networks import NETWORKS
from model_export.reproduce.recipe import recipe_for
from model_export.reproduce.table import write_table

TABLE = Path(__file__).parents[3] / "benchmarks" / "table1"


@pytest.mark.parametrize("folder", sorted(TABLE.glob("*/")), ids=lambda folder: folder.name)
def test_a_result_is_of_its_log_its_recipe_and_its_network(folder: Path) -> None:
    result = json.loads((folder / "result.json").read_text())
    log = (folder / "log.jsonl").read_bytes()
    experiment, network = result["cell"].split(":")
    recipe = recipe_for(experiment, network)

    assert folder.name == f"{experiment}-{network}-seed{result['seed']}"
    assert hashlib.sha256(log).hexdigest() == result["log_sha256"]
    assert [json.loads(line) for line in log.splitlines()] == result["history"]
    assert result["recipe"] == asdict(recipe)
    assert len(result["history"]) == recipe.epochs
    model = NETWORKS[network].build(EXPERIMENTS[experiment].canvas, recipe.dropout)
    assert result["num_parameters"] == model.count_params()


def test_the_table_is_of_the_results(tmp_path: Path) -> None:
    for result in TABLE.glob("*/result.json"):
        (tmp_path / result.parent.name).mkdir()
        shutil.copy(result, tmp_path / result.parent.name)

    write_table(tmp_path)

    for name in ("table1.md", "table1.csv"):
        assert (tmp_path / name).read_text() == (TABLE / name).read_text()
