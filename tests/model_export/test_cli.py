import io
import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from model_export import commands
from model_export.cli import main
from model_export.config import TrainingConfig
from model_export.data import Digits
from model_export.localizer_health import DeadLocalizerError
from model_export.predictors import load_weights
from model_export.progress import BarProgress, reading_progress, training_progress
from model_export.shifts import ALL_AT_ONCE, SHIFTS
from model_export.verify import ExportRefusedError

Capture = pytest.CaptureFixture[str]


def stn_model(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, with nothing said about logging."""
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-m", "model_export", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=200,
        check=False,
    )


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run of one epoch on the sample, far too short for a living localizer."""
    run = tmp_path_factory.mktemp("cli") / "run"
    return run, stn_model(
        "train", "--data", "sample", "--run", run, "--epochs", "1", "--threads", "1"
    )


# Help.


COMMANDS = ["train", "evaluate", "export", "reproduce", "serving-config", "promote", "rollback"]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_comes_without_tensorflow(command: list[str]) -> None:
    code = (
        "import sys\nfrom model_export.cli import main\n"
        f"try: main({[*command, '--help']!r})\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "stn-model" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_commands_help_has_an_example(command: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])

    assert f"\n  stn-model {command} " in capsys.readouterr().out


def test_train_has_a_flag_for_each_setting_and_shows_its_default(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])

    options = " ".join(capsys.readouterr().out.split()).partition("options:")[2]
    for field in fields(TrainingConfig):
        flag = f"--{field.name.replace('_', '-')}"
        assert f"(default: {field.default})" in options.partition(f"{flag} ")[2].partition(" --")[0]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["train"],
        ["train", "--run", "x", "--epochs", "many"],
        ["evaluate", "x", "--threads", "0"],
        ["export", "--only", "both"],
        ["deploy"],
    ],
)
def test_arguments_that_make_no_sense_end_with_two(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)

    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err


# From training to a served model.


