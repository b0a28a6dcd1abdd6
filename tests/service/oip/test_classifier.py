"""The classifier over the protocol, on a backend whose answers are known by hand."""

import asyncio
import base64
import struct
from typing import Any

import httpx
import numpy as np
import pytest

from service.backend import Arrays, Call
from tests.service.fakes import HEIGHT, WIDTH, FakeBackend, gateway_on
from tests.service.oip.examples import (
    HEADER_LENGTH,
    binary,
    output_of,
    prefixed,
    tensor,
    texts,
)
from tests.service.pictures import encoded

PATH = "/v2/models/stn/infer"
SHADES = np.stack([np.full((HEIGHT, WIDTH, 1), shade, np.uint8) for shade in (0, 51, 255)])
# What FakeBackend says of them: dark, middle, light.
PROBABILITIES = np.array([[1, 0, 0], [0.6, 0.4, 0], [0, 0, 1]], np.float32)
THETA = np.array([1, 0, 0.25, 0, 0.5, -0.5], np.float32)


def ask(
    body: Any, headers: dict[str, str] | None = None, path: str = PATH, **settings: Any
) -> tuple[httpx.Response, FakeBackend]:
    """Post a request, a document or bytes, to a gateway that lives as long."""

    async def post() -> tuple[httpx.Response, FakeBackend]:
        backend = FakeBackend()
        sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        async with gateway_on(backend, **{"poll_seconds": 60, **settings}) as (client, _):
            return await client.post(path, headers=headers, **sent), backend

    return asyncio.run(post())


def outputs_of(body: Any, headers: dict[str, str] | None = None, **settings: Any) -> dict[str, Any]:
    answer, _ = ask(body, headers, **settings)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def error_of(
    body: Any, headers: dict[str, str] | None = None, status: int = 400, **settings: Any
) -> str:
    """Return what the protocol's clients show of a refusal."""
    answer, _ = ask(body, headers, **settings)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    problem = answer.json()
    assert problem["error"] == problem["detail"]
    assert problem["status"] == status
    return str(problem["error"])


def test_a_tensor_is_classified_row_by_row_in_order() -> None:
    document = outputs_of({"id": "r-1", "inputs": [tensor("images", SHADES)]})

    assert (document["model_name"], document["model_version"]) == ("stn", "1")
    assert document["id"] == "r-1"
    assert [output["name"] for output in document["outputs"]] == [
        "probabilities",
        "theta",
        "warped",
    ]
    np.testing.assert_allclose(output_of(document, "probabilities"), PROBABILITIES, atol=1e-6)
    assert np.array_equal(output_of(document, "theta"), np.tile(THETA, (3, 1)))
    assert np.array_equal(output_of(document, "warped"), np.full((3, 2, 3, 1), 0.5, np.float32))


def test_no_id_comes_back_when_none_was_sent() -> None:
    assert "id" not in outputs_of({"inputs": [tensor("images", SHADES)]})


def test_every_form_of_the_same_images_gets_the_same_answer() -> None:
    """Flat, nested, binary, as wider integers, as pictures in base64, as pictures in bytes."""
    pictures = [encoded(shade[..., 0]) for shade in SHADES]
    encoded_texts = [base64.b64encode(picture).decode() for picture in pictures]
    as_bytes = {"inputs": [texts("images", [], [3])]}
    forms: list[tuple[Any, dict[str, str] | None]] = [
        ({"inputs": [tensor("images", SHADES)]}, None),
        ({"inputs": [tensor("images", SHADES, nested=True)]}, None),
        ({"inputs": [tensor("images", SHADES.astype(np.int64))]}, None),
        binary({"inputs": [tensor("images", SHADES)]}, SHADES.tobytes()),
        ({"inputs": [texts("images", encoded_texts)]}, None),
        ({"inputs": [texts("images", encoded_texts, [3, 1])]}, None),
        (
            {"inputs": [texts("images", [f"data:image/png;base64,{t}" for t in encoded_texts])]},
            None,
        ),
        binary(as_bytes, prefixed(*pictures)),
    ]

    answers = [outputs_of(body, headers) for body, headers in forms]

    assert all(answer == answers[0] for answer in answers)
    np.testing.assert_allclose(output_of(answers[0], "probabilities"), PROBABILITIES, atol=1e-6)


def test_a_picture_posted_raw_gets_what_predict_says() -> None:
    """With a header length of 0, of any size and format; fitted as `/predict` does."""
    picture = encoded(np.full((40, 60), 51, np.uint8), "JPEG")

    async def both() -> tuple[Any, Any]:
        async with gateway_on(FakeBackend()) as (client, _):
            raw = await client.post(PATH, content=picture, headers={HEADER_LENGTH: "0"})
            plain = await client.post("/predict", content=picture)
            return raw.json(), plain.json()

    raw, plain = asyncio.run(both())
    assert output_of(raw, "probabilities")[0] == pytest.approx(plain["probabilities"], abs=1e-6)


