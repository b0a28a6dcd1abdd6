"""Versions come, go and are labelled, as on the server."""

import shutil
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from tests.serving_double.client import Client, eventually
from tests.serving_double.conftest import Serve
from tests.serving_double.refusals import Refusal
from tests.versions import SHIPPED_FOLDER

IMAGES = {"images": np.zeros((1, 2, 2), np.uint8)}


def answering(client: Client, **spec: Any) -> int:
    return int(client.ask(IMAGES, **spec).model_spec.version.value)


def put(source: Path, folder: Path) -> None:
    """Put a version in place at once, as a server must find it."""
    hidden = folder.with_name(f".{folder.name}")
    shutil.copytree(source, hidden)
    hidden.rename(folder)


def test_all_versions_are_served_and_told_newest_first(serve: Serve) -> None:
    client = serve()

    assert list(client.states().items()) == [(3, "AVAILABLE"), (1, "AVAILABLE")]
    assert answering(client) == 3
    assert answering(client, version=1) == 1


def test_by_default_the_latest_version_is_served_alone(serve: Serve) -> None:
    client = serve({"latest": 1})

    assert client.states() == {3: "AVAILABLE"}


def test_a_new_version_takes_over_and_the_old_one_ends(
    serve: Serve, servable: Path, tiny_version: Path
) -> None:
    """It appears in the folder, is loaded, and only then the old one goes."""
    client = serve({"latest": 1})

    put(tiny_version, servable / "12")

    eventually(lambda: client.states() == {12: "AVAILABLE", 3: "END"})
    assert answering(client) == 12
    with pytest.raises(grpc.RpcError) as raised:
        client.ask(IMAGES, version=3)
    assert raised.value.details() == "Servable not found for request: Specific(tiny, 3)"


def test_a_version_that_is_removed_ends_and_may_come_back(
    serve: Serve, servable: Path, tiny_version: Path
) -> None:
    client = serve()

    shutil.rmtree(servable / "3")
    eventually(lambda: client.states()[3] == "END")
    assert answering(client) == 1

    put(tiny_version, servable / "3")
    eventually(lambda: client.states()[3] == "AVAILABLE")
    assert answering(client) == 3


def test_hidden_folders_are_no_versions(serve: Serve, servable: Path) -> None:
    (servable / ".4").mkdir()
    (servable / "notes").mkdir()

    assert set(serve().states()) == {1, 3}


def test_a_version_that_does_not_load_ends_with_the_reason(serve: Serve, servable: Path) -> None:
    """GetModelStatus answers OK; the state is in the answer."""
    client = serve()

    (servable / "4").mkdir()

    eventually(lambda: client.states().get(4) == "END")
    status = client.status(version=4).model_version_status[0].status
    assert status.error_code != 0
    assert "SavedModel" in status.error_message
    assert answering(client) == 3


def test_a_version_whose_files_go_while_it_loads_ends_and_the_folder_is_followed_on(
    serve: Serve, servable: Path, tiny_version: Path
) -> None:
    client = serve()
    half_gone = servable / ".4"
    shutil.copytree(SHIPPED_FOLDER, half_gone)
    shutil.rmtree(half_gone / "variables")

    half_gone.rename(servable / "4")
    eventually(lambda: client.states().get(4) == "END")
    put(tiny_version, servable / "5")

    eventually(lambda: client.states().get(5) == "AVAILABLE")


def test_a_label_names_a_version(serve: Serve) -> None:
    client = serve({"latest": None, "labels": {"stable": 1}})

    assert answering(client, label="stable") == 1


def test_a_label_moves_when_told(serve: Serve, servable: Path) -> None:
    client = serve({"latest": None, "labels": {"stable": 1}})

    assert client.reload(str(servable), {"stable": 3, "old": 1}).status.error_code == 0

    assert answering(client, label="stable") == 3
    assert answering(client, label="old") == 1


def test_a_label_in_use_moves_to_no_version_that_is_not_served(
    serve: Serve, servable: Path
) -> None:
    """The old one stays."""
    client = serve({"latest": None, "labels": {"stable": 1}})

    with pytest.raises(grpc.RpcError) as raised:
        client.reload(str(servable), {"stable": 9})

    assert raised.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert raised.value.details() == (
        "Request to assign label to version 9 of model tiny, "
        "which is not currently available for inference"
    )
    assert answering(client, label="stable") == 1


def test_labels_at_the_start_need_leave_to_come_first(serve: Serve) -> None:
    """Version 9 is not there: without the flag the server does not start."""
    labels = {"latest": None, "labels": {"stable": 9}}

    with pytest.raises(Refusal, match="label to version 9"):
        serve(labels, labels_before_available=False)

    with pytest.raises(grpc.RpcError) as raised:
        answering(serve(labels), label="stable")
    assert raised.value.details() == "Servable not found for request: Specific(tiny, 9)"


def test_a_reload_is_ok_whatever_the_path(serve: Serve) -> None:
    client = serve()

    assert client.reload("/nowhere", {}).status.error_code == 0
    assert client.states() == {3: "AVAILABLE", 1: "AVAILABLE"}


def test_a_servable_that_is_configured_no_more_ends(serve: Serve, servable: Path) -> None:
    client = serve()

    client.reload(str(servable), {}, name="other")

    assert set(client.states().values()) == {"END"}
    assert client.states(name="other") == {3: "AVAILABLE", 1: "AVAILABLE"}


def test_the_configuration_file_is_read_again(serve: Serve, servable: Path, tmp_path: Path) -> None:
    """A label moves when its value in the file does; a file that does not parse changes nothing."""
    file = tmp_path / "models.config"

    def write(version: str) -> None:
        # At once: half a file may say something else.
        (tmp_path / "new").write_text(
            'model_config_list { config { name: "tiny" model_version_policy { all {} } '
            f'base_path: "{servable}" version_labels {{ key: "stable" value: {version} }} }} }}'
        )
        (tmp_path / "new").rename(file)

    client = serve(
        {"latest": None, "labels": {"stable": 1}}, config_file=file, config_poll_seconds=0.05
    )
    write("3")
    eventually(lambda: answering(client, label="stable") == 3)
    write("one")
    write("1")
    eventually(lambda: answering(client, label="stable") == 1)
