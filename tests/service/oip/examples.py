"""Requests of the protocol, put together by hand as its specification says, for tests."""

import json
import struct
from typing import Any

import numpy as np

IDENTITY = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
HEADER_LENGTH = "inference-header-content-length"
DTYPES = {
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


def name_of(array: np.ndarray) -> str:
    """Return the protocol's name of an array's type."""
    return next(name for name, dtype in DTYPES.items() if array.dtype == dtype)


def tensor(name: str, array: np.ndarray, nested: bool = False) -> dict[str, Any]:
    """Return an input with its data in JSON."""
    data = array.tolist() if nested else array.ravel().tolist()
    shape = list(array.shape)
    return {"name": name, "datatype": name_of(array), "shape": shape, "data": data}


def texts(name: str, values: list[str], shape: list[int] | None = None) -> dict[str, Any]:
    """Return an input of texts in JSON."""
    return {"name": name, "datatype": "BYTES", "shape": shape or [len(values)], "data": values}


def binary(document: dict[str, Any], *contents: bytes) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a request with binary data, the sizes written into its inputs."""
    for given, content in zip(document["inputs"], contents, strict=True):
        given.setdefault("parameters", {})["binary_data_size"] = len(content)
        given.pop("data", None)
    header = json.dumps(document).encode()
    return b"".join([header, *contents]), {HEADER_LENGTH: str(len(header))}


def prefixed(*values: bytes) -> bytes:
    """Return texts as binary data: each after its length."""
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def warp_inputs(images: np.ndarray, size: tuple[int, int], theta: Any = None) -> dict[str, Any]:
    """Return a request to the transformer alone; every image by the identity unless told."""
    thetas = np.array([IDENTITY] * len(images) if theta is None else theta, np.float32)
    return {
        "inputs": [
            tensor("images", images),
            tensor("theta", thetas.reshape(-1, 6)),
            tensor("output_size", np.array(size, np.int32)),
        ]
    }


def output_of(document: dict[str, Any], name: str) -> np.ndarray:
    """Return an output out of JSON alone."""
    found = next(output for output in document["outputs"] if output["name"] == name)
    dtype = DTYPES.get(found["datatype"], "object")
    return np.array(found["data"], dtype).reshape(found["shape"])
