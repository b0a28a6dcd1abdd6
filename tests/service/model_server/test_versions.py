"""Versions and labels: chosen by callers, moved on the server, swapped under load."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from service import wire
from tests.service.digits import Digits
from tests.service.fakes import until, until_ready
from tests.service.model_server.gateways import plain, play, predict
from tests.service.model_server.load import load
from tests.serving_double.process import ServingDoubleProcess
from tests.versions import FORMER, FORMER_FOLDER, SHIPPED

pytestmark = pytest.mark.usefixtures("no_hurry")


@pytest.fixture(scope="module")
def folder(models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the models, with the former classifier; the shipped one may come and go."""
    copy = tmp_path_factory.mktemp("models") / "models"
    shutil.copytree(models_folder, copy)
    shutil.rmtree(copy / "stn" / str(SHIPPED))
    shutil.copytree(FORMER_FOLDER, copy / "stn" / str(FORMER))
    (copy / "stn" / "labels.json").write_text(f'{{"stable": {FORMER}}}')
    return copy


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServingDoubleProcess]:
    """Serves the newest version of each model only, as the server does unless told otherwise."""
    flags = ("--latest", "1", "--file_system_poll_wait_seconds", "0.2", "--max-calls", "16")
    with ServingDoubleProcess(folder, flags) as running:
        yield running


@pytest.fixture
def shipped(models_folder: Path) -> Path:
    return models_folder / "stn" / str(SHIPPED)


def put(shipped: Path, folder: Path) -> None:
    """Put the shipped classifier into the folder, at once, unless it is there."""
    if not (folder / shipped.name).exists():
        hidden = folder / f".{shipped.name}"
        shutil.copytree(shipped, hidden)
        hidden.rename(folder / shipped.name)


def configure(
    address: str, folder: Path, labels: dict[str, int], versions: tuple[int, ...] = ()
) -> None:
    """Tell the server its models and labels anew, as `stn-model promote` does."""
    request = wire.ReloadConfigRequest()
    for name in ("stn", "warp"):
        config = request.config.model_config_list.config.add(
            name=name, base_path=str(folder / name), model_platform="tensorflow"
        )
        if name == "stn":
            config.model_version_policy.specific.versions.extend(versions or (1,))
            for label, version in labels.items():
                config.version_labels[label] = version
    with grpc.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(wire.HANDLE_RELOAD_CONFIG)
        call(request.SerializeToString(), timeout=60)


def test_a_version_is_replaced_and_put_back_under_load(
    server: ServingDoubleProcess, folder: Path, shipped: Path, digits: Digits
) -> None:
    """The new one appears and the old one goes, then the other way round: nobody notices."""

    async def scenario(client: httpx.AsyncClient) -> None:
        async with load(client, digits) as outcomes:
            for version in (2, 1):
                if version == 2:
                    await asyncio.to_thread(put, shipped, folder / "stn")
                else:
                    await asyncio.to_thread(shutil.rmtree, folder / "stn" / "2")

                def in_use(document: dict[str, object], wanted: int = version) -> bool:
                    return document["default_version"] == wanted

                await until(client, "/models/stn", in_use)
                await outcomes.answered(100)

        assert not outcomes.problems
        assert set(outcomes.statuses) == {200}
        assert outcomes.versions == {"1", "2"}
        assert not outcomes.wrong
        assert outcomes.readyz == [200]
        assert outcomes.livez == {200}

    # Between two looks the gateway does not know what the server has: callers find out.
    play(server.address, scenario, poll_seconds=3)


def test_versions_and_labels_are_the_caller_s_choice(
    server: ServingDoubleProcess, folder: Path, shipped: Path
) -> None:
    """By number, by label, or the newest; who answered is told; a label moves when it is moved."""
    put(shipped, folder / "stn")
    configure(server.address, folder, {"stable": 1}, versions=(1, 2))
    assert_labels(server, folder)


def assert_labels(server: ServingDoubleProcess, folder: Path) -> None:
    async def version(client: httpx.AsyncClient, **params: object) -> str:
        answer = await predict(client, plain(), **params)
        assert answer.status_code == 200, answer.text
        assert str(answer.json()["model"]["version"]) == answer.headers["x-model-version"]
        return answer.headers["x-model-version"]

    async def scenario(client: httpx.AsyncClient) -> None:
        assert await version(client) == "2"
        assert await version(client, version=1) == "1"
        assert await version(client, version=2) == "2"
        assert await version(client, label="stable") == "1"
        for params, code in (
            ({"version": 77}, "unknown_version"),
            ({"label": "nolabel"}, "unknown_label"),
        ):
            answer = await predict(client, plain(), **params)
            assert (answer.status_code, answer.json()["code"]) == (404, code)
            assert "Unrecognized" not in answer.text

        configure(server.address, folder, {"stable": 2}, versions=(1, 2))
        async with asyncio.timeout(60):
            while await version(client, label="stable") != "2":
                pass

        # Version 1 goes; its label has moved on, and by its number it is not found.
        configure(server.address, folder, {"stable": 2}, versions=(2,))
        assert (await predict(client, plain(), version=1)).status_code == 404
        assert await version(client, label="stable") == "2"

    play(server.address, scenario, poll_seconds=0.3)


def test_a_label_may_point_to_a_version_before_the_gateway_has_met_it(
    server: ServingDoubleProcess, folder: Path, shipped: Path
) -> None:
    """Its label is asked for before the next look: the gateway looks at once."""
    put(shipped, folder / "stn")
    configure(server.address, folder, {"stable": 1}, versions=(1,))

    async def scenario(client: httpx.AsyncClient) -> None:
        configure(server.address, folder, {"stable": 1, "next": 2}, versions=(1, 2))
        answer = await predict(client, plain(), label="next")
        assert (answer.status_code, answer.headers.get("x-model-version")) == (200, "2")

    play(server.address, scenario, poll_seconds=60)


def test_a_new_version_that_breaks_the_contract_is_left_aside(
    server: ServingDoubleProcess, folder: Path, shipped: Path
) -> None:
    """The old one goes on; whoever names the new one is told; mended, it takes over."""
    put(shipped, folder / "stn")
    configure(server.address, folder, {}, versions=(1,))

    async def scenario(client: httpx.AsyncClient) -> None:
        server.fault("metadata", signature="predict", output="warped", servable="stn")
        configure(server.address, folder, {}, versions=(1, 2))

        def told(document: dict[str, object]) -> bool:
            versions = document["versions"]
            assert isinstance(versions, list)
            return any("warped" in version.get("problem", "") for version in versions)

        await until(client, "/models/stn", told)
        assert (await client.get("/readyz")).status_code == 200
        assert (await predict(client, plain())).headers["x-model-version"] == "1"
        answer = await predict(client, plain(), version=2)
        assert (answer.status_code, answer.json()["code"]) == (502, "contract_broken")

        server.clear_faults()
        await until(client, "/models/stn", lambda d: d["default_version"] == 2)
        assert (await predict(client, plain())).headers["x-model-version"] == "2"
        await until_ready(client)

    play(server.address, scenario)
