"""What travels together on the wire, and that nobody suffers for a neighbour."""

import asyncio
from typing import Any

import httpx
import numpy as np
import pytest

from service.contract import ALL_OUTPUTS, PROBABILITY_OUTPUTS
from tests.service.model_server.gateways import MARK, marked, marked_calls, plain, play, predict
from tests.serving_double.process import ServingDoubleProcess
from tests.versions import SHIPPED

_SHADES = range(0, 240, 10)


@pytest.mark.parametrize("server", ["double", "batching_double"])
@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "FAILED_PRECONDITION"])
def test_a_poisoned_picture_fails_alone(server: str, code: str, request: Any) -> None:
    """One 502, and each neighbour gets its own right answer."""
    double: ServingDoubleProcess = request.getfixturevalue(server)

    async def scenario(client: httpx.AsyncClient) -> None:
        alone = [(await predict(client, plain(shade))).json() for shade in _SHADES]
        double.fault("error", code=code, first_pixel=MARK)
        double.take_calls()
        pictures = [plain(shade) for shade in _SHADES]
        pictures.insert(7, marked())

        answers = await asyncio.gather(*(predict(client, picture) for picture in pictures))

        poisoned = answers.pop(7)
        assert poisoned.status_code == 502
        assert poisoned.json()["code"] == "rejected_by_model_server"
        assert max(call["batch"] for call in double.take_calls()) > 1
        for answer, expected in zip(answers, alone, strict=True):
            assert answer.status_code == 200
            assert_same(answer.json(), expected)

    play(double.address, scenario, poll_seconds=60)


def test_a_batch_request_names_the_picture_that_was_refused(double: ServingDoubleProcess) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        double.fault("error", code="INVALID_ARGUMENT", first_pixel=MARK)
        files = [("image", ("x.png", plain(n))) for n in range(5)]
        files[3] = ("image", ("x.png", marked()))
        answer = await client.post("/predict/batch", files=files)
        assert answer.status_code == 502
        assert answer.json()["detail"].startswith("image 3: ")

    play(double.address, scenario)


@pytest.mark.parametrize("server", ["double", "batching_double"])
def test_calls_are_never_empty_never_too_large_and_of_two_kinds(server: str, request: Any) -> None:
    """Whatever the callers' options, the server sees one version and two sets of outputs."""
    double: ServingDoubleProcess = request.getfixturevalue(server)
    options: list[dict[str, Any]] = [
        {},
        {"include": "warped"},
        {"version": SHIPPED},
        {"top_k": 3},
        {"version": SHIPPED, "include": "warped", "fit": "crop"},
    ]

    async def scenario(client: httpx.AsyncClient) -> None:
        double.take_calls()
        answers = await asyncio.gather(
            *(
                predict(client, marked(shade), **options[shade % len(options)])
                for shade in range(45)
            )
        )
        assert {answer.status_code for answer in answers} == {200}
        calls = marked_calls(double)
        assert sum(call["batch"] for call in calls) == 45
        assert all(1 <= call["batch"] <= 8 for call in calls)
        assert len(calls) < 30
        outputs = {tuple(call["outputs"]) for call in calls}
        assert outputs == {PROBABILITY_OUTPUTS, ALL_OUTPUTS}
        for index, answer in enumerate(answers):
            params = options[index % len(options)]
            assert ("warped" in answer.json()) == ("include" in params)

    play(double.address, scenario, poll_seconds=60, max_batch_size=8)


def test_a_caller_of_a_batch_route_with_no_pictures_reaches_no_server(
    double: ServingDoubleProcess,
) -> None:
    """A batch of 0 would hang there."""

    async def scenario(client: httpx.AsyncClient) -> None:
        double.take_calls()
        answer = await client.post("/predict/batch", json={"images": []})
        assert answer.status_code == 400
        calls = [call for call in double.take_calls() if call["signature"] == "predict"]
        assert all(call["batch"] for call in calls)

    play(double.address, scenario, poll_seconds=60)


def assert_same(got: dict[str, Any], expected: dict[str, Any]) -> None:
    for name in ("probabilities", "theta"):
        np.testing.assert_allclose(got[name], expected[name], atol=1e-5)
