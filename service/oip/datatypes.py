"""The protocol's names of data types, and what each is in NumPy. Pure."""

import numpy as np

BYTES = "BYTES"
BF16 = "BF16"

UNSIGNED = ("UINT8", "UINT16", "UINT32", "UINT64")
INTEGERS = (*UNSIGNED, "INT8", "INT16", "INT32", "INT64")
FLOATS = ("FP16", BF16, "FP32", "FP64")
DATATYPES = ("BOOL", *INTEGERS, *FLOATS, BYTES)

_NAMES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
}
_DATATYPE_OF = {name: datatype for datatype, name in _NAMES.items()}

# As they travel: little endian. NumPy has no bfloat16; it is the upper half of a float32.
WIRE_DTYPES: dict[str, np.dtype] = {
    **{datatype: np.dtype(name).newbyteorder("<") for datatype, name in _NAMES.items()},
    BF16: np.dtype("<u2"),
}
# As they are held here. Bytes are objects, `bytes` each.
DTYPES: dict[str, np.dtype] = {
    **{datatype: np.dtype(name) for datatype, name in _NAMES.items()},
    BF16: np.dtype(np.float32),
    BYTES: np.dtype(object),
}


def datatype_of(dtype: str) -> str:
    """Return the protocol's name of a type of TensorFlow or NumPy: `FP32` for `float32`."""
    return BYTES if dtype in ("string", "object") else _DATATYPE_OF[dtype]


def from_bfloat16(halves: np.ndarray) -> np.ndarray:
    """Return bfloat16 numbers, given as the uint16 that hold their bits, as float32; exact."""
    return (halves.astype(np.uint32) << 16).view(np.float32)
