"""Each call that the server refuses, with its code and its words."""

from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest

from tests.serving_double.client import Client, eventually, predict_request
from tests.serving_double.conftest import Serve

IMAGES = {"images": np.zeros((2, 4, 3), np.uint8)}
INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND


def with_images(**fields: Any) -> Any:
    """Return a request whose images are spelled out."""
    request = predict_request({}, signature="predict")
    request.inputs["images"].dtype = 4
    for size in fields.pop("shape"):
        request.inputs["images"].tensor_shape.dim.add(size=size)
    for name, value in fields.items():
        setattr(request.inputs["images"], name, value)
    return request


def without_spec() -> Any:
    request = predict_request(IMAGES)
    request.ClearField("model_spec")
    return request


CASES: dict[str, tuple[Callable[[Client], Any], grpc.StatusCode, str]] = {
    "unknown model": (
        lambda c: c.ask(IMAGES, name="nope"),
        NOT_FOUND,
        "Servable not found for request: Latest(nope)",
    ),
    "unknown version": (
        lambda c: c.ask(IMAGES, version=77),
        NOT_FOUND,
        "Servable not found for request: Specific(tiny, 77)",
    ),
    "unknown label": (
        lambda c: c.ask(IMAGES, label="nolabel"),
        INVALID,
        "Unrecognized servable version label: nolabel",
    ),
    "empty model name": (
        lambda c: c.ask(IMAGES, name=""),
        INVALID,
        "ModelSpec has no name specified.",
    ),
    "no model at all": (lambda c: c.send(without_spec()), INVALID, "Missing ModelSpec"),
    "unknown signature": (
        lambda c: c.ask(IMAGES, signature="nosig"),
        grpc.StatusCode.FAILED_PRECONDITION,
        'Serving signature key "nosig" not found.',
    ),
    "wrong dtype": (
        lambda c: c.ask({"x": np.ones(2, np.float64)}, signature="root"),
        INVALID,
        "Expects arg[0] to be float but double is provided",
    ),
    "missing input": (
        lambda c: c.ask({}, signature="predict"),
        INVALID,
        (
            "input size does not match signature: 0!=1 len({}) != len({images}). Sent extra: {}. "
            "Missing but required: {images}."
        ),
    ),
    "input of another name": (
        lambda c: c.ask({"x": np.ones(2)}),
        INVALID,
        "input tensor alias not found in signature: x. Inputs expected to be in the set {images}.",
    ),
    "unknown output": (
        lambda c: c.ask(IMAGES, outputs=["bogus"]),
        INVALID,
        (
            "output tensor alias not found in signature: bogus "
            "Outputs expected to be in the set {first,mean}."
        ),
    ),
    "bytes that do not fit the shape": (
        lambda c: c.send(with_images(shape=(2, 4, 3), tensor_content=bytes(23))),
        INVALID,
        "tensor parsing error: images",
    ),
    "negative dimension": (
        lambda c: c.send(with_images(shape=(-1, 4, 3), tensor_content=bytes(24))),
        INVALID,
        "tensor parsing error: images",
    ),
    "status of an unknown model": (
        lambda c: c.status(name="nope"),
        NOT_FOUND,
        "Could not find any versions of model nope",
    ),
    "status of an unknown version": (
        lambda c: c.status(version=77),
        NOT_FOUND,
        "Could not find version 77 of model tiny",
    ),
    "metadata of nothing": (
        lambda c: c.signatures(fields=()),
        INVALID,
        "GetModelMetadataRequest must specify at least one metadata_field",
    ),
    "metadata of an unknown model": (
        lambda c: c.signatures(name="nope"),
        NOT_FOUND,
        "Servable not found for request: Latest(nope)",
    ),
}


def test_each_refusal_has_its_code_and_words(serve: Serve) -> None:
    """All in one, because each needs the same server."""
    client = serve()

    answers = {}
    for case, (call, _, _) in CASES.items():
        with pytest.raises(grpc.RpcError) as raised:
            call(client)
        answers[case] = (raised.value.code(), raised.value.details())

    assert answers == {case: (code, words) for case, (_, code, words) in CASES.items()}


def test_more_calls_at_once_than_threads_are_refused(serve: Serve) -> None:
    """RESOURCE_EXHAUSTED at once, whatever is called; and with a free thread all is well."""
    client = serve(max_calls=2)
    client.fault("hang", times=2)
    hanging = [client.begin(IMAGES), client.begin(IMAGES)]
    eventually(lambda: client.double.calls.count() == 2)

    for call in (lambda: client.ask(IMAGES), client.states):
        with pytest.raises(grpc.RpcError) as raised:
            call()
        assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert raised.value.details() == "Server Threadpool Exhausted"

    for call in hanging:
        call.cancel()
    eventually(lambda: client.is_answered(IMAGES))


def test_the_graph_s_own_error_comes_through(serve: Serve) -> None:
    """A pixel outside the table fails the lookup."""
    with pytest.raises(grpc.RpcError) as raised:
        serve().predict({"images": np.full((1, 2, 2), 201, np.uint8)})

    assert raised.value.code() == INVALID
    assert "is not in [0, 201)" in (raised.value.details() or "")
