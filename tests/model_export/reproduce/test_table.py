"""The table, and the command that makes it."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from model_export.cli import main
from model_export.reproduce.table import write_table


def write_result(
    out: Path, cell: str, seed: int, error: float, minutes: float, data: str = "MNIST"
) -> None:
    folder = out / f"{cell.replace(':', '-')}-seed{seed}"
    folder.mkdir(parents=True)
    row = {"epoch": 1, "validation_error_percent": error, "cpu_minutes": minutes}
    content: dict[str, Any] = {
        "cell": cell,
        "seed": seed,
        "num_parameters": 374720,
        "cpu_minutes": minutes,
        "test": {
            "data": data,
            "error_percent": error,
            "interval_95_percent": [error - 0.1, error + 0.1],
        },
        "log_sha256": "d" * 64,
        "history": [row],
    }
    (folder / "result.json").write_text(json.dumps(content))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    write_result(tmp_path, "RTS:st-cnn-affine", 1, 0.40, 50)
    write_result(tmp_path, "RTS:st-cnn-affine", 2, 0.44, 60)
    write_result(tmp_path, "R:st-cnn-tps", 1, 0.5, 40)
    write_result(tmp_path, "TC:st-cnn-tps", 1, 1.1, 80)
    return tmp_path


def test_a_row_has_the_papers_figure_the_mean_and_the_range_over_seeds(out: Path) -> None:
    rows = write_table(out).splitlines()

    assert rows[3] == ("| RTS | st-cnn-affine | 0.5 | 0.42 | 0.40 to 0.44 | 2 | 374,720 | 1 | 55 |")


def test_rows_stand_in_the_papers_order_and_may_have_no_figure_of_the_papers(out: Path) -> None:
    rows = [line.split(" | ") for line in write_table(out).splitlines()[2:]]

    assert [row[0] for row in rows] == ["| R", "| RTS", "| TC"]
    assert rows[2][2].strip() == ""


def test_a_figure_of_other_digits_is_not_taken_for_the_papers(out: Path) -> None:
    assert "not of MNIST" not in write_table(out)
    write_result(out, "P:cnn", 1, 3.0, 1, data="the sample")

    assert "- P:cnn seed 1: of the sample, not of MNIST" in write_table(out)


def test_the_csv_has_a_row_for_each_seed_with_its_logs_digest(out: Path) -> None:
    write_table(out)

    with (out / "table1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["1", "1", "2", "1"]
    assert {row["log_sha256"] for row in rows} == {"d" * 64}


def test_the_plot_is_a_picture(out: Path) -> None:
    write_table(out)

    with Image.open(out / "table1.png") as picture:
        assert min(picture.size) > 200


def test_a_cell_that_is_not_finished_is_said_to_be_so(tmp_path: Path) -> None:
    folder = tmp_path / "P-cnn-seed1"
    folder.mkdir()
    row = {"epoch": 7, "validation_error_percent": 1.25, "cpu_minutes": 9.0}
    (folder / "log.jsonl").write_text(json.dumps(row) + "\n")

    assert (
        "P-cnn-seed1: not finished; validation error 1.25 % after epoch 7, 9 CPU minutes"
        in write_table(tmp_path)
    )


def reproduce(out: Path, *more: str) -> int:
    return main(["reproduce", "table1", "--data", "sample", "--out", str(out), *more])


def test_the_command_trains_what_is_asked_and_prints_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = reproduce(tmp_path, "--only", "R:fcn", "--epochs", "1", "--seeds", "2")

    said = capsys.readouterr()
    assert status == 0
    assert "| R | fcn | 2.1 |" in said.out
    assert said.err.count("epoch 1 of 1") == 2


def test_a_budget_that_is_spent_stops_after_the_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reproduce(tmp_path, "--only", "R:fcn", "--epochs", "5", "--budget", "0.0001")

    assert "R-fcn-seed1: not finished" in capsys.readouterr().out


def test_a_cell_that_is_no_cell_ends_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reproduce(tmp_path, "--only", "RTS:resnet") == 2
    assert "'RTS:resnet' is no cell" in capsys.readouterr().err
