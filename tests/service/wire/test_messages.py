"""Our messages and the official ones read and write the same bytes."""

from contextlib import suppress
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
)

from service import wire
from service.backend import SignatureSpec, TensorSpec
from service.errors import ContractBroken

PAIRS: list[tuple[type[Any], type[Any]]] = [
    (wire.PredictRequest, predict_pb2.PredictRequest),
    (wire.PredictResponse, predict_pb2.PredictResponse),
    (wire.TensorProto, tensor_pb2.TensorProto),
    (wire.GetModelStatusRequest, get_model_status_pb2.GetModelStatusRequest),
    (wire.GetModelStatusResponse, get_model_status_pb2.GetModelStatusResponse),
    (wire.GetModelMetadataRequest, get_model_metadata_pb2.GetModelMetadataRequest),
    (wire.GetModelMetadataResponse, get_model_metadata_pb2.GetModelMetadataResponse),
    (wire.SignatureDefMap, get_model_metadata_pb2.SignatureDefMap),
    (wire.ReloadConfigRequest, model_management_pb2.ReloadConfigRequest),
    (wire.ReloadConfigResponse, model_management_pb2.ReloadConfigResponse),
]

NAMES = st.text(max_size=6)
SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=8),
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_STRING: NAMES,
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
}


def fill(message: Message, known: Any, draw: Any) -> None:
    """Fill an official message in the fields that our descriptor knows; each may stay unset."""
    for name in known.fields_by_name:
        field = message.DESCRIPTOR.fields_by_name[name]
        ours = known.fields_by_name[name].message_type
        if not draw(st.booleans()):
            continue
        if ours is not None and ours.GetOptions().map_entry:
            fill_map(getattr(message, name), field.message_type, ours, draw)
        elif field.message_type is not None and field.is_repeated:
            for _ in range(draw(st.integers(1, 2))):
                fill(getattr(message, name).add(), ours, draw)
        elif field.message_type is not None:
            getattr(message, name).SetInParent()
            fill(getattr(message, name), ours, draw)
        elif field.is_repeated:
            getattr(message, name).extend(draw(st.lists(scalars(field), max_size=4)))
        else:
            setattr(message, name, draw(scalars(field)))


def fill_map(entries: Any, entry: Any, ours: Any, draw: Any) -> None:
    value = entry.fields_by_name["value"]
    for key in draw(st.lists(NAMES, max_size=2, unique=True)):
        if value.message_type is None:
            entries[key] = draw(scalars(value))
        else:
            fill(entries[key], ours.fields_by_name["value"].message_type, draw)


def scalars(field: Any) -> st.SearchStrategy[Any]:
    if field.type == FieldDescriptor.TYPE_ENUM:
        return st.sampled_from([value.number for value in field.enum_type.values])
    return SCALARS[field.type]


@pytest.mark.parametrize(("ours", "official"), PAIRS, ids=lambda m: m.DESCRIPTOR.name)
@settings(max_examples=40)
@given(data=st.data())
def test_what_the_official_message_writes_we_read_and_write_again(
    ours: type[Any], official: type[Any], data: st.DataObject
) -> None:
    """Byte for byte, with nothing that we failed to understand."""
    message = official()
    fill(message, ours.DESCRIPTOR, data.draw)
    sent = message.SerializeToString(deterministic=True)

    read = ours.FromString(sent)
    read.DiscardUnknownFields()
    written = read.SerializeToString(deterministic=True)

    assert written == sent
    assert official.FromString(written).SerializeToString(deterministic=True) == sent


@pytest.mark.parametrize("choice", [{"version": {"value": 3}}, {"version_label": "stable"}, {}])
def test_a_request_of_ours_is_the_official_one(choice: dict[str, Any]) -> None:
    """Made from the same arguments, both are the same bytes: version, label or neither."""
    spec = {"name": "stn", "signature_name": "predict", **choice}
    wanted = ["probabilities", "theta"]

    ours = wire.PredictRequest(model_spec=wire.ModelSpec(**spec), output_filter=wanted)

    official = predict_pb2.PredictRequest(model_spec=spec, output_filter=wanted)
    assert ours.SerializeToString() == official.SerializeToString()


def official_metadata() -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Return what a server says of a signature from images to a score, beside one of TensorFlow."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    predict = signatures.signature_def["predict"]
    for tensors, name, dtype, shape in (
        (predict.inputs, "images", "DT_UINT8", (-1, 40, 30, 1)),
        (predict.outputs, "probabilities", "DT_FLOAT", (-1, 10)),
        (predict.outputs, "odd", "DT_HALF", ()),
    ):
        tensors[name].dtype = tensor_pb2.TensorProto(dtype=dtype).dtype
        for size in shape:
            tensors[name].tensor_shape.dim.add(size=size)
    signatures.signature_def["__saved_model_init_op"].method_name = ""
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.metadata["signature_def"].Pack(signatures)
    return response


def test_signatures_come_out_of_the_official_answer() -> None:
    """The map of signatures, packed by its official name, becomes names, dtypes and shapes."""
    answer = wire.parse(wire.GetModelMetadataResponse, official_metadata().SerializeToString())

    assert wire.read_signatures(answer) == {
        "predict": SignatureSpec(
            inputs={"images": TensorSpec("uint8", (-1, 40, 30, 1))},
            outputs={
                "probabilities": TensorSpec("float32", (-1, 10)),
                "odd": TensorSpec("DataType 19", ()),
            },
        )
    }


def test_metadata_of_another_kind_is_a_broken_contract() -> None:
    """An Any that is no map of signatures is not read as one, and neither is no Any at all."""
    answer = wire.parse(wire.GetModelMetadataResponse, official_metadata().SerializeToString())
    answer.metadata["signature_def"].type_url = "type.googleapis.com/tensorflow.SignatureDef"
    with pytest.raises(ContractBroken, match="must hold 'signature_def'"):
        wire.read_signatures(answer)

    with pytest.raises(ContractBroken, match="metadata holds \\[\\]"):
        wire.read_signatures(wire.GetModelMetadataResponse())


@given(data=st.binary())
def test_bytes_that_are_no_message_raise_our_error_alone(data: bytes) -> None:
    """However odd the bytes, they are a message or a broken contract."""
    for message in (wire.PredictResponse, wire.GetModelMetadataResponse):
        with suppress(ContractBroken):
            wire.parse(message, data)


def test_a_message_cut_off_is_a_broken_contract() -> None:
    """The error says how much came, and what it should have been."""
    sent = official_metadata().SerializeToString()[:-1]

    sentence = f"sent {len(sent)} bytes that are no GetModelMetadataResponse"
    with pytest.raises(ContractBroken, match=sentence):
        wire.parse(wire.GetModelMetadataResponse, sent)


@given(data=st.binary())
def test_signatures_that_do_not_parse_raise_our_error_alone(data: bytes) -> None:
    """The same for the bytes inside Any."""
    answer = wire.parse(wire.GetModelMetadataResponse, official_metadata().SerializeToString())
    answer.metadata["signature_def"].value = data
    with suppress(ContractBroken):
        wire.read_signatures(answer)