def test_only_the_outputs_asked_for_come_in_their_order_and_form() -> None:
    """Oracle: the bytes, taken apart by hand."""
    outputs = [
        {"name": "theta", "parameters": {"binary_data": True}},
        {"name": "probabilities"},
    ]
    answer, backend = ask({"inputs": [tensor("images", SHADES)], "outputs": outputs})

    length = int(answer.headers[HEADER_LENGTH])
    header = httpx.Response(200, content=answer.content[:length]).json()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert [output["name"] for output in header["outputs"]] == ["theta", "probabilities"]
    theta, probabilities = header["outputs"]
    assert theta == {
        "name": "theta",
        "datatype": "FP32",
        "shape": [3, 6],
        "parameters": {"binary_data_size": 72},
    }
    assert struct.unpack("<18f", answer.content[length:]) == (*THETA, *THETA, *THETA)
    assert "data" in probabilities
    assert "parameters" not in probabilities
    # The warped image, which costs most, was not even computed.
    assert len(backend.calls[-1].inputs["images"]) == 3
    assert backend.calls[-1].outputs == ("probabilities", "theta")


@pytest.mark.parametrize("said", [{}, {"parameters": {"binary_data": False}}])
def test_binary_data_output_is_the_default_for_outputs_that_do_not_say(said: Any) -> None:
    request = {
        "inputs": [tensor("images", SHADES)],
        "parameters": {"binary_data_output": True},
        "outputs": [{"name": "theta", **said}],
    }

    answer, _ = ask(request)

    assert (HEADER_LENGTH in answer.headers) == (said == {})


def test_classification_names_the_most_probable_classes() -> None:
    """Probability, index and label of each; equal ones in the order of their index."""
    outputs = [{"name": "probabilities", "parameters": {"classification": 2}}]
    document = outputs_of({"inputs": [tensor("images", SHADES)], "outputs": outputs})

    assert document["outputs"][0]["datatype"] == "BYTES"
    assert document["outputs"][0]["shape"] == [3, 2]
    assert document["outputs"][0]["data"] == [
        *("1.000000:0:dark", "0.000000:1:middle"),
        *("0.600000:0:dark", "0.400000:1:middle"),
        *("1.000000:2:light", "0.000000:0:dark"),
    ]


def test_more_classes_than_there_are_name_them_all() -> None:
    outputs = [{"name": "probabilities", "parameters": {"classification": 2**31}}]
    document = outputs_of({"inputs": [tensor("images", SHADES)], "outputs": outputs})

    assert document["outputs"][0]["shape"] == [3, 3]


def test_fit_and_invert_are_read_for_pictures() -> None:
    black = base64.b64encode(encoded(np.zeros((HEIGHT, WIDTH), np.uint8))).decode()
    request = {"inputs": [texts("images", [black])], "parameters": {"invert": True}}

    assert output_of(outputs_of(request), "probabilities")[0].tolist() == [0, 0, 1]
    assert "pictures" in error_of(
        {"inputs": [tensor("images", SHADES)], "parameters": {"invert": True}}
    )
    assert "fit" in error_of({**request, "parameters": {"fit": "zoom"}}, status=422)
    assert "no option 'fitt'" in error_of({**request, "parameters": {"fitt": "crop"}})
    assert "no option 'version'" in error_of({**request, "parameters": {"version": 1}})


@pytest.mark.parametrize(
    "inputs",
    [
        [tensor("image", SHADES)],
        [tensor("images", SHADES), tensor("theta", THETA)],
        [tensor("images", SHADES[:, :3])],
        [tensor("images", SHADES[0])],
        [tensor("images", SHADES.reshape(3, -1))],
        [tensor("images", SHADES.astype(np.float32))],
        [tensor("images", SHADES.astype(bool))],
        [tensor("images", SHADES.astype(np.int16) + 1)],
        [tensor("images", SHADES.astype(np.int16) - 1)],
        [texts("images", ["not base64!"])],
        [texts("images", ["AAAA"], [1, 1, 1])],
        [texts("images", ["AAAA", "AAAA"], [1, 2])],
    ],
    ids=[
        "name",
        "an input too many",
        "height",
        "no batch",
        "rank",
        "floats",
        "truth",
        "above 255",
        "below 0",
        "not base64",
        "rank of pictures",
        "two to a row",
    ],
)
def test_inputs_that_are_not_the_models_are_refused_before_it_runs(inputs: Any) -> None:
    assert error_of({"inputs": inputs})


