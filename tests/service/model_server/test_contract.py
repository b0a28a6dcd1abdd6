"""The contract is checked at the start and with each new version; who breaks it is not used."""

import asyncio
import socket
from typing import Any

import httpx
import pytest

from tests.service.fakes import until, until_ready
from tests.service.model_server.gateways import plain, play, predict
from tests.serving_double.process import ServingDoubleProcess
from tests.versions import SHIPPED

pytestmark = pytest.mark.usefixtures("no_hurry")

FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "output missing": (
        {"kind": "metadata", "signature": "predict", "output": "theta"},
        "has no tensor 'theta'",
    ),
    "input of another dtype": (
        {"kind": "metadata", "signature": "predict", "output": "images", "number": 1},
        "images is float32",
    ),
    "input of another rank": (
        {"kind": "metadata", "signature": "predict", "output": "images", "shape": [-1, 42, 42]},
        "must be uint8 of rank 4",
    ),
    "classes without labels": (
        {"kind": "metadata", "signature": "predict", "output": "probabilities", "shape": [-1, 11]},
        "11 classes, describe names 10 labels",
    ),
    "no card": (
        {"kind": "value", "signature": "describe_batched", "output": "card", "text": "[]"},
        "its card is not a JSON object",
    ),
    "unparsable metadata": (
        {"kind": "unparsable", "method": "GetModelMetadata"},
        "are no GetModelMetadataResponse",
    ),
    "refused metadata": (
        {"kind": "error", "method": "GetModelMetadata", "code": "INTERNAL"},
        "the model server failed",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_broken_contract_is_said_until_it_is_mended(
    double: ServingDoubleProcess, case: str
) -> None:
    """The process is up and says what differs; nothing is predicted; mended, it is ready again."""
    fault, sentence = FAULTS[case]
    double.fault(**fault, servable="stn")

    async def scenario(client: httpx.AsyncClient) -> None:
        await until(client, "/readyz", lambda told: sentence in str(told.get("reasons")))
        assert (await client.get("/livez")).status_code == 200
        refused = await predict(client, plain())
        assert (refused.status_code, refused.json()["code"]) == (503, "not_ready")
        double.clear_faults()
        await until_ready(client)
        assert (await predict(client, plain())).status_code == 200

    play(double.address, scenario, ready=False)


@pytest.mark.parametrize("state", ["START", "LOADING", "UNLOADING", "END"])
def test_only_an_available_version_is_used(double: ServingDoubleProcess, state: str) -> None:
    double.set_state("stn", SHIPPED, state)

    async def scenario(client: httpx.AsyncClient) -> None:
        await until_not_ready_because(client, f"stn: version {SHIPPED} is {state}")
        assert (await predict(client, plain())).status_code == 503
        double.set_state("stn", SHIPPED, None)
        await until_ready(client)
        double.set_state("stn", SHIPPED, state)
        await until_ready(client, 503)

    play(double.address, scenario, ready=False)


def test_a_servable_that_the_server_does_not_have_is_named(double: ServingDoubleProcess) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        await until_not_ready_because(client, "nope: the model server has no servable 'nope'")

    play(double.address, scenario, ready=False, predict_servable="nope")


@pytest.mark.parametrize("servable", ["stn", "warp"])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "nan", "signature": "predict"},
        {"kind": "value", "number": 9, "output": "warped"},
        {"kind": "error", "code": "INTERNAL"},
        {"kind": "error", "code": "UNAVAILABLE"},
    ],
    ids=str,
)
def test_ready_only_while_canaries_come_back(
    double: ServingDoubleProcess, servable: str, fault: dict[str, Any]
) -> None:
    """A version once good that fails its canary is not ready, and is when it comes back."""
    if (fault["kind"], servable) in (("nan", "warp"), ("value", "stn")):
        return  # Its canary has no such outputs.

    def is_about_it_alone(told: dict[str, Any]) -> bool:
        causes = [reason.partition(" failed: ")[0] for reason in told.get("reasons", ())]
        return causes == [f"{servable}: a trial request"]

    async def scenario(client: httpx.AsyncClient) -> None:
        double.fault(**fault, servable=servable)
        await until(client, "/readyz", is_about_it_alone)
        assert (await client.get("/livez")).status_code == 200
        double.clear_faults()
        await until_ready(client)

    play(double.address, scenario)


def test_a_server_that_comes_late_is_found(models_folder: Any) -> None:
    """The gateway starts without it, says so, and is ready when it is there."""
    late = ServingDoubleProcess(models_folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        late.address = f"127.0.0.1:{free.getsockname()[1]}"
    try:

        async def scenario(client: httpx.AsyncClient) -> None:
            await until(client, "/readyz", lambda told: "cannot be reached" in str(told))
            assert (await client.get("/livez")).status_code == 200
            answer = await predict(client, plain())
            assert answer.status_code == 503
            assert "retry-after" in answer.headers
            await asyncio.to_thread(late.start)
            await until_ready(client)
            assert (await predict(client, plain())).status_code == 200

        play(late.address, scenario, ready=False)
    finally:
        late.kill()


def test_a_server_that_hangs_does_not_keep_the_gateway_from_saying_so(
    double: ServingDoubleProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first look is bounded: /livez answers, /readyz says no."""
    monkeypatch.setattr("service.app._FIRST_LOOK_SECONDS", 0.2)
    double.fault("hang", method="GetModelStatus")

    async def scenario(client: httpx.AsyncClient) -> None:
        assert (await client.get("/livez")).status_code == 200
        told = await client.get("/readyz")
        assert told.status_code == 503
        # The question is still open.
        assert "stn: there is no version" in told.json()["reasons"]

    play(double.address, scenario, ready=False)


def test_the_sentence_is_json_that_programs_can_read(double: ServingDoubleProcess) -> None:
    double.fault("metadata", servable="stn", signature="predict", output="theta")

    async def scenario(client: httpx.AsyncClient) -> None:
        await until(client, "/readyz", lambda told: "theta" in str(told.get("reasons")))
        versions = (await client.get("/models/stn")).json()["versions"]
        assert versions[0]["state"] == "AVAILABLE"
        assert not versions[0]["ready"]
        assert "theta" in versions[0]["problem"]

    play(double.address, scenario, ready=False)


async def until_not_ready_because(client: httpx.AsyncClient, reason: str) -> None:
    """Wait until /readyz names this reason and no other."""
    await until(client, "/readyz", lambda told: told.get("reasons") == [reason])
