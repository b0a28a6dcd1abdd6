"""Each fault does what it says, where and as often as it was asked for."""

import time
from typing import Any
from unittest.mock import ANY

import grpc
import numpy as np
import pytest

from service import wire
from tests.serving_double.client import Client, eventually
from tests.serving_double.conftest import Serve
from tests.serving_double.faults import Fault

IMAGES = {"images": np.arange(24, dtype=np.uint8).reshape(2, 4, 3)}
MEAN = IMAGES["images"].mean((1, 2)).astype(np.float32)


def outcome(client: Client, **request: Any) -> Any:
    """Return the code of a failure, or the arrays."""
    try:
        return client.predict(IMAGES, **request)
    except grpc.RpcError as error:
        return error.code()


def test_an_error_comes_as_often_as_asked_and_no_oftener(serve: Serve) -> None:
    client = serve()
    client.fault("error", code="RESOURCE_EXHAUSTED", message="enough", times=2)

    for _ in range(2):
        with pytest.raises(grpc.RpcError) as raised:
            client.predict(IMAGES)
        assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert raised.value.details() == "enough"
    client.predict(IMAGES)


def test_a_fault_lasts_until_it_is_cleared(serve: Serve) -> None:
    client = serve()
    client.fault("error")

    assert [outcome(client) for _ in range(3)] == [grpc.StatusCode.UNAVAILABLE] * 3
    client.double.faults.clear()
    client.predict(IMAGES)


@pytest.mark.parametrize(
    "where",
    [
        {"servable": "other"},
        {"signature": "root"},
        {"method": "GetModelStatus"},
        {"min_batch": 3},
        {"first_pixel": 7},
    ],
)
def test_a_fault_elsewhere_does_nothing_here(serve: Serve, where: dict[str, Any]) -> None:
    client = serve()
    client.fault("error", **where)

    np.testing.assert_array_equal(outcome(client)["mean"], MEAN)


@pytest.mark.parametrize(
    "where",
    [
        {"servable": "tiny"},
        {"signature": "serving_default"},
        {"method": "*"},
        {"min_batch": 2},
        {"first_pixel": 12},
    ],
)
def test_a_fault_here_happens(serve: Serve, where: dict[str, Any]) -> None:
    client = serve()
    client.fault("error", **where)

    assert outcome(client) == grpc.StatusCode.UNAVAILABLE


def test_a_call_that_hangs_ends_with_the_caller_s_patience(serve: Serve) -> None:
    client = serve()
    client.fault("hang")

    with pytest.raises(grpc.RpcError) as raised:
        client.ask(IMAGES, timeout=0.2)

    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_call_that_hangs_is_answered_when_it_is_released(serve: Serve) -> None:
    """It, and not the next."""
    client = serve()
    client.fault("hang", times=2)
    released = client.begin(IMAGES, outputs=["mean"])
    eventually(lambda: client.double.calls.count() == 1)

    client.double.faults.release()

    np.testing.assert_array_equal(released.result().outputs["mean"].float_val, MEAN)
    left = client.begin(IMAGES)
    eventually(lambda: client.double.calls.count() == 2)
    left.cancel()
    eventually(lambda: client.double.calls.count() == 3)


def test_a_slow_answer_is_right(serve: Serve) -> None:
    client = serve()
    client.fault("slow", milliseconds=300)
    start = time.monotonic()

    np.testing.assert_array_equal(client.predict(IMAGES)["mean"], MEAN)

    assert time.monotonic() - start >= 0.3


def test_tensors_come_spoilt(serve: Serve) -> None:
    """Not finite, too long, of another type, of another value, left out: only where asked."""
    client = serve()

    def spoilt(kind: str, **fault: Any) -> dict[str, np.ndarray]:
        client.fault(kind, output="mean", times=1, **fault)
        answer = client.predict(IMAGES)
        assert answer["first"].tolist() == [0, 12]
        return answer

    assert np.isnan(spoilt("nan")["mean"]).all()
    assert spoilt("shape")["mean"].shape == (3,)
    assert spoilt("dtype")["mean"].dtype == np.float64
    assert spoilt("value", number=5)["mean"].tolist() == [5, 5]
    assert "mean" not in spoilt("missing")
    client.fault("value", text="{}", signature="describe")
    assert client.predict({}, signature="describe")["card"] == b"{}"