def test_the_refusal_of_a_shape_says_what_would_be_right() -> None:
    sentence = error_of({"inputs": [tensor("images", SHADES[:, :3])]})

    assert sentence == (
        "images must have shape [batch, 4, 6, 1] for stn version 1; got shape [3, 3, 6, 1]. As "
        "BYTES, pictures of any size are taken"
    )


def test_unknown_outputs_are_refused_with_the_list_of_those_there_are() -> None:
    sentence = error_of({"inputs": [tensor("images", SHADES)], "outputs": [{"name": "logits"}]})

    assert sentence == "the model has no output 'logits'; it has probabilities, theta, warped"


def test_classification_of_anything_but_probabilities_is_refused() -> None:
    outputs = [{"name": "theta", "parameters": {"classification": 1}}]

    assert error_of({"inputs": [tensor("images", SHADES)], "outputs": outputs})


def test_no_more_images_than_a_batch_may_have() -> None:
    picture = base64.b64encode(encoded(SHADES[0, ..., 0])).decode()

    for inputs in ([tensor("images", SHADES)], [texts("images", [picture] * 3)]):
        assert "at most 2" in error_of({"inputs": inputs}, status=413, max_batch_images=2)
        assert outputs_of({"inputs": inputs}, max_batch_images=3)


def test_a_broken_picture_is_named_by_its_number() -> None:
    good = encoded(SHADES[0, ..., 0])
    request = binary({"inputs": [texts("images", [], [2])]}, prefixed(good, good[:40]))

    assert error_of(*request, status=422).startswith("image 1: ")


class HeldBackend(FakeBackend):
    """Holds every prediction back until told."""

    def __init__(self) -> None:
        super().__init__()
        self.is_held = False
        self.go = asyncio.Event()
        self.asked = asyncio.Event()

    async def run(self, call: Call, deadline: float) -> Arrays:
        outputs = await super().run(call, deadline)
        if self.is_held and call.signature == "predict":
            self.asked.set()
            await self.go.wait()
        return outputs


def test_rows_share_calls_of_the_model_with_the_pictures_of_other_routes() -> None:
    """While one call runs, a tensor of three and a picture gather; they go together."""
    picture = encoded(SHADES[0, ..., 0])
    request = {"inputs": [tensor("images", SHADES)], "outputs": [{"name": "theta"}]}

    async def run() -> list[int]:
        backend = HeldBackend()
        async with gateway_on(backend, poll_seconds=60) as (client, _):
            backend.calls.clear()
            backend.is_held = True
            first = asyncio.create_task(client.post("/predict", content=picture))
            await backend.asked.wait()
            others = [
                asyncio.create_task(client.post(PATH, json=request)),
                asyncio.create_task(client.post("/predict", content=picture)),
            ]
            # Both wait by now: whoever is not in the batcher yet still has its turn to come.
            for _ in range(1000):
                await asyncio.sleep(0)
            backend.go.set()
            for answer in await asyncio.gather(first, *others):
                assert answer.status_code == 200
            return [len(call.inputs["images"]) for call in backend.calls]

    assert asyncio.run(run()) == [1, 4]


def test_the_timeout_of_a_request_ends_it() -> None:
    """In microseconds; a call that never comes back is given up."""
    request = {"inputs": [tensor("images", SHADES)], "parameters": {"timeout": 1000}}

    async def run() -> httpx.Response:
        backend = HeldBackend()
        async with gateway_on(backend, poll_seconds=60) as (client, _):
            backend.is_held = True
            return await client.post(PATH, json=request)

    answer = asyncio.run(run())
    assert answer.status_code == 504
    assert answer.json()["error"]


class RecordingBackend(FakeBackend):
    """Notes how much time each prediction had left, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.left: list[float] = []

    async def run(self, call: Call, deadline: float) -> Arrays:
        self.left.append(deadline - asyncio.get_running_loop().time())
        return await super().run(call, deadline)


@pytest.mark.parametrize(("timeout_us", "most"), [(30_000_000, 30), (10**12, 100)])
def test_the_timeout_of_a_request_shortens_its_deadline_and_cannot_lengthen_it(
    timeout_us: int, most: float
) -> None:
    """The gateway allows 100 seconds here; what the model has left is within both."""
    request = {"inputs": [tensor("images", SHADES)], "parameters": {"timeout": timeout_us}}

    async def run() -> float:
        backend = RecordingBackend()
        async with gateway_on(
            backend, poll_seconds=60, request_timeout_ms=100_000, max_request_timeout_ms=100_000
        ) as (client, _):
            assert (await client.post(PATH, json=request)).status_code == 200
            return backend.left[-1]

    assert asyncio.run(run()) <= most
