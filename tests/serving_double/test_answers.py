"""What the server answers when all is well, and what it lets through."""

from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from tests.serving_double.client import predict_request
from tests.serving_double.conftest import Serve
from tests.serving_double.tensors import read_tensor, write_tensor

IMAGES = {"images": np.arange(24, dtype=np.uint8).reshape(2, 4, 3)}


def test_the_answer_names_version_and_signature(serve: Serve) -> None:
    """Whoever asks for the latest, or for no signature, learns who answered."""
    spec = serve().ask(IMAGES).model_spec

    assert (spec.name, spec.version.value, spec.signature_name) == ("tiny", 3, "serving_default")


def test_outputs_can_be_chosen(serve: Serve) -> None:
    """With output_filter just these, without it all."""
    client = serve()

    assert set(client.predict(IMAGES, outputs=["mean"])) == {"mean"}
    assert set(client.predict(IMAGES)) == {"mean", "first"}


def test_typed_fields_and_tensor_content_say_the_same(serve: Serve) -> None:
    """The flag changes where the numbers are, not what they are; strings stay where they were."""
    by_default, raw = serve(), serve(tensor_content=True)

    typed, content = (client.ask(IMAGES).outputs["mean"] for client in (by_default, raw))
    assert len(typed.float_val) == 2
    assert not typed.tensor_content
    assert len(content.tensor_content) == 8
    assert not content.float_val
    np.testing.assert_array_equal(tf.make_ndarray(typed), IMAGES["images"].mean((1, 2)))
    np.testing.assert_array_equal(tf.make_ndarray(content), tf.make_ndarray(typed))
    for client in (by_default, raw):
        assert list(client.ask({}, signature="describe").outputs["labels"].string_val) == [
            b"a",
            b"b",
        ]


def test_every_value_of_uint8_survives_typed_fields() -> None:
    """Numbers from 128 on take two bytes there."""
    array, proto = np.arange(256, dtype=np.uint8).reshape(16, 16), tensor_pb2.TensorProto()
    write_tensor(proto, array, as_content=False)

    np.testing.assert_array_equal(tf.make_ndarray(proto), array)
    np.testing.assert_array_equal(read_tensor("images", proto), array)


def test_one_value_in_a_typed_field_fills_the_shape(serve: Serve) -> None:
    request = predict_request({}, outputs=["first"])
    request.inputs["images"].CopyFrom(tf.make_tensor_proto(7, tf.uint8, (3, 4, 5)))

    answer = serve().send(request).outputs["first"]

    assert list(answer.int_val) == [7, 7, 7]


def test_nan_in_is_ok_and_nan_out(serve: Serve) -> None:
    """Nothing is validated."""
    x = np.array([np.nan, np.inf, 4], np.float32)

    root = serve().predict({"x": x}, signature="root")["root"]

    np.testing.assert_array_equal(root, np.sqrt(x))


def test_the_shape_of_the_signature_is_not_enforced(serve: Serve) -> None:
    """A scalar goes where a vector is declared."""
    root = serve().predict({"x": np.array(9, np.float32)}, signature="root")["root"]

    assert root == 3


def test_a_wrong_rank_may_end_the_process(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the flag, as builds with oneDNN do."""
    client = serve(abort_on_wrong_rank=True)
    ended: list[int] = []

    def note_and_go_on(status: int) -> None:
        ended.append(status)

    monkeypatch.setattr("tests.serving_double.calls.os._exit", note_and_go_on)
    client.predict({"x": np.ones(2, np.float32)}, signature="root")
    assert ended == []
    client.predict({"x": np.array(9, np.float32)}, signature="root")
    assert ended == [134]


def test_a_batch_of_none_is_answered_without_batching(serve: Serve) -> None:
    empty = {"images": np.zeros((0, 2, 2), np.uint8)}

    assert serve().predict(empty)["mean"].shape == (0,)


def test_a_request_of_63_megabytes_is_accepted(serve: Serve) -> None:
    """The limit of 4 MB is the client's."""
    images = np.full((1, 7000, 9000), 5, np.uint8)

    assert serve().predict({"images": images}, outputs=["first"])["first"].tolist() == [5]


def test_metadata_is_that_of_the_saved_model(serve: Serve) -> None:
    signatures = serve().signatures(version=1)

    assert {"predict", "serving_default", "root", "describe"} <= set(signatures)
    images = signatures["predict"].inputs["images"]
    assert images.dtype == tf.uint8.as_datatype_enum
    assert [dimension.size for dimension in images.tensor_shape.dim] == [-1, -1, -1]
    assert not signatures["describe"].inputs


def test_grpc_health_is_off(serve: Serve) -> None:
    """The service is not there, as long as no flag asks for it."""
    with grpc.insecure_channel(serve().address) as channel:
        check: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
        with pytest.raises(grpc.RpcError) as raised:
            check(b"", timeout=60)

    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
