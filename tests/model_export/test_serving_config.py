"""The configuration that TensorFlow Serving is started with."""

import shutil
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from model_export.cli import main
from model_export.serving_client import ModelServer
from model_export.serving_config import (
    build_config,
    labels_in,
    read_config,
    render_config,
    server_flags,
    write_config,
)
from tests.serving_double.process import ServingDoubleProcess


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Versions 1 and 10 of `stn`, 2 of `warp`, and things that are no servables."""
    for path in ("stn/1", "stn/10", "stn/.11.tmp-x", "warp/2", "notes/old", ".hidden/1"):
        (tmp_path / "models" / path).mkdir(parents=True)
    (tmp_path / "models" / "README.md").write_text("")
    (tmp_path / "models" / "stn" / "labels.json").write_text('{"stable": 1, "canary": 10}')
    return tmp_path / "models"


def test_each_servable_is_hosted_with_all_versions_and_its_labels(folder: Path) -> None:
    """Read with the server's own message."""
    text = render_config(build_config(folder, "/models/"))

    config = text_format.Parse(text, ModelServerConfig())
    entries = config.model_config_list.config
    assert [(e.name, e.base_path, e.model_platform, dict(e.version_labels)) for e in entries] == [
        ("stn", "/models/stn", "tensorflow", {"stable": 1, "canary": 10}),
        ("warp", "/models/warp", "tensorflow", {}),
    ]
    assert {e.model_version_policy.WhichOneof("policy_choice") for e in entries} == {"all"}


def test_the_same_folder_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_config(tmp_path / name, build_config(folder, "/models"))
        (folder / "stn" / "labels.json").write_text('{"canary": 10, "stable": 1}')

    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_what_was_written_reads_back(folder: Path, tmp_path: Path) -> None:
    config = build_config(folder, "/models")

    write_config(tmp_path, config)

    assert read_config(tmp_path / "models.config") == config
    assert labels_in(config, "stn") == {"stable": 1, "canary": 10}


def test_metrics_are_where_prometheus_looks(folder: Path, tmp_path: Path) -> None:
    """The official package lacks this message, so the text is compared."""
    write_config(tmp_path, build_config(folder, "/models"))

    lines = (tmp_path / "monitoring.config").read_text().splitlines()
    assert " ".join(" ".join(line for line in lines if not line.startswith("#")).split()) == (
        'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }'
    )


def test_a_label_of_a_version_that_is_not_there_is_refused(folder: Path) -> None:
    """The server would not start."""
    with pytest.raises(ValueError, match=r"'stable' names version 7 of .*stn, which has 1, 10"):
        build_config(folder, "/models", {"stn": {"stable": 7}})


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no servables"):
        build_config(tmp_path, "/models")


@pytest.mark.parametrize("text", ["no config", "custom_model_config {}", ""])
def test_a_file_without_a_list_of_models_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "models.config").write_text(text)

    with pytest.raises(ValueError, match=r"models\.config"):
        read_config(tmp_path / "models.config")


def test_a_servable_that_is_not_hosted_is_said_with_those_that_are(folder: Path) -> None:
    with pytest.raises(ValueError, match="has no servable 'mnist'; it has stn, warp"):
        labels_in(build_config(folder, "/models"), "mnist")


# The command line.


def test_labels_of_the_command_line_are_of_one_servable_or_of_all(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "warp" / "10").mkdir()
    options = ["--models", str(folder), "--out", str(tmp_path)]

    assert main(["serving-config", *options, "--label", "next=10", "--label", "stn:stable=10"]) == 0

    config = read_config(tmp_path / "models.config")
    assert labels_in(config, "stn") == {"stable": 10, "canary": 10, "next": 10}
    assert labels_in(config, "warp") == {"next": 10}


@pytest.mark.parametrize("label", ["stable", "stable=one", "=1", "stn:warp:stable=1", "other:s=1"])
def test_a_label_that_makes_no_sense_ends_with_two(
    folder: Path, tmp_path: Path, label: str
) -> None:
    options = ["--models", str(folder), "--out", str(tmp_path / "out")]

    assert main(["serving-config", *options, "--label", label]) == 2

    assert not (tmp_path / "out").exists()


def test_the_flags_are_printed_as_a_command(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serving-config", "--models", str(folder), "--out", str(tmp_path)]) == 0

    command = capsys.readouterr().out.replace("\\\n", "").split()
    assert command == ["tensorflow_model_server", *server_flags(tmp_path)]


def test_a_server_starts_with_what_was_written(models: Path, tmp_path: Path) -> None:
    """The files and the flags, as printed, in a process of their own; `stn` is batched there."""
    shutil.copytree(models / "stn" / "1", tmp_path / "models" / "stn" / "1")
    labels = {"stn": {"stable": 1}}
    write_config(tmp_path / "etc", build_config(tmp_path / "models", f"{tmp_path}/models", labels))
    flags = [flag for flag in server_flags(tmp_path / "etc") if not flag.startswith("--port")]

    with ServingDoubleProcess(None, flags) as double:
        server = ModelServer(double.address)
        labelled = server.labelled("stn", "stable")
        states = server.states("stn")
        server.close()

    assert labelled == 1
    assert states == {1: ("AVAILABLE", "")}
