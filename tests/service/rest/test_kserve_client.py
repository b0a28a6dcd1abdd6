"""KServe's InferenceRESTClient, unmodified, against the Open Inference Protocol of the gateway.

It lives in an environment of its own, which `scripts/test-kserve` makes: its package holds others
back. The oracle is the gateway's other interface.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.service.digits import Digits
from tests.service.pictures import decoded, encoded, noise

pytestmark = pytest.mark.kserve

PROGRAM = Path(__file__).parent / "kserve_calls.py"
Ask = Callable[..., dict[str, Any]]
IDENTITY = [[1, 0, 0, 0, 1, 0]]


@pytest.fixture(scope="session")
def kserve() -> Iterator["subprocess.Popen[str]"]:
    """A program with KServe's client, which takes long to start."""
    python = os.environ.get("STN_TEST_KSERVE_PYTHON")
    assert python, "set STN_TEST_KSERVE_PYTHON to a Python with kserve, or run scripts/test-kserve"
    pipe = subprocess.PIPE
    with subprocess.Popen([python, PROGRAM], stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def ask(gateway: str, kserve: "subprocess.Popen[str]") -> Ask:
    """Have KServe's client call the gateway; gives what became of it."""

    def call(is_refused: bool = False, **wanted: Any) -> dict[str, Any]:
        assert kserve.stdin is not None
        assert kserve.stdout is not None
        print(json.dumps({"url": gateway, **wanted}), file=kserve.stdin, flush=True)
        line = next(line for line in kserve.stdout if line.startswith("told:"))
        told: dict[str, Any] = json.loads(line.removeprefix("told:"))
        assert ("error" in told) == is_refused, told
        return told

    return call


def test_server_and_models_are_live_and_ready(ask: Ask) -> None:
    assert ask(call="is_server_live") == {"result": True}
    assert ask(call="is_server_ready") == {"result": True}
    assert ask(call="is_model_ready", model="stn") == {"result": True}
    assert ask(call="is_model_ready", model="nobody") == {"result": False}


@pytest.mark.parametrize("binary_out", [True, False], ids=["binary out", "json out"])
@pytest.mark.parametrize("binary_in", [True, False], ids=["binary in", "json in"])
def test_a_tensor_is_classified_as_pictures_are(
    ask: Ask, client: httpx.Client, digits: Digits, binary_in: bool, binary_out: bool
) -> None:
    canvas = np.zeros((2, 42, 42), np.uint8)
    canvas[:, 7:35, 7:35] = digits.images[:2]
    files = [("image", encoded(picture)) for picture in canvas]
    expected = client.post("/predict/batch", files=files).json()["predictions"]

    answer = ask(
        call="infer",
        model="stn",
        id="k-1",
        inputs=[["images", "UINT8", "uint8", canvas[..., np.newaxis].tolist(), binary_in]],
        outputs=[["probabilities", binary_out], ["warped", binary_out]],
    )

    result = answer["result"]
    assert (result["id"], result["model"]) == ("k-1", "stn")
    probabilities = result["outputs"]["probabilities"]
    assert probabilities["dtype"] == "float32"
    wanted = [prediction["probabilities"] for prediction in expected]
    np.testing.assert_allclose(probabilities["values"], wanted, atol=2e-6)
    assert np.shape(result["outputs"]["warped"]["values"]) == (2, 28, 28, 1)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_the_identity_gives_images_back(ask: Ask, dtype: str) -> None:
    picture = noise(5, 7, 3)[np.newaxis]
    datatype = {"uint8": "UINT8", "float32": "FP32", "float64": "FP64"}[dtype]

    answer = ask(
        call="infer",
        model="warp",
        inputs=[
            ["images", datatype, dtype, picture.tolist(), True],
            ["theta", "FP32", "float32", IDENTITY, True],
            ["output_size", "INT32", "int32", [5, 7], True],
        ],
        outputs=[["warped", True]],
    )

    assert np.array_equal(answer["result"]["outputs"]["warped"]["values"], picture)


def test_a_warp_is_that_of_the_other_interface(ask: Ask, client: httpx.Client) -> None:
    picture, theta = noise(20, 30, 3), [0.7, -0.7, 0.1, 0.6, 0.8, -0.2]
    query = {"theta": json.dumps(theta), "height": "17", "width": "23"}
    other = client.post("/warp", content=encoded(picture), params=query)
    assert other.status_code == 200, other.text
    expected = decoded(other.content)

    answer = ask(
        call="infer",
        model="warp",
        inputs=[
            ["images", "UINT8", "uint8", [picture.tolist()], False],
            ["theta", "FP32", "float32", [theta], False],
            ["output_size", "INT32", "int32", [17, 23], False],
        ],
        outputs=[],
    )

    assert np.array_equal(answer["result"]["outputs"]["warped"]["values"], [expected])


def test_errors_reach_the_client_as_sentences(ask: Ask) -> None:
    """Which it shows only where the type of the body is application/json."""
    answer = ask(
        is_refused=True,
        call="infer",
        model="stn",
        inputs=[["images", "UINT8", "uint8", np.zeros((1, 4, 6, 1)).tolist(), True]],
        outputs=[],
    )

    assert answer["error"].startswith("HTTPStatusError: images must have shape [batch, 42, 42, 1]")
    assert "'400 Bad Request'" in answer["error"]