@pytest.mark.parametrize("tensor_content", [False, True])
def test_garbage_fits_no_tensor(serve: Serve, tensor_content: bool) -> None:
    """It is a message still, whose bytes do not fit its shape."""
    client = serve(tensor_content=tensor_content)
    client.fault("garbage", output="mean")

    tensor = client.ask(IMAGES).outputs["mean"]

    assert len(tensor.tensor_content) % 4 != 0
    assert not tensor.float_val


@pytest.mark.parametrize(
    ("path", "method"),
    [
        (wire.PREDICT, "Predict"),
        (wire.GET_MODEL_STATUS, "GetModelStatus"),
        (wire.GET_MODEL_METADATA, "GetModelMetadata"),
    ],
)
def test_an_answer_may_be_no_message_at_all(serve: Serve, path: str, method: str) -> None:
    client = serve()
    client.fault("unparsable", method=method)
    spec = wire.ModelSpec(name="tiny", signature_name="describe")
    request = {
        "Predict": wire.PredictRequest(model_spec=spec),
        "GetModelStatus": wire.GetModelStatusRequest(model_spec=spec),
        "GetModelMetadata": wire.GetModelMetadataRequest(
            model_spec=spec, metadata_field=["signature_def"]
        ),
    }[method]

    with grpc.insecure_channel(client.address) as channel:
        call: Any = channel.unary_unary(path)
        answer = call(request.SerializeToString(), timeout=60)

    assert answer == b"\xff\xff\xff no message"


def test_another_version_may_claim_to_have_answered(serve: Serve) -> None:
    client = serve()
    client.fault("version", number=9)

    assert client.ask(IMAGES, version=1).model_spec.version.value == 9


def test_metadata_may_break_the_contract(serve: Serve) -> None:
    """An output is gone, an input has another shape or type; other signatures stay."""
    client = serve()
    client.fault("metadata", signature="predict", output="mean")
    client.fault("metadata", signature="predict", output="images", shape=[-1, 5], number=1)

    signatures = client.signatures()

    assert set(signatures["predict"].outputs) == {"first"}
    images = signatures["predict"].inputs["images"]
    assert [dimension.size for dimension in images.tensor_shape.dim] == [-1, 5]
    assert images.dtype == 1
    assert set(signatures["serving_default"].outputs) == {"first", "mean"}


def test_a_state_may_be_pretended(serve: Serve) -> None:
    """Told to clients, and acted on: what is LOADING does not answer."""
    client = serve()
    servables = client.double.servables

    servables.pretend("tiny", 3, "LOADING")

    assert client.states() == {3: "LOADING", 1: "AVAILABLE"}
    assert client.ask(IMAGES).model_spec.version.value == 1
    with pytest.raises(grpc.RpcError) as raised:
        client.ask(IMAGES, version=3)
    assert raised.value.details() == "Servable not found for request: Specific(tiny, 3)"
    servables.pretend("tiny", 3, None)
    assert client.states()[3] == "AVAILABLE"


def test_calls_are_noted(serve: Serve) -> None:
    """Which model, which signature, how many rows, which outputs."""
    client = serve()
    client.predict(IMAGES, outputs=["mean"], version=1, signature="predict")

    assert client.double.calls.take() == [
        {
            "method": "Predict",
            "servable": "tiny",
            "signature": "predict",
            "batch": 2,
            "first_pixels": [0, 12],
            "version": 1,
            "outputs": ["mean"],
            "faults": [],
            "seconds_left": ANY,
            "headers": ANY,
        }
    ]
    assert client.double.calls.take() == []


def test_a_call_that_is_given_up_is_noted_with_the_time_it_had_left(serve: Serve) -> None:
    client = serve()
    client.fault("hang")
    call = client.begin(IMAGES)
    eventually(lambda: client.double.calls.count() == 1)

    call.cancel()
    eventually(lambda: client.double.calls.count() == 2)

    begun, given_up = client.double.calls.take()
    assert (begun["method"], given_up["method"]) == ("Predict", "Predict, given up")
    assert (begun["faults"], given_up["faults"]) == (["hang"], [])
    assert 0 < given_up["seconds_left"] < begun["seconds_left"] <= 121.2


def test_a_fault_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault 'sloow'"):
        Fault("sloow")
    with pytest.raises(ValueError, match=r"a fault has no \['seconds'\]"):
        Fault.read({"kind": "slow", "seconds": 1})
