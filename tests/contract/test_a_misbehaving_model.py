"""The gateway on a model that misbehaves: right code, process up, and well again afterwards."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import numpy as np
import pytest

from service.backend import Call
from service.errors import BatchRejected, ServiceError, Unavailable
from tests.service.fakes import FakeBackend, Fault, gateway_on, until, until_ready
from tests.service.pictures import encoded

PICTURE = encoded(np.full((4, 6), 255, np.uint8))
Outputs = dict[str, np.ndarray]


def play(
    scenario: Callable[[FakeBackend, httpx.AsyncClient], Awaitable[None]], **settings: Any
) -> None:
    async def run() -> None:
        backend = FakeBackend()
        async with gateway_on(backend, **settings) as (client, _):
            await scenario(backend, client)

    asyncio.run(run())


def on_predict(change: Callable[[Outputs], Outputs]) -> Fault:
    def only_predict(call: Call, outputs: Outputs) -> Outputs:
        return change(outputs) if call.signature == "predict" else outputs

    return Fault(change=only_predict)


FAULTS = {
    "NaN": on_predict(lambda o: {**o, "probabilities": o["probabilities"] * np.nan}),
    "wrong shape": on_predict(lambda o: {**o, "theta": o["theta"][:, :5]}),
    "wrong type": on_predict(lambda o: {**o, "theta": o["theta"].astype(np.float64)}),
    "missing output": on_predict(lambda o: {k: v for k, v in o.items() if k != "theta"}),
    "no rows": on_predict(lambda o: {k: v[:0] for k, v in o.items()}),
    "logits": on_predict(lambda o: {**o, "probabilities": o["probabilities"] * 7}),
    "refusal": Fault(error=BatchRejected("the model refused this input")),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_answer_is_a_502_until_the_model_is_well_again(name: str) -> None:
    """Not ready, alive, never a wrong answer; then as if nothing had been."""

    async def scenario(backend: FakeBackend, client: httpx.AsyncClient) -> None:
        await until_ready(client)
        backend.fault = FAULTS[name]
        answer = await client.post("/predict", content=PICTURE)
        assert answer.status_code == 502, answer.text
        assert answer.json()["code"] in ("contract_broken", "rejected_by_model_server")
        reasons = (await until_ready(client, 503))["reasons"]
        assert any(reason.startswith("stn: ") for reason in reasons)
        assert (await client.get("/livez")).status_code == 200
        backend.fault = None
        await until_ready(client)
        assert (await client.post("/predict", content=PICTURE)).json()["label"] == "light"

    play(scenario)


@pytest.mark.parametrize("error", [Unavailable("no answer"), ServiceError("odd")])
def test_a_backend_that_cannot_be_reached_is_not_ready(error: ServiceError) -> None:
    async def scenario(backend: FakeBackend, client: httpx.AsyncClient) -> None:
        await until_ready(client)
        backend.away = error
        reasons = (await until_ready(client, 503))["reasons"]
        assert len(reasons) == 2
        assert (await client.get("/livez")).status_code == 200
        answer = await client.post("/predict", content=PICTURE)
        assert answer.status_code == (503 if isinstance(error, Unavailable) else 500)
        backend.away = None
        await until_ready(client)
        assert (await client.post("/predict", content=PICTURE)).status_code == 200

    play(scenario)


def test_unavailable_says_when_to_come_again() -> None:
    async def scenario(backend: FakeBackend, client: httpx.AsyncClient) -> None:
        backend.fault = Fault(error=Unavailable("no answer"))
        answer = await client.post("/predict", content=PICTURE)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1

    play(scenario)


def test_a_model_that_breaks_the_contract_at_the_start_is_named_and_the_process_lives() -> None:
    async def scenario(backend: FakeBackend, client: httpx.AsyncClient) -> None:
        reasons = (await until_ready(client, 503))["reasons"]
        assert len(reasons) == 1
        assert reasons[0].startswith("stn: stn version 1 breaks the contract: it has no signature")
        assert (await client.get("/livez")).status_code == 200
        answer = await client.post("/predict", content=PICTURE)
        assert answer.status_code == 503
        assert "no signature 'predict'" in answer.json()["detail"]
        models = (await client.get("/models")).json()["models"]
        assert "no signature" in models[0]["versions"][0]["problem"]
        # The other servable is none the worse.
        theta = {"theta": "1,0,0,0,1,0"}
        assert (await client.post("/warp", content=PICTURE, params=theta)).status_code == 200

    async def run() -> None:
        backend = FakeBackend()
        del backend.known["stn"]["predict"]
        async with gateway_on(backend) as (client, _):
            await scenario(backend, client)

    asyncio.run(run())


def test_a_version_asked_for_that_breaks_the_contract_is_a_502() -> None:
    async def run() -> None:
        backend = FakeBackend()
        del backend.known["stn"]["predict"]
        async with gateway_on(backend) as (client, _):
            answer = await client.post("/predict", content=PICTURE, params={"version": 1})
            assert answer.status_code == 502
            assert answer.json()["code"] == "contract_broken"

    asyncio.run(run())


def test_a_version_that_is_loading_is_not_ready_and_then_is() -> None:
    async def run() -> None:
        backend = FakeBackend()
        backend.states["stn"] = {1: "LOADING"}
        async with gateway_on(backend) as (client, _):
            reasons = (await until_ready(client, 503))["reasons"]
            assert reasons == ["stn: version 1 is LOADING"]
            backend.states["stn"] = {1: "AVAILABLE"}
            await until_ready(client)

    asyncio.run(run())


def test_the_newest_version_answers_and_labels_choose() -> None:
    async def scenario(backend: FakeBackend, client: httpx.AsyncClient) -> None:
        backend.states["stn"] = {1: "AVAILABLE", 2: "AVAILABLE", 3: "LOADING"}
        await until(client, "/models/stn", lambda model: model["default_version"] == 2)
        for params, version in (({}, 2), ({"version": "1"}, 1), ({"label": "stable"}, 1)):
            answer = await client.post("/predict", content=PICTURE, params=params)
            assert answer.json()["model"]["version"] == version
            assert answer.headers["x-model-version"] == str(version)
        assert (
            await client.post("/predict", content=PICTURE, params={"version": "3"})
        ).status_code == 404
        assert (
            await client.post("/predict", content=PICTURE, params={"label": "x"})
        ).status_code == 404

    play(scenario)


def test_the_identity_must_return_the_picture() -> None:
    """A transformer that is off by one grey level is not put into service."""

    async def run() -> None:
        backend = FakeBackend()
        backend.fault = Fault(
            change=lambda call, o: o if call.servable == "stn" else {"warped": o["warped"] + 1}
        )
        async with gateway_on(backend) as (client, _):
            reasons = (await until_ready(client, 503))["reasons"]
            assert len(reasons) == 1
            assert "warp" in reasons[0]
            assert "identity" in reasons[0]

    asyncio.run(run())


def test_a_model_that_hangs_costs_the_caller_no_more_than_the_deadline() -> None:
    async def scenario(backend: FakeBackend, client: httpx.AsyncClient) -> None:
        await until_ready(client)
        backend.fault = Fault(seconds=60)
        headers = {"X-Request-Timeout-Ms": "50"}
        answer = await client.post("/predict", content=PICTURE, headers=headers)
        assert answer.status_code == 504
        assert answer.json()["code"] == "deadline_exceeded"
        assert (await client.get("/livez")).status_code == 200

    play(scenario, poll_seconds=100)


def test_one_bad_picture_in_a_batch_fails_alone() -> None:
    """Two callers share a call of the model; it refuses dark pictures, and only those."""

    def refuse_dark(call: Call, outputs: Outputs) -> Outputs:
        if call.signature == "predict" and len(call.inputs["images"]) and (
            call.inputs["images"].reshape(len(call.inputs["images"]), -1).max(axis=1) == 7
        ).any():  # fmt: skip
            raise BatchRejected("the model refused this input")
        return outputs

    async def scenario(backend: FakeBackend, client: httpx.AsyncClient) -> None:
        await until_ready(client)
        backend.fault = Fault(change=refuse_dark)
        dark = encoded(np.full((4, 6), 7, np.uint8))
        answers = await asyncio.gather(
            *(client.post("/predict", content=dark if n % 5 == 2 else PICTURE) for n in range(20))
        )
        assert [a.status_code for a in answers] == [502 if n % 5 == 2 else 200 for n in range(20)]

    play(scenario, poll_seconds=100)
