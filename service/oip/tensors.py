"""Tensors out of JSON data and out of bytes. Pure.

A shape is a claim: it is compared with what came before anything is allocated for it.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from service.errors import FieldError, InvalidTensor
from service.oip.datatypes import (
    BF16,
    BYTES,
    DATATYPES,
    DTYPES,
    FLOATS,
    WIRE_DTYPES,
    from_bfloat16,
)
from service.options import describe

_MAX_RANK = 8
_MAX_DIMENSION = 2**31 - 1
# Each text of a tensor of BYTES is an object; this many are far more than images in a request.
_MAX_TEXTS = 4096
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "BOOL": (bool,),
    BYTES: (str,),
    **dict.fromkeys(FLOATS, (int, float)),
}
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Tensor:
    """An input as it came.

    Attributes:
        name: of the input.
        datatype: the protocol's name of its type.
        array: its values; of `BYTES` an array of objects, `bytes` each.
        is_text: whether values of `BYTES` were text in JSON.
    """

    name: str
    datatype: str
    array: np.ndarray
    is_text: bool = False


def read_shape(name: str, shape: Any) -> tuple[int, ...]:
    """Check a shape.

    Raises:
        InvalidTensor: it is no list of up to 8 whole numbers from 1.
    """
    expected = f"a list of at most {_MAX_RANK} whole numbers from 1 to {_MAX_DIMENSION}"
    if not isinstance(shape, list) or len(shape) > _MAX_RANK:
        raise _wrong(name, "shape", describe(shape), expected)
    for size in shape:
        if type(size) is not int or not 1 <= size <= _MAX_DIMENSION:
            raise _wrong(name, "shape", f"{describe(size)} in it", expected)
    return tuple(shape)


def read_datatype(name: str, datatype: Any) -> str:
    """Check the name of a data type.

    Raises:
        InvalidTensor: the protocol has none of that name.
    """
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise _wrong(name, "datatype", describe(datatype), ", ".join(DATATYPES))
    return datatype


def from_json(name: str, datatype: str, shape: tuple[int, ...], data: Any) -> Tensor:
    """Return a tensor out of the `data` of a JSON object, nested as its shape says or flat.

    Raises:
        InvalidTensor: the data do not fill the shape, are of another type, or do not fit into it.
    """
    if datatype == BF16:
        raise _wrong(name, "datatype", "BF16 as JSON", "BF16 as binary data, or FP32")
    values = _flatten(name, shape, data)
    odd = set(map(type, values)).difference(_JSON_TYPES.get(datatype, (int,)))
    if odd:
        got = describe(next(value for value in values if type(value) in odd))
        raise _wrong(name, "data", got, f"values of {datatype}")
    if datatype == BYTES:
        return Tensor(name, datatype, texts([v.encode() for v in values], shape), is_text=True)
    try:
        with np.errstate(over="ignore"):
            array = np.array(values, DTYPES[datatype])
    except OverflowError as error:
        raise _wrong(name, "data", "a number out of range", f"values of {datatype}") from error
    if datatype in FLOATS and not np.isfinite(array).all():
        raise _wrong(name, "data", "a number out of range", f"values of {datatype}")
    return Tensor(name, datatype, array.reshape(shape))


def from_binary(name: str, datatype: str, shape: tuple[int, ...], data: memoryview) -> Tensor:
    """Return a tensor out of its bytes: a view of them where it can be.

    Raises:
        InvalidTensor: the bytes do not fill the shape exactly.
    """
    if datatype == BYTES:
        return Tensor(name, datatype, texts(_cut(name, math.prod(shape), data), shape))
    dtype = WIRE_DTYPES[datatype]
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        got = f"{len(data)} bytes"
        raise _wrong(name, "binary data", got, f"{expected} bytes for {datatype} {list(shape)}")
    array = np.frombuffer(data, dtype)
    if datatype == "BOOL":
        # As numbers first: a bool of NumPy must not hold anything but 0 and 1.
        array = array.view(np.uint8) != 0
    elif datatype == BF16:
        array = from_bfloat16(array)
    return Tensor(name, datatype, array.reshape(shape))


def texts(values: list[bytes], shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of objects, as tensors of `BYTES` are held."""
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape)


def _flatten(name: str, shape: tuple[int, ...], data: Any) -> Sequence[Any]:
    count = math.prod(shape)
    if not isinstance(data, list):
        raise _wrong(name, "data", describe(data), "a list")
    if not data or type(data[0]) is not list:
        if len(data) != count:
            expected = f"{count} values for the shape {list(shape)}"
            raise _wrong(name, "data", f"{len(data)} values", expected)
        return data
    level: list[Any] = [data]
    for size in shape:
        for row in level:
            if type(row) is not list or len(row) != size:
                raise _wrong(name, "data", describe(row), f"lists nested as {list(shape)}")
        level = list(chain.from_iterable(level))
    return level


def _cut(name: str, count: int, data: memoryview) -> list[bytes]:
    """Return what lies in a row: the length of each in four bytes, and it."""
    if count > _MAX_TEXTS:
        raise _wrong(name, "shape", f"{count} values of BYTES", f"at most {_MAX_TEXTS}")
    found: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + _LENGTH.size
        if end <= len(data):
            end += _LENGTH.unpack_from(data, at)[0]
        if end > len(data) or len(found) == count:
            break
        found.append(bytes(data[at + _LENGTH.size : end]))
        at = end
    if at != len(data) or len(found) != count:
        expected = f"{count} values, each after its length in four bytes, in {len(data)} bytes"
        raise _wrong(name, "binary data", "lengths that do not add up", expected)
    return found


def _wrong(name: str, part: str, got: str, expected: str) -> InvalidTensor:
    field = f"inputs.{describe(name)}.{part}"
    return InvalidTensor(
        f"the input {describe(name)} has a {part} that cannot be read: expected {expected}; "
        f"got {got}",
        (FieldError(field, got, expected),),
    )
