"""Whatever is wrong with an answer of the server, no caller gets it for a right one."""

from typing import Any

import httpx
import numpy as np
import pytest

from tests.service.model_server.gateways import MARK, marked, play, predict
from tests.service.pictures import encoded
from tests.serving_double.process import ServingDoubleProcess

CLASSIFIER_FAULTS: list[dict[str, Any]] = [
    {"kind": "unparsable"},
    {"kind": "version", "number": 7},
    {"kind": "version", "number": 0},
    {"kind": "value", "output": "probabilities", "number": 5},
    {"kind": "value", "output": "probabilities", "number": 0},
    *(
        {"kind": kind, "output": output}
        for kind in ("garbage", "nan", "shape", "dtype", "missing")
        for output in ("probabilities", "theta", "warped")
    ),
]
WARPER_FAULTS: list[dict[str, Any]] = [
    {"kind": kind, "number": 7}
    for kind in ("unparsable", "version", "garbage", "shape", "dtype", "missing")
]


@pytest.mark.parametrize("server", ["double", "batching_double"])
def test_a_classifier_s_broken_answer_is_a_502(server: str, request: Any) -> None:
    """All in one, because each needs the same gateway; what follows each is answered well."""
    double: ServingDoubleProcess = request.getfixturevalue(server)

    async def scenario(client: httpx.AsyncClient) -> None:
        right = (await predict(client, marked(), include="warped")).json()
        for fault in CLASSIFIER_FAULTS:
            double.fault(**fault, first_pixel=MARK)
            answer = await predict(client, marked(), include="warped")
            assert_broken(answer, fault)
            double.clear_faults()
            assert (await predict(client, marked(), include="warped")).json() == right

    play(double.address, scenario)


def test_a_warper_s_broken_answer_is_a_502(double: ServingDoubleProcess) -> None:
    grey = np.full((3, 5), MARK, np.uint8)
    deep = np.full((3, 5), MARK, np.uint16)

    async def scenario(client: httpx.AsyncClient) -> None:
        for picture, faults in (
            (grey, WARPER_FAULTS),
            (deep, [*WARPER_FAULTS, {"kind": "nan"}]),
        ):
            request = {"content": encoded(picture), "params": {"theta": "1,0,0,0,1,0"}}
            right = await client.post("/warp", **request)  # type: ignore[arg-type]
            assert right.status_code == 200, right.text
            for fault in faults:
                double.fault(**fault, first_pixel=MARK)
                answer = await client.post("/warp", **request)  # type: ignore[arg-type]
                assert_broken(answer, fault)
                double.clear_faults()
                answer = await client.post("/warp", **request)  # type: ignore[arg-type]
                assert answer.content == right.content

    play(double.address, scenario)


def assert_broken(answer: httpx.Response, fault: dict[str, Any]) -> None:
    assert answer.status_code == 502, (fault, answer.text)
    assert answer.json()["code"] == "contract_broken"