def test_a_dead_localizer_ends_a_training_with_one_and_one_line(
    trained: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, done = trained

    assert done.returncode == 1, done.stderr
    progress, error = done.stderr.splitlines()
    assert progress.startswith("epoch 1 of 1: loss ")
    assert error.startswith("stn-model: error: the localizer ")
    assert "rts: " in done.stdout


def test_the_run_folder_is_complete_all_the_same(
    trained: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    run, _ = trained

    assert {path.name for path in run.iterdir()} == {
        "config.json",
        "metrics.json",
        "metrics.csv",
        "model.keras",
        "state.npz",
        "learning_curves.png",
        "looks.png",
    }


def test_what_is_exported_can_be_evaluated(
    trained: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path, capsys: Capture
) -> None:
    models = tmp_path / "models"

    exported = stn_model("export", "--run", trained[0], "--data", "sample", "--models", models)
    status = main(["evaluate", str(models / "stn"), "--data", "sample", "--json"])
    evaluated = capsys.readouterr()

    assert exported.returncode == 0, exported.stderr
    assert "stn-model: warning: the localizer" in exported.stderr
    assert len(exported.stderr.splitlines()) == 1
    assert sorted(p.relative_to(models).as_posix() for p in models.glob("*/*")) == [
        "stn/1",
        "warp/1",
    ]
    rts, undistorted, *shifted = json.loads(evaluated.out)["test_errors"]
    assert status == 1, "a dead localizer is told of here too"
    assert (rts["seed"], undistorted["seed"]) == (20150605, None)
    for error in (rts, *shifted):
        assert f"{error['name']}: {error['num_wrong']} of 1,000 wrong" in exported.stdout
    assert len({error["seed"] for error in shifted}) == len(shifted) == 8


# Errors: one line, and never a traceback.


def failing(arguments: list[str | Path], capsys: Capture) -> tuple[int, str]:
    status = main([str(argument) for argument in arguments])
    (line,) = capsys.readouterr().err.splitlines()
    return status, line


def test_a_run_folder_in_use_is_refused(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "notes.txt").touch()

    status, line = failing(["train", "--data", "sample", "--run", tmp_path], capsys)

    assert status == 2
    assert line.endswith("holds no training on digits to go on with; name another")


def test_data_that_is_not_there_is_refused(tmp_path: Path, capsys: Capture) -> None:
    run = tmp_path / "run"

    status, line = failing(["train", "--data", tmp_path, "--run", run], capsys)

    assert status == 2
    assert "train-images-idx3-ubyte" in line
    assert not run.exists()


def test_a_setting_that_cannot_work_is_refused(tmp_path: Path, capsys: Capture) -> None:
    status, line = failing(["train", "--run", tmp_path / "run", "--epochs", "0"], capsys)

    assert (status, line) == (2, "stn-model: error: epochs must be at least 1; got 0")


def test_a_model_that_is_not_there_is_refused(tmp_path: Path, capsys: Capture) -> None:
    status, line = failing(["evaluate", tmp_path / "nothing", "--data", "sample"], capsys)

    assert status == 2
    assert "neither a run folder" in line


def test_a_classifier_cannot_be_exported_without_a_run(tmp_path: Path, capsys: Capture) -> None:
    status, line = failing(["export", "--models", tmp_path], capsys)

    assert status == 2
    assert "--run or --keras is needed" in line


@pytest.mark.parametrize(
    "more",
    [("--keras", "m.keras"), ("--labels", "l"), ("--input-range", "unit"), ("--import", "mine")],
)
def test_what_is_for_a_model_of_ones_own_is_refused_with_a_run(
    more: tuple[str, str], run_folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    status, line = failing(["export", "--run", run_folder, "--models", tmp_path, *more], capsys)

    assert status == 2
    assert f"{more[0]} is for a model of your own" in line


def test_a_run_that_is_not_there_is_said_before_digits_are_looked_for(
    tmp_path: Path, capsys: Capture
) -> None:
    command: list[str | Path] = ["export", "--run", tmp_path / "typo", "--models", tmp_path]

    status, line = failing([*command, "--data", tmp_path / "neither"], capsys)

    assert status == 2
    assert "typo is no run folder" in line


def test_a_report_on_digits_is_refused(run_folder: Path, tmp_path: Path, capsys: Capture) -> None:
    status, line = failing(["evaluate", run_folder, "--report", tmp_path / "report.html"], capsys)

    assert status == 2
    assert "--report is for pictures" in line


def test_a_run_on_digits_is_not_asked_about_pictures(
    run_folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    status, line = failing(["evaluate", run_folder, "--images", tmp_path], capsys)

    assert status == 2
    assert f"once it is exported: 'stn-model export --run {run_folder}'" in line


def test_a_version_that_exists_is_refused_before_any_work(
    models: Path, run_folder: Path, capsys: Capture
) -> None:
    arguments: list[str | Path] = ["export", "--run", run_folder, "--data", "sample"]

    status, line = failing([*arguments, "--models", models, "--version", "1"], capsys)

    assert status == 2
    assert "stn/1 exists" in line


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ExportRefusedError("no"), 1),
        (DeadLocalizerError("no"), 1),
        (PermissionError(13, "no"), 2),
        (ConnectionError("no"), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_kind_of_failure_has_its_exit_status(
    error: BaseException, status: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(commands, "export_warp", fail)

    assert failing(["export", "--only", "warp"], capsys)[0] == status


def test_a_mistake_of_ours_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AttributeError

    monkeypatch.setattr(commands, "export_warp", fail)

    with pytest.raises(AttributeError):
        main(["export", "--only", "warp"])


# Evaluation.


def test_evaluate_says_errors_and_health_in_words(
    monkeypatch: pytest.MonkeyPatch, models: Path, few: Digits, tmp_path: Path, capsys: Capture
) -> None:
    monkeypatch.setattr(commands, "load_digits", lambda _: few)

    status = main(["evaluate", str(models / "stn" / "1"), "--pictures", str(tmp_path / "pictures")])

    said = capsys.readouterr()
    assert "of 100 wrong" in said.out
    assert "95 % interval" in said.out
    assert "seed 20150605" in said.out
    # Three epochs on the sample: the check has its word too.
    assert (status == 1) == ("the localizer" in said.err)
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    shifts = (shift.name for shift in (*SHIFTS, ALL_AT_ONCE))
    kinds = ("rts", "undistorted", *shifts)
    assert names == {f"{kind}{end}.png" for kind in kinds for end in ("", "_mistakes")}


# Progress.

ROW = {
    "epoch": 1,
    "loss": 0.25,
    "validation_error_percent": 12.5,
    "centre_correlation": 0.875,
    "cpu_minutes": 0.5,
}


def test_away_from_a_terminal_each_epoch_is_a_line() -> None:
    written = io.StringIO()

    with training_progress(Console(file=written)) as progress:
        progress.start(2, 10)
        for _ in range(5):
            progress.step()
        progress.epoch(ROW)

    (line,) = written.getvalue().splitlines()
    assert line.startswith("epoch 1 of 2: loss 0.2500, validation error 12.50 %")


def test_at_a_terminal_there_is_a_bar() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=200)

    with training_progress(console) as progress:
        progress.start(1, 3)
        for _ in range(3):
            progress.step()
        progress.epoch(ROW)

    assert isinstance(progress, BarProgress)
    assert "3/3" in written.getvalue()
    assert "loss 0.2500" in written.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_reading_pictures_has_a_bar_at_a_terminal_alone(terminal: bool) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=200)

    with reading_progress(console, 4) as told:
        for _ in range(3):
            told()

    assert ("reading" in written.getvalue()) == terminal
    assert ("75%" in written.getvalue()) == terminal


# Killed.


def test_a_killed_training_goes_on_with_the_same_command(tmp_path: Path, capsys: Capture) -> None:
    """SIGKILL in the second epoch, or at the latest right after it, and the same end."""

    def command(name: str) -> list[str]:
        run = str(tmp_path / name)
        settings = ["--epochs", "2", "--batch-size", "256", "--recipe", "robust"]
        return ["train", "--data", "sample", "--run", run, *settings]

    process = subprocess.Popen(
        [sys.executable, "-m", "model_export", *command("killed")],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("epoch 1 of 2: ")
        process.kill()

    main(command("killed"))
    resumed = capsys.readouterr()
    main(command("whole"))
    whole = capsys.readouterr()

    assert "epoch 1 of 2" not in resumed.err
    assert resumed.out == whole.out
    weights = [load_weights(tmp_path / name).get_weights() for name in ("killed", "whole")]
    assert all(map(np.array_equal, *weights))


def test_a_run_from_elsewhere_is_not_written_over(tmp_path: Path, capsys: Capture) -> None:
    """Weights without a state to go on from are somebody's only copy."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.keras").write_bytes(b"precious")

    status = main(["train", "--data", "sample", "--run", str(tmp_path), "--epochs", "1"])

    assert status == 2
    assert "holds no training on digits to go on with" in capsys.readouterr().err
    assert (tmp_path / "model.keras").read_bytes() == b"precious"
