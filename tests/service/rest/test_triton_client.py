"""NVIDIA's tritonclient, unmodified, against the Open Inference Protocol of the gateway.

The oracle is the gateway's other interface: the same pictures and thetas, sent to `/predict` and
`/warp`, must get the same numbers.
"""

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import ml_dtypes
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from tests.service.digits import Digits
from tests.service.pictures import decoded, encoded, noise
from tests.versions import SHIPPED

ROOT = Path(__file__).parents[3]
THETA = [0.7, -0.7, 0.1, 0.6, 0.8, -0.2]
CODINGS = (None, "gzip", "deflate")


@pytest.fixture
def server(gateway: str) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(gateway.removeprefix("http://"))
    yield client
    client.close()


def tensor(name: str, array: np.ndarray, datatype: str, binary: bool) -> triton.InferInput:
    given = triton.InferInput(name, list(array.shape), datatype)
    return given.set_data_from_numpy(array, binary_data=binary)


def pictures_of(digits: Digits, count: int) -> list[bytes]:
    """Return digits as PNG files, on the canvas that the model takes, so that nothing is fitted."""
    canvas = np.zeros((count, 42, 42), np.uint8)
    canvas[:, 7:35, 7:35] = digits.images[:count]
    return [encoded(picture) for picture in canvas]


def pixels_of(pictures: list[bytes]) -> np.ndarray:
    return np.stack([decoded(picture) for picture in pictures])[..., np.newaxis]


def predicted(client: httpx.Client, pictures: list[bytes]) -> list[dict[str, Any]]:
    """Return what the gateway's own interface says."""
    files = [("image", picture) for picture in pictures]
    answer = client.post("/predict/batch", files=files)
    assert answer.status_code == 200, answer.text
    predictions: list[dict[str, Any]] = answer.json()["predictions"]
    return predictions


def check(answer: triton.InferResult, expected: list[dict[str, Any]]) -> None:
    probabilities = answer.as_numpy("probabilities")
    assert probabilities.dtype == np.float32
    wanted = [prediction["probabilities"] for prediction in expected]
    np.testing.assert_allclose(probabilities, wanted, atol=2e-6)
    thetas = [np.ravel(prediction["theta"]) for prediction in expected]
    np.testing.assert_allclose(answer.as_numpy("theta"), thetas, rtol=1e-5, atol=1e-6)


def test_server_and_models_are_live_ready_and_described(
    server: triton.InferenceServerClient,
) -> None:
    assert server.is_server_live()
    assert server.is_server_ready()
    assert server.get_server_metadata()["name"] == "stn-serving"
    for model, version in (("stn", str(SHIPPED)), ("warp", "1")):
        assert server.is_model_ready(model)
        assert server.is_model_ready(model, version)
        assert not server.is_model_ready(model, "9")
    assert not server.is_model_ready("nobody")
    metadata = server.get_model_metadata("stn", str(SHIPPED))
    assert metadata["versions"] == [str(SHIPPED)]
    assert metadata["inputs"][0]["shape"] == [-1, 42, 42, 1]
    assert [output["shape"][1:] for output in metadata["outputs"]] == [[10], [6], [28, 28, 1]]


@pytest.mark.parametrize("binary_out", [True, False], ids=["binary out", "json out"])
@pytest.mark.parametrize("binary_in", [True, False], ids=["binary in", "json in"])
def test_a_tensor_is_classified_as_pictures_are(
    server: triton.InferenceServerClient,
    client: httpx.Client,
    digits: Digits,
    binary_in: bool,
    binary_out: bool,
) -> None:
    pictures = pictures_of(digits, 3)
    images = tensor("images", pixels_of(pictures), "UINT8", binary_in)
    outputs = [
        triton.InferRequestedOutput(name, binary_data=binary_out)
        for name in ("warped", "probabilities", "theta")
    ]

    answer = server.infer(
        "stn", [images], outputs=outputs, request_id="t-1", model_version=str(SHIPPED)
    )

    check(answer, predicted(client, pictures))
    assert answer.as_numpy("warped").shape == (3, 28, 28, 1)
    response = answer.get_response()
    assert (response["id"], response["model_version"]) == ("t-1", str(SHIPPED))
    assert [output["name"] for output in response["outputs"]] == [
        "warped",
        "probabilities",
        "theta",
    ]


@pytest.mark.parametrize("coding_out", CODINGS, ids=lambda coding: f"{coding} out")
@pytest.mark.parametrize("coding_in", CODINGS, ids=lambda coding: f"{coding} in")
def test_compressed_either_way(
    server: triton.InferenceServerClient,
    client: httpx.Client,
    digits: Digits,
    coding_in: str | None,
    coding_out: str | None,
) -> None:
    pictures = pictures_of(digits, 2)
    images = tensor("images", pixels_of(pictures), "UINT8", binary=True)

    answer = server.infer(
        "stn",
        [images],
        request_compression_algorithm=coding_in,
        response_compression_algorithm=coding_out,
    )

    check(answer, predicted(client, pictures))
    assert answer.as_numpy("warped").max() > 0.5


