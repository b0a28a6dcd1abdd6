"""The tables in benchmarks/table1 and in the guide follow from the logs, these from the recipes."""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from model_export.reproduce.experiments import EXPERIMENTS
from model_export.reproduce.networks import NETWORKS
from model_export.reproduce.paper import PAPER
from model_export.reproduce.recipe import recipe_for
from model_export.reproduce.table import write_table

ROOT = Path(__file__).parents[3]
TABLE = ROOT / "benchmarks" / "table1"


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
    assert len(set(result["test"]["misread"])) == result["test"]["num_wrong"]
    model = NETWORKS[network].build(EXPERIMENTS[experiment].canvas, recipe.dropout)
    assert result["num_parameters"] == model.count_params()


def test_the_table_is_of_the_results(tmp_path: Path) -> None:
    for result in TABLE.glob("*/result.json"):
        (tmp_path / result.parent.name).mkdir()
        shutil.copy(result, tmp_path / result.parent.name)

    write_table(tmp_path)

    for name in ("table1.md", "table1.csv"):
        assert (tmp_path / name).read_text() == (TABLE / name).read_text()


@pytest.mark.parametrize("folder", sorted(TABLE.glob("*/")), ids=lambda folder: folder.name)
def test_the_guide_has_each_result_with_the_digest_of_its_log(folder: Path) -> None:
    result = json.loads((folder / "result.json").read_text())
    (row,) = (
        [cell.strip(" *") for cell in line.split("|")[1:-1]]
        for line in (ROOT / "docs" / "training.md").read_text().splitlines()
        if f"{folder.name}/log.jsonl" in line
    )
    error, (low, high) = result["test"]["error_percent"], result["test"]["interval_95_percent"]
    experiment = result["cell"].split(":")[0]

    assert row[0].startswith(f"{experiment}, ")
    assert row[1:7] == [
        f"{PAPER[result['cell']]} %",
        f"{error:.2f} %",
        f"{low:.2f} to {high:.2f} %",
        f"{result['num_parameters']:,}",
        f"{result['cpu_minutes']:.0f}",
        str(result["seed"]),
    ]
    assert row[7].startswith(f"[`{result['log_sha256'][:12]}`]")
