"""NumPy arrays to TensorProto and back.

Arrays leave as `tensor_content`, their memory as it lies. What comes back may use that or a typed
field, as the model server was told, and both are read without a loop over numbers. A message is
never trusted: its sizes are compared before anything is allocated.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from service.errors import ContractBroken, InternalError
from service.wire.serving_pb2 import DataType, TensorProto, TensorShapeProto

MAX_ELEMENTS = 2**26
"""Most numbers in a tensor unless told: a picture of 16 megapixels with 4 channels."""

# NumPy reads no more.
_MAX_RANK = 64
_LONGEST_VARINT = 10
_BLOCK = 2**16

_NAMES = {
    DataType.DT_FLOAT: "float32",
    DataType.DT_DOUBLE: "float64",
    DataType.DT_INT32: "int32",
    DataType.DT_UINT8: "uint8",
    DataType.DT_STRING: "string",
    DataType.DT_INT64: "int64",
    DataType.DT_BOOL: "bool",
}
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}
_LITTLE_ENDIAN = {
    dtype: np.dtype(name).newbyteorder("<") for dtype, name in _NAMES.items() if name != "string"
}


def dtype_name(dtype: DataType) -> str:
    """Return TensorFlow's name of a DataType: `float32`, `string`, or its number if unknown."""
    return _NAMES.get(dtype, f"DataType {dtype}")


def encode_tensor(array: np.ndarray) -> TensorProto:
    """Return an array as a message.

    Args:
        array: of float32, float64, int32, int64, uint8 or bool, any shape and layout; or strings,
            as an array of objects (`bytes` or `str`) or of NumPy's own.

    Raises:
        InternalError: another dtype.
    """
    dtype = _DTYPES.get("string" if array.dtype.kind in "OSU" else array.dtype.name)
    if dtype is None:
        raise InternalError(f"cannot send {array.dtype}; can send {', '.join(_DTYPES)}")
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in array.shape])
    if dtype == DataType.DT_STRING:
        texts = [text.encode() if isinstance(text, str) else text for text in array.flat]
        return TensorProto(dtype=dtype, tensor_shape=shape, string_val=texts)
    content = array.astype(_LITTLE_ENDIAN[dtype], copy=False).tobytes()
    return TensorProto(dtype=dtype, tensor_shape=shape, tensor_content=content)


def decode_tensor(
    proto: TensorProto, max_elements: int = MAX_ELEMENTS, name: str = "tensor"
) -> np.ndarray:
    """Return the array in a message, read-only where it is a view of the message's bytes.

    One single value in a typed field stands for the whole shape; it is repeated without a copy.

    Args:
        proto: the message.
        max_elements: most elements that the shape may claim.
        name: of the tensor, for errors.

    Returns:
        An array of the message's dtype and shape; strings are objects, `bytes` each.

    Raises:
        ContractBroken: unknown dtype or rank, negative dimension, more than `max_elements`, or
            values that do not fill the shape.
    """
    if proto.dtype not in _NAMES:
        known = ", ".join(_DTYPES)
        raise ContractBroken(f"{name} came as DataType {proto.dtype}; can be read: {known}")
    shape = _read_shape(proto, max_elements, name)
    values = _read_values(proto, name)
    if values.size == math.prod(shape):
        return values.reshape(shape)
    if values.size == 1 and not proto.tensor_content:
        return np.broadcast_to(values[0] if values.dtype != object else values, shape)
    raise ContractBroken(
        f"{name} came with {values.size} values of {dtype_name(proto.dtype)}; its shape {shape} "
        f"holds {math.prod(shape)}"
    )


def _read_shape(proto: TensorProto, max_elements: int, name: str) -> tuple[int, ...]:
    shape = tuple(dimension.size for dimension in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or len(shape) > _MAX_RANK or min(shape, default=0) < 0:
        told = "unknown rank" if proto.tensor_shape.unknown_rank else f"shape {shape[:_MAX_RANK]}"
        raise ContractBroken(f"{name} came with {told}; every dimension must be known, 0 or more")
    # Without its zeros, because NumPy refuses (0, 2**62) too.
    if math.prod(size for size in shape if size) > max_elements:
        raise ContractBroken(f"{name} came with shape {shape}: more than {max_elements} elements")
    return shape


def _read_values(proto: TensorProto, name: str) -> np.ndarray:
    """Return the values of a message in a row."""
    content = proto.tensor_content
    if proto.dtype == DataType.DT_STRING:
        if content:
            raise ContractBroken(f"{name} holds strings as tensor_content; expected string_val")
        return np.array(proto.string_val, object)
    if content:
        values = _fixed(content, _LITTLE_ENDIAN[proto.dtype], name)
        # As numbers, since a bool of NumPy must not hold anything but 0 and 1.
        return values.view(np.uint8) != 0 if proto.dtype == DataType.DT_BOOL else values
    return _READERS[proto.dtype](proto, name)


def _fixed(data: bytes, dtype: "np.dtype[Any]", name: str) -> np.ndarray:
    if len(data) % dtype.itemsize:
        raise ContractBroken(f"{name} came with {len(data)} bytes, no whole number of {dtype.name}")
    return np.frombuffer(data, dtype)


def _small_varints(data: bytes, name: str) -> np.ndarray:
    """Return varints of 0 to 255.

    From 128 on they take two bytes, and then the first is the number itself and the second is 1.
    """
    raw = np.frombuffer(data, np.uint8)
    follows = np.zeros(raw.size, bool)
    np.greater_equal(raw[:-1], 0x80, out=follows[1:])
    if (follows & (raw != 1)).any() or (raw.size and raw[-1] >= 0x80):
        raise ContractBroken(f"{name} came with numbers that are no uint8")
    # By index, which is several times as fast as by mask; in blocks, because indices are large.
    blocks = [slice(at, at + _BLOCK) for at in range(0, max(raw.size, 1), _BLOCK)]
    return np.concatenate([raw[block][np.flatnonzero(~follows[block])] for block in blocks])


def _varints(data: bytes, name: str) -> np.ndarray:
    """Return varints of up to 64 bits as int64: groups of 7 bits, the lowest first."""
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw < 0x80)
    starts = np.concatenate([[0], ends + 1])[: ends.size]
    lengths = ends - starts + 1
    longest = int(lengths.max(initial=0))
    if lengths.sum() != raw.size or longest > _LONGEST_VARINT:
        raise ContractBroken(f"{name} came with integers that are cut off or too long")
    values = np.zeros(ends.size, np.uint64)
    for group in range(longest):
        has = np.flatnonzero(lengths > group)
        bits = (raw[starts[has] + group] & 0x7F).astype(np.uint64)
        values[has] |= bits << np.uint64(7 * group)
    return values.view(np.int64)


_READERS: dict[int, Callable[[TensorProto, str], np.ndarray]] = {
    DataType.DT_FLOAT: lambda p, name: _fixed(p.float_val, np.dtype("<f4"), name),
    DataType.DT_DOUBLE: lambda p, name: _fixed(p.double_val, np.dtype("<f8"), name),
    DataType.DT_UINT8: lambda p, name: _small_varints(p.int_val, name),
    DataType.DT_INT32: lambda p, name: _varints(p.int_val, name).astype(np.int32),
    DataType.DT_INT64: lambda p, name: _varints(p.int64_val, name),
    DataType.DT_BOOL: lambda p, name: _varints(p.bool_val, name) != 0,
}