def test_pictures_are_classified_from_bytes_and_from_base64(
    server: triton.InferenceServerClient, client: httpx.Client, digits: Digits
) -> None:
    """Of any size; and the answer may be the classes' names."""
    pictures = [encoded(digits.images[0]), encoded(digits.images[1], "WEBP", lossless=True)]
    texts = [base64.b64encode(picture) for picture in pictures]
    expected = predicted(client, pictures)
    named = [triton.InferRequestedOutput("probabilities", class_count=1)]

    for values, binary in ((pictures, True), (texts, False)):
        images = tensor("images", np.array(values, object), "BYTES", binary)
        check(server.infer("stn", [images]), expected)
        classes = server.infer("stn", [images], outputs=named).as_numpy("probabilities")
        labels = [text.decode().split(":")[2] for text in classes.ravel()]
        assert labels == [prediction["label"] for prediction in expected]


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("parameters", [{}, {"padding": "border", "interpolation": "nearest"}])
def test_a_warp_is_that_of_the_other_interface(
    server: triton.InferenceServerClient,
    client: httpx.Client,
    parameters: dict[str, Any],
    binary: bool,
) -> None:
    picture = noise(20, 30, 3)
    query = {"theta": json.dumps(THETA), "height": "17", "width": "23", **parameters}
    other = client.post("/warp", content=encoded(picture), params=query)
    assert other.status_code == 200, other.text
    expected = decoded(other.content)
    theta = tensor("theta", np.array([THETA], np.float32), "FP32", binary)
    size = tensor("output_size", np.array([17, 23], np.int32), "INT32", binary)

    whole = tensor("images", picture[np.newaxis], "UINT8", binary)
    warped = server.infer("warp", [whole, theta, size], parameters=parameters).as_numpy("warped")
    real = tensor("images", picture[np.newaxis].astype(np.float32), "FP32", binary)
    answer = server.infer("warp", [real, theta, size], parameters=parameters).as_numpy("warped")

    assert warped.dtype == np.uint8
    assert np.array_equal(warped[0], expected)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer[0], expected, atol=0.51)


@pytest.mark.parametrize("datatype", ["FP16", "BF16", "FP64"])
def test_other_floating_point_types_are_warped_too(
    server: triton.InferenceServerClient, datatype: str
) -> None:
    """The identity gives the numbers back, which all of these types hold exactly."""
    dtype = {"FP16": np.float16, "BF16": ml_dtypes.bfloat16, "FP64": np.float64}[datatype]
    picture = noise(5, 7, 2)[np.newaxis]
    inputs = [
        tensor("images", picture.astype(dtype), datatype, binary=True),
        tensor("theta", np.array([[1, 0, 0, 0, 1, 0]], np.float64), "FP64", binary=True),
        tensor("output_size", np.array([5, 7], np.int64), "INT64", binary=True),
    ]

    warped = server.infer("warp", inputs).as_numpy("warped")

    assert np.array_equal(warped, picture.astype(np.float32))


def test_errors_reach_the_client_as_sentences(server: triton.InferenceServerClient) -> None:
    images = tensor("images", np.zeros((1, 4, 6, 1), np.uint8), "UINT8", binary=True)

    with pytest.raises(InferenceServerException) as shape:
        server.infer("stn", [images])
    with pytest.raises(InferenceServerException) as model:
        server.get_model_metadata("nobody")

    assert shape.value.status() == "400"
    assert shape.value.message().startswith("images must have shape [batch, 42, 42, 1]")
    assert model.value.status() == "404"
    assert "there is no model 'nobody'" in model.value.message()


def test_many_at_once_each_get_their_own_answer(
    server: triton.InferenceServerClient, gateway: str, client: httpx.Client, digits: Digits
) -> None:
    """By the asynchronous client: requests of one to four rows, both forms, both compressions."""
    pictures = pictures_of(digits, 40)
    expected = predicted(client, pictures)

    async def ask(server: Any, number: int) -> None:
        first, count = number, 1 + number % 4
        images = tensor(
            "images", pixels_of(pictures[first : first + count]), "UINT8", number % 3 > 0
        )
        coding = CODINGS[number % 3]
        answer = await server.infer(
            "stn",
            [images],
            outputs=[
                triton_aio.InferRequestedOutput("probabilities", binary_data=number % 2 == 0),
                triton_aio.InferRequestedOutput("theta", binary_data=number % 2 == 1),
            ],
            request_id=str(number),
            request_compression_algorithm=coding,
            response_compression_algorithm=coding,
        )
        assert answer.get_response()["id"] == str(number)
        check(answer, expected[first : first + count])

    async def run() -> None:
        async with triton_aio.InferenceServerClient(gateway.removeprefix("http://")) as server:
            assert await server.is_server_ready()
            assert (await server.get_model_metadata("warp"))["name"] == "warp"
            await asyncio.gather(*(ask(server, number) for number in range(36)))

    asyncio.run(run())


def test_the_example_of_the_documentation_prints_what_it_says(gateway: str) -> None:
    text = (ROOT / "docs" / "protocol.md").read_text()
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    program = found[1].replace("127.0.0.1:8000", gateway.removeprefix("http://"))
    program = program.replace("docs/pictures", str(ROOT / "docs" / "pictures"))

    said = StringIO()
    with redirect_stdout(said):
        exec(program, {})  # noqa: S102

    probability, index, label = said.getvalue().strip("[]b'\n").split(":")
    assert f"[[b'{probability}:{index}:{label}']]" == said.getvalue().strip()
    assert (index, label) == ("7", "7")
    shown = re.search(r"# \[\[b'([\d.]+):7:7'\]\]", text)
    assert shown is not None
    assert float(probability) == pytest.approx(float(shown[1]), abs=2e-6)
