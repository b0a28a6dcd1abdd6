"""Official TensorProtos to arrays and back, with the server's leniency."""

import math
from typing import Any

import numpy as np
from tensorflow.core.framework import types_pb2

from tests.serving_double.refusals import unreadable_tensor

_FIELDS: dict[int, tuple[Any, str]] = {
    types_pb2.DT_FLOAT: (np.float32, "float_val"),
    types_pb2.DT_DOUBLE: (np.float64, "double_val"),
    types_pb2.DT_INT32: (np.int32, "int_val"),
    types_pb2.DT_UINT8: (np.uint8, "int_val"),
    types_pb2.DT_INT64: (np.int64, "int64_val"),
    types_pb2.DT_BOOL: (np.bool_, "bool_val"),
    types_pb2.DT_STRING: (np.object_, "string_val"),
}
_NUMBERS = {np.dtype(kind): number for number, (kind, _) in _FIELDS.items()}
# As TensorFlow spells them in its errors.
NAMES = {
    np.dtype(np.float32): "float",
    np.dtype(np.float64): "double",
    np.dtype(np.int32): "int32",
    np.dtype(np.uint8): "uint8",
    np.dtype(np.int64): "int64",
    np.dtype(np.bool_): "bool",
    np.dtype(np.object_): "string",
}
_MAX_ELEMENTS = 2**31


def numpy_dtype(number: int) -> "np.dtype[Any]":
    """Return NumPy's dtype for one of TensorFlow's numbers."""
    return np.dtype(_FIELDS[number][0])


def read_tensor(alias: str, proto: Any) -> np.ndarray:
    """Return the array in a message.

    In a typed field the last value is repeated for those that are missing, and those in excess are
    dropped; the bytes of tensor_content must fit the shape.

    Raises:
        Refusal: what a server calls a parsing error.
    """
    shape = tuple(dimension.size for dimension in proto.tensor_shape.dim)
    count = math.prod(shape)
    if (
        proto.dtype not in _FIELDS
        or proto.tensor_shape.unknown_rank
        or min(shape, default=0) < 0
        or count > _MAX_ELEMENTS
    ):
        raise unreadable_tensor(alias)
    kind, field = _FIELDS[proto.dtype]
    if proto.tensor_content:
        if kind is np.object_ or len(proto.tensor_content) != count * np.dtype(kind).itemsize:
            raise unreadable_tensor(alias)
        return np.frombuffer(proto.tensor_content, kind).reshape(shape)
    values = np.array(getattr(proto, field), kind)[:count]
    if values.size < count:
        nothing = b"" if kind is np.object_ else 0
        last = values[-1] if values.size else nothing
        values = np.concatenate([values, np.full(count - values.size, last, kind)])
    return values.reshape(shape)


def write_tensor(proto: Any, array: np.ndarray, as_content: bool) -> None:
    """Fill a TensorProto: typed fields, or raw bytes where there are numbers."""
    proto.dtype = _NUMBERS[array.dtype]
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    _, field = _FIELDS[proto.dtype]
    if as_content and array.dtype != np.object_:
        proto.tensor_content = array.tobytes()
    elif array.dtype in (np.float32, np.float64, np.uint8):
        # A picture has millions of numbers: as bytes they take no loop.
        number = proto.DESCRIPTOR.fields_by_name[field].number
        values = _varints(array) if array.dtype == np.uint8 else array.tobytes()
        proto.MergeFromString(_varint(number << 3 | 2) + _varint(len(values)) + values)
    else:
        getattr(proto, field).extend(array.ravel().tolist())


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _varints(array: np.ndarray) -> bytes:
    """Return uint8 as varints: from 128 on, two bytes."""
    pairs = np.stack([array.ravel(), np.ones(array.size, np.uint8)], axis=1)
    wanted = np.stack([np.ones(array.size, np.bool_), array.ravel() >= 0x80], axis=1)
    return pairs[wanted].tobytes()
