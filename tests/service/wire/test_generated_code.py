"""serving.proto, the code generated from it, and the official messages say the same."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
    status_pb2,
)
from tensorflow_serving.config import (
    file_system_storage_path_source_pb2,
    model_server_config_pb2,
)

from service import wire
from service.wire import serving_pb2

ROOT = Path(__file__).parents[3]
PROTO = ROOT / "service" / "wire" / "serving.proto"

OFFICIAL_FILES = (
    tensor_pb2,
    tensor_shape_pb2,
    types_pb2,
    meta_graph_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
    file_system_storage_path_source_pb2,
    model_server_config_pb2,
    status_pb2,
)
# Declared by us as what lies on the wire instead.
READ_AS_BYTES = {"float_val", "double_val", "int_val", "int64_val", "bool_val"}
READ_AS_NUMBER = {"error_code"}


def messages(descriptors: Mapping[str, Descriptor]) -> Iterator[Descriptor]:
    """Yield messages and the messages within them, but for the entries of maps."""
    for descriptor in descriptors.values():
        if not descriptor.GetOptions().map_entry:
            yield descriptor
            yield from messages(descriptor.nested_types_by_name)


OURS = {m.full_name: m for m in messages(serving_pb2.DESCRIPTOR.message_types_by_name)}
OFFICIAL = {
    m.name: m for file in OFFICIAL_FILES for m in messages(file.DESCRIPTOR.message_types_by_name)
}


def enums() -> Iterator[EnumDescriptor]:
    yield from serving_pb2.DESCRIPTOR.enum_types_by_name.values()
    for message in OURS.values():
        yield from message.enum_types_by_name.values()


def read_proto() -> dict[str, set[tuple[str, str, int]]]:
    """Return, for each message and enum of serving.proto, its (type, name, number)."""
    found: dict[str, set[tuple[str, str, int]]] = {}
    scopes: list[str] = []
    for line in PROTO.read_text().splitlines():
        code = line.partition("//")[0].strip()
        if opened := re.fullmatch(r"(message|enum|oneof) (\w+) \{(\})?", code):
            kind, name, closed = opened.groups()
            inner = scopes[-1] if kind == "oneof" else ".".join([*scopes[-1:], name])
            found.setdefault(inner, set())
            if not closed:
                scopes.append(inner)
        elif code == "}":
            scopes.pop()
        elif field := re.fullmatch(r"(.*?) ?(\w+) = (\d+);", code):
            found[scopes[-1]].add((field[1], field[2], int(field[3])))
    return found


def type_in_proto(field: Any, scope: str) -> str:
    """Return the type of a field as serving.proto writes it."""
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        value = type_in_proto(message.fields_by_name["value"], scope)
        return f"map<{type_in_proto(message.fields_by_name['key'], scope)}, {value}>"
    kind = {
        FieldDescriptor.TYPE_BOOL: "bool",
        FieldDescriptor.TYPE_BYTES: "bytes",
        FieldDescriptor.TYPE_INT32: "int32",
        FieldDescriptor.TYPE_INT64: "int64",
        FieldDescriptor.TYPE_STRING: "string",
        FieldDescriptor.TYPE_UINT32: "uint32",
    }.get(field.type)
    if kind is None:
        kind = (message or field.enum_type).full_name.removeprefix("stn.wire.")
        kind = kind.removeprefix(f"{scope}.")
    return f"repeated {kind}" if field.is_repeated else kind


def test_the_generated_code_is_that_of_the_proto() -> None:
    """Every message, field and enum value is in both; if not, run scripts/protos."""
    generated = {}
    for message in OURS.values():
        scope = message.full_name.removeprefix("stn.wire.")
        generated[scope] = {
            (type_in_proto(field, scope), field.name, field.number) for field in message.fields
        }
    for enum in enums():
        name = enum.full_name.removeprefix("stn.wire.")
        generated[name] = {("", value.name, value.number) for value in enum.values}

    assert generated == read_proto()


def test_the_stub_file_is_that_of_the_proto() -> None:
    """Types are checked against the fields that exist."""
    stub = PROTO.with_name("serving_pb2.pyi").read_text()
    slots = [
        re.findall(r'"(\w+)"', line) for line in re.findall(r"__slots__ = \((.*)\)", stub) if line
    ]

    assert all([field.name for field in m.fields] in slots for m in OURS.values() if m.fields)


@pytest.mark.parametrize("name", OURS)
def test_each_field_is_the_official_one(name: str) -> None:
    """Numbers, types, repetition and oneofs are those of TensorFlow Serving."""
    ours = OURS[name]
    official = OFFICIAL[ours.name]

    fields: Any = ours.fields
    for field in fields:
        theirs: Any = official.fields_by_name[field.name]
        assert field.number == theirs.number
        if field.containing_oneof is not None:
            assert field.containing_oneof.name == theirs.containing_oneof.name
        if field.name in READ_AS_BYTES:
            # Were it not packed, the bytes would not be those of one field.
            assert theirs.is_packed
            assert field.type == FieldDescriptor.TYPE_BYTES
        elif field.name in READ_AS_NUMBER:
            assert theirs.type == FieldDescriptor.TYPE_ENUM
        else:
            assert field.type == theirs.type
            assert field.is_repeated == theirs.is_repeated
            assert field.has_presence == theirs.has_presence
        if field.message_type is not None:
            assert field.message_type.name == theirs.message_type.name


@pytest.mark.parametrize("enum", list(enums()), ids=lambda enum: enum.name)
def test_each_enum_value_is_the_official_one(enum: EnumDescriptor) -> None:
    """DT_FLOAT and AVAILABLE are the numbers that the server means by them."""
    official = {
        "DataType": types_pb2.DataType.DESCRIPTOR,
        "State": get_model_status_pb2.ModelVersionStatus.State.DESCRIPTOR,
    }[enum.name]

    for value in enum.values:
        assert official.values_by_name[value.name].number == value.number


def test_the_paths_are_those_of_the_official_services() -> None:
    """The official stubs, asked what they would call, name our four constants."""
    from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2

    services = [
        prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"],
        model_service_pb2.DESCRIPTOR.services_by_name["ModelService"],
    ]
    official = {f"/{service.full_name}/{m.name}" for service in services for m in service.methods}

    ours = {wire.PREDICT, wire.GET_MODEL_METADATA, wire.GET_MODEL_STATUS, wire.HANDLE_RELOAD_CONFIG}
    assert len(ours) == 4
    assert ours <= official


def test_the_wire_brings_no_tensorflow() -> None:
    """A fresh interpreter that imports the wire holds none of TensorFlow."""
    program = "import service.wire, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    loaded = set(run.stdout.split())
    assert {"service", "numpy"} <= loaded
    assert not loaded & {"tensorflow", "tensorflow_serving", "keras", "grpc"}
