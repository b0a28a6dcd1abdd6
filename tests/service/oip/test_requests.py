"""A whole request: the JSON, what lies behind it, and what is refused of either."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import MalformedRequest, MissingImage, RequestError, UnknownOption
from service.oip.requests import MAX_JSON_VALUES, read_request
from tests.service.oip.examples import HEADER_LENGTH, binary, prefixed, tensor, texts
from tests.service.refusals import refusal_of

IMAGES = np.arange(24, dtype=np.uint8).reshape(1, 4, 6, 1)


def body_of(**members: Any) -> bytes:
    return json.dumps({"inputs": [tensor("images", IMAGES)], **members}).encode()


def refusal(body: bytes, header_length: str | None = None) -> RequestError:
    """Return the error with which a request is refused."""
    with pytest.raises(RequestError) as caught:
        read_request(header_length, body)
    return caught.value


def test_a_plain_request_asks_for_all_outputs_in_json() -> None:
    request = read_request(None, body_of())

    assert np.array_equal(request.inputs["images"].array, IMAGES)
    assert request.outputs == ()
    assert request.request_id is None
    assert not request.is_binary
    assert request.timeout_us is None
    assert request.options == {}


def test_everything_that_a_request_can_say() -> None:
    request = read_request(
        None,
        body_of(
            id="a-1",
            model_name="as KServe's client writes",
            parameters={
                "binary_data_output": True,
                "timeout": 2500,
                "priority": 1,
                "sequence_id": 0,
                "sequence_start": False,
                "fit": "crop",
            },
            outputs=[
                {"name": "theta"},
                {"name": "warped", "parameters": {"binary_data": False}},
                {"name": "probabilities", "parameters": {"classification": 3}},
            ],
        ),
    )

    assert request.request_id == "a-1"
    assert request.is_binary
    assert request.timeout_us == 2500
    assert request.options == {"fit": "crop"}
    described = [(o.name, o.is_binary, o.num_classes) for o in request.outputs]
    assert described == [("theta", True, 0), ("warped", False, 0), ("probabilities", True, 3)]


def test_a_timeout_of_zero_is_none() -> None:
    assert read_request(None, body_of(parameters={"timeout": 0})).timeout_us is None


def test_binary_and_json_inputs_may_be_mixed() -> None:
    """Bytes belong to the inputs that say how many they have, in the order of the JSON."""
    document = {
        "inputs": [
            texts("a", []) | {"shape": [2], "parameters": {"binary_data_size": 11}},
            tensor("b", np.array([1.5], np.float32)),
            tensor("c", IMAGES) | {"parameters": {"binary_data_size": 24}},
        ]
    }
    for member in ("a", "c"):
        next(i for i in document["inputs"] if i["name"] == member).pop("data")
    header = json.dumps(document).encode()
    body = header + prefixed(b"xy", b"z") + IMAGES.tobytes()

    inputs = read_request(str(len(header)), body).inputs

    assert inputs["a"].array.tolist() == [b"xy", b"z"]
    assert inputs["b"].array.tolist() == [1.5]
    assert np.array_equal(inputs["c"].array, IMAGES)


def test_a_header_length_of_zero_makes_the_body_a_picture() -> None:
    picture = read_request("0", b"\x89PNG...").inputs["images"]

    assert picture.datatype == "BYTES"
    assert picture.array.tolist() == [b"\x89PNG..."]
    assert not picture.is_text
    with pytest.raises(MissingImage):
        read_request("0", b"")


@pytest.mark.parametrize(
    "length", ["-1", "+1", "1.0", "1e2", "x", "", " 5", "0x10", "٣", "99999999999", "1" * 5000]
)
def test_a_header_length_that_is_no_number_is_refused(length: str) -> None:
    error = refusal(body_of(), length)

    assert isinstance(error, MalformedRequest)
    assert error.errors[0].field.lower() == HEADER_LENGTH


def test_a_header_length_beyond_the_body_is_refused() -> None:
    body = body_of()

    assert "at most the" in refusal(body, str(len(body) + 1)).detail
    read_request(str(len(body)), body)


@pytest.mark.parametrize(
    ("claimed", "sent", "sentence"),
    [
        (24, 23, "end before the input 'images' does"),
        (24, 25, "25 bytes follow the JSON, but the inputs claim 24"),
        (23, 23, "expected 24 bytes"),
        (25, 25, "expected 24 bytes"),
        (0, 0, "expected 24 bytes"),
        (2**40, 24, "end before"),
    ],
)
def test_sizes_that_do_not_add_up_are_refused(claimed: int, sent: int, sentence: str) -> None:
    document = {"inputs": [tensor("images", IMAGES)]}
    del document["inputs"][0]["data"]
    document["inputs"][0]["parameters"] = {"binary_data_size": claimed}
    header = json.dumps(document).encode()

    assert sentence in refusal(header + b"\0" * sent, str(len(header))).detail


@pytest.mark.parametrize("size", [-1, 1.5, "24", True, None, [], 2**41])
def test_a_binary_size_that_is_no_size_is_refused(size: Any) -> None:
    given_input = tensor("images", IMAGES) | {"parameters": {"binary_data_size": size}}
    if size is not None:
        del given_input["data"]
    header = json.dumps({"inputs": [given_input]}).encode()

    assert refusal(header + IMAGES.tobytes(), str(len(header))).detail


def test_bytes_that_no_input_claims_are_refused() -> None:
    header = body_of()

    assert "claim 0" in refusal(header + b"x", str(len(header))).detail


def test_json_cut_by_a_header_length_too_short_is_refused() -> None:
    assert "not valid JSON" in refusal(body_of(), "10").detail


INPUT = tensor("images", IMAGES)
DATALESS = {name: value for name, value in INPUT.items() if name != "data"}


def asking(**parameters: Any) -> dict[str, Any]:
    """Return a request for one output with these parameters."""
    return {"inputs": [INPUT], "outputs": [{"name": "theta", "parameters": parameters}]}


NO_REQUESTS: dict[str, Any] = {
    "a list": [],
    "a text": "text",
    "a number": 1,
    "null": None,
    "nothing in it": {},
    "no inputs": {"inputs": []},
    "inputs an object": {"inputs": {}},
    "inputs a text": {"inputs": "images"},
    "an input a number": {"inputs": [1]},
    "an input a list": {"inputs": [[]]},
    "an input of nothing": {"inputs": [{}]},
    "a name that is a number": {"inputs": [{**INPUT, "name": 1}]},
    "the same input twice": {"inputs": [INPUT, INPUT]},
    "17 inputs": {"inputs": [{**INPUT, "name": str(i)} for i in range(17)]},
    "no data": {"inputs": [DATALESS]},
    "data null": {"inputs": [{**INPUT, "data": None}]},
    "data and binary data": {"inputs": [{**INPUT, "parameters": {"binary_data_size": 24}}]},
    "parameters a list": {"inputs": [{**INPUT, "parameters": []}]},
    "shared memory in": {"inputs": [{**DATALESS, "parameters": {"shared_memory_region": "a"}}]},
    "outputs an object": {"inputs": [INPUT], "outputs": {}},
    "an output a text": {"inputs": [INPUT], "outputs": ["theta"]},
    "the same output twice": {"inputs": [INPUT], "outputs": [{"name": "a"}, {"name": "a"}]},
    "binary_data a number": asking(binary_data=1),
    "classification below 0": asking(classification=-1),
    "shared memory out": asking(shared_memory_region="a"),
    "request parameters a list": {"inputs": [INPUT], "parameters": []},
    "a flag a text": {"inputs": [INPUT], "parameters": {"binary_data_output": "yes"}},
    "timeout below 0": {"inputs": [INPUT], "parameters": {"timeout": -1}},
    "timeout no whole number": {"inputs": [INPUT], "parameters": {"timeout": 1.5}},
    "timeout of centuries": {"inputs": [INPUT], "parameters": {"timeout": 2**60}},
    "id a number": {"inputs": [INPUT], "id": 7},
    "id endless": {"inputs": [INPUT], "id": "x" * 257},
}


@pytest.mark.parametrize("document", NO_REQUESTS.values(), ids=NO_REQUESTS)
def test_a_document_that_is_no_request_is_refused(document: Any) -> None:
    assert refusal(json.dumps(document).encode()).detail


@pytest.mark.parametrize("body", [b"", b" ", b"{", b"\xff", b'{"inputs": NaN}', b"\x89PNG\r\n"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    assert "not valid JSON" in refusal(body).detail


def test_a_sequence_is_refused_because_nothing_is_kept() -> None:
    error = refusal(body_of(parameters={"sequence_id": 5, "sequence_start": True}))

    assert isinstance(error, UnknownOption)
    assert "no state" in error.detail


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"inputs": ' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"inputs": ' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}",
        b'{"a":' * 100_000,
    ],
    ids=["lists", "lists within", "objects", "open"],
)
def test_deep_json_is_refused(body: bytes) -> None:
    assert refusal(body).detail


@pytest.mark.parametrize("item", [b"0", b"[]", b"[[1],[2]]", b"{}"])
def test_json_with_too_many_values_is_refused_before_it_is_parsed(item: bytes) -> None:
    """Where it would become millions of objects."""
    body = b'{"inputs": [' + (item + b",") * (MAX_JSON_VALUES + 1) + item + b"]}"

    assert "send large tensors as binary data" in refusal(body).detail


def test_json_may_carry_as_many_values_as_it_says() -> None:
    """64 images of 42 x 42, each number in a list of its own, as `tolist` writes them."""
    images = np.zeros((64, 42, 42, 1), np.uint8)

    request = read_request(
        None, json.dumps({"inputs": [tensor("i", images, nested=True)]}).encode()
    )

    assert request.inputs["i"].array.shape == images.shape


GOOD, GOOD_HEADERS = binary(
    {"id": "1", "inputs": [tensor("images", IMAGES)], "outputs": [{"name": "theta"}]},
    IMAGES.tobytes(),
)


@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(0, len(GOOD)),
    st.integers(-2, 2),
)
def test_no_change_to_a_good_request_brings_anything_but_a_refusal(
    changes: list[tuple[int, int]], end: int, shift: int
) -> None:
    """Bytes changed, cut short, the length a little wrong: read or refused, no other exception."""
    content = bytearray(GOOD)
    for at, byte in changes:
        content[at] = byte
    length = str(int(GOOD_HEADERS[HEADER_LENGTH]) + shift)

    refusal_of(lambda: read_request(length, bytes(content)))
    refusal_of(lambda: read_request(length, bytes(content[:end])))


@given(st.none() | st.text(max_size=8), st.binary(max_size=200))
def test_no_body_brings_anything_but_a_refusal(length: str | None, body: bytes) -> None:
    refusal_of(lambda: read_request(length, body))
