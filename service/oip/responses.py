"""An answer of the protocol: JSON, and behind it the outputs that were asked for as bytes. Pure."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from service.errors import FieldError, InvalidTensor
from service.http import Answer
from service.oip.datatypes import BYTES, WIRE_DTYPES, datatype_of
from service.oip.requests import HEADER_LENGTH, MAX_JSON_VALUES, InferRequest, RequestedOutput
from service.options import describe


def infer_answer(
    request: InferRequest, model: str, version: int, outputs: Mapping[str, np.ndarray]
) -> Answer:
    """Return the answer to an inference request.

    Args:
        request: what was asked.
        model: name of the servable.
        version: which version answered.
        outputs: the outputs asked for, in order.

    Raises:
        InvalidTensor: an output is too large for JSON.
    """
    document: dict[str, Any] = {"model_name": model, "model_version": str(version)}
    if request.request_id is not None:
        document["id"] = request.request_id
    is_binary = {output.name: output.is_binary for output in request.outputs}
    behind: list[bytes] = []
    document["outputs"] = described = []
    for name, array in outputs.items():
        output: dict[str, Any] = {
            "name": name,
            "datatype": datatype_of(array.dtype.name),
            "shape": list(array.shape),
        }
        if is_binary.get(name, request.is_binary):
            content = to_bytes(array)
            output["parameters"] = {"binary_data_size": len(content)}
            behind.append(content)
        else:
            output["data"] = _to_json(name, array)
        described.append(output)
    header = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    if not behind:
        return Answer(header)
    return Answer(
        b"".join([header, *behind]),
        "application/octet-stream",
        headers={HEADER_LENGTH.lower(): str(len(header))},
    )


def to_bytes(array: np.ndarray) -> bytes:
    """Return an array as binary data: its numbers as they lie, or texts after their lengths."""
    datatype = datatype_of(array.dtype.name)
    if datatype == BYTES:
        return b"".join(struct.pack("<I", len(text)) + text for text in array.flat)
    return array.astype(WIRE_DTYPES[datatype], copy=False).tobytes()


def classifications(probabilities: np.ndarray, labels: Sequence[str], count: int) -> np.ndarray:
    """Return the most probable classes of each image, as texts `probability:index:label`.

    Args:
        probabilities: float32 `(batch, num_classes)`.
        labels: of the classes.
        count: how many classes to name.

    Returns:
        Objects `(batch, min(count, num_classes))`, `bytes` each.

    Source: Triton's classification extension.
    """
    # A stable sort: of two equal classes the first comes first, as argmax has it.
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
    named = np.empty(order.shape, object)
    for row, column in np.ndindex(order.shape):
        index = int(order[row, column])
        named[row, column] = f"{probabilities[row, index]:f}:{index}:{labels[index]}".encode()
    return named


def requested(request: InferRequest, known: Sequence[str]) -> tuple[RequestedOutput, ...]:
    """Return the outputs to answer with, in order: those asked for, or all.

    Raises:
        InvalidTensor: one is unknown.
    """
    for output in request.outputs:
        if output.name not in known:
            raise InvalidTensor(
                f"the model has no output {describe(output.name)}; it has {', '.join(known)}",
                (FieldError("outputs", describe(output.name), " or ".join(known)),),
            )
    return request.outputs or tuple(RequestedOutput(n, request.is_binary) for n in known)


def _to_json(name: str, array: np.ndarray) -> Any:
    if array.size > MAX_JSON_VALUES:
        raise InvalidTensor(
            f"the output {name} has {array.size} values, JSON carries at most {MAX_JSON_VALUES}; "
            "ask for it as binary data (binary_data in its parameters)"
        )
    if array.dtype == object:
        return [text.decode("utf-8", "replace") for text in array.flat]
    return np.ascontiguousarray(array).reshape(-1)
