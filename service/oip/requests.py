"""A request of the protocol, out of its JSON header and the bytes behind it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from service.errors import FieldError, MalformedRequest, MissingImage, UnknownOption
from service.oip.datatypes import BYTES
from service.oip.tensors import Tensor, from_binary, from_json, read_datatype, read_shape, texts
from service.options import describe

IMAGES = "images"
HEADER_LENGTH = "Inference-Header-Content-Length"

# What a tensor in JSON may cost: each number is an object, each list too, and they are made on the
# event loop. 64 images of 42 x 42 fit; what is larger goes as binary data, which costs nothing.
MAX_JSON_VALUES = 2**17
# Inputs, outputs and parameters are objects; there is no use for more.
_MAX_JSON_OBJECTS = 256
_MAX_TENSORS = 16
_MAX_ID = 256
# Hints of other servers' clients that change no answer here.
_IGNORED = ("priority", "content_type")
_STATEFUL = ("sequence_id", "sequence_start", "sequence_end")
_MAX_TIMEOUT_US = 2**53


@dataclass(frozen=True)
class RequestedOutput:
    """An output asked for.

    Attributes:
        name: of the output.
        is_binary: whether it is to follow the JSON as bytes.
        num_classes: how many classes to name, the most probable first; 0 for the tensor itself.
    """

    name: str
    is_binary: bool
    num_classes: int = 0


@dataclass(frozen=True)
class InferRequest:
    """An inference request.

    Attributes:
        inputs: by name.
        outputs: the ones asked for, in order; empty for all.
        request_id: the caller's `id`, to be echoed; None when there is none.
        is_binary: whether outputs that do not say otherwise are to follow as bytes.
        timeout_us: what the caller is ready to wait, in microseconds; None when it does not say.
        options: the other parameters, which are the model's to understand.
    """

    inputs: Mapping[str, Tensor]
    outputs: tuple[RequestedOutput, ...] = ()
    request_id: str | None = None
    is_binary: bool = False
    timeout_us: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def read_request(header_length: str | None, body: bytes) -> InferRequest:
    """Read an inference request.

    Args:
        header_length: the header `Inference-Header-Content-Length`: how many bytes of JSON come
            before the binary data. All of the body when it is missing; 0 when the body is a picture
            and nothing else.
        body: all of it, no longer compressed.

    Raises:
        MalformedRequest: the parts do not fit together.
        InvalidTensor: an input does not parse.
        UnknownOption: a parameter that asks for what is not supported.
    """
    length = _read_length(header_length, len(body))
    if length == 0:
        return _one_picture(body)
    document = _read_json(body[:length] if length < len(body) else body)
    parameters = _Parameters("parameters", document.get("parameters"))
    is_binary = parameters.flag("binary_data_output", False)
    return InferRequest(
        inputs=_read_inputs(document.get("inputs"), memoryview(body)[length:]),
        outputs=_read_outputs(document.get("outputs"), is_binary),
        request_id=_read_id(document.get("id")),
        is_binary=is_binary,
        timeout_us=parameters.count("timeout", _MAX_TIMEOUT_US) or None,
        options=parameters.rest(),
    )


def _read_length(text: str | None, size: int) -> int:
    if text is None:
        return max(size, 1)
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        expected = "a whole number of bytes from 0"
    elif int(text) > size:
        expected = f"at most the {size} bytes of the body"
    else:
        return int(text)
    got = describe(text)
    raise MalformedRequest(
        f"{HEADER_LENGTH} must be {expected}; got {got}",
        (FieldError(HEADER_LENGTH, got, expected),),
    )


def _one_picture(body: bytes) -> InferRequest:
    if not body:
        raise MissingImage(f"{HEADER_LENGTH} is 0, so the body is the picture; it is empty")
    return InferRequest({IMAGES: Tensor(IMAGES, BYTES, texts([body], (1,)))})


def _read_json(text: bytes) -> dict[str, Any]:
    if (
        text.count(b",") > MAX_JSON_VALUES
        or text.count(b"[") > MAX_JSON_VALUES
        or text.count(b"{") > _MAX_JSON_OBJECTS
    ):
        raise MalformedRequest(
            f"the JSON has more than {MAX_JSON_VALUES} values or {_MAX_JSON_OBJECTS} objects; send "
            "large tensors as binary data"
        )
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(
            f"the request is not valid JSON (line {error.lineno}, column {error.colno}). Where "
            f"binary data follow the JSON, {HEADER_LENGTH} must say how long it is"
        ) from error
    if not isinstance(document, dict):
        raise MalformedRequest(f"the request must be a JSON object; got {describe(document)}")
    return document


def _read_id(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _MAX_ID:
        expected = f"a text of at most {_MAX_ID} characters"
        raise MalformedRequest(
            f"id must be {expected}; got {describe(value)}",
            (FieldError("id", describe(value), expected),),
        )
    return value


def _read_inputs(values: Any, binary: memoryview) -> dict[str, Tensor]:
    inputs: dict[str, Tensor] = {}
    at = 0
    for value in _objects("inputs", values):
        name = _read_name("inputs", value, inputs)
        shape = read_shape(name, value.get("shape"))
        datatype = read_datatype(name, value.get("datatype"))
        parameters = _Parameters(f"inputs.{describe(name)}.parameters", value.get("parameters"))
        size = parameters.count("binary_data_size", 2**40, None)
        parameters.must_be_known()
        data = value.get("data")
        if (size is None) == (data is None):
            raise MalformedRequest(
                f"the input {describe(name)} must have either data, or binary_data_size in its "
                "parameters"
            )
        if size is None:
            inputs[name] = from_json(name, datatype, shape, data)
            continue
        if at + size > len(binary):
            raise MalformedRequest(
                f"the binary data end before the input {describe(name)} does: "
                f"{len(binary)} bytes follow the JSON, {at + size} are needed up to there"
            )
        inputs[name] = from_binary(name, datatype, shape, binary[at : at + size])
        at += size
    if not inputs:
        raise MalformedRequest("the request has no inputs; GET /v2/models/{name} lists them")
    if at != len(binary):
        raise MalformedRequest(
            f"{len(binary)} bytes follow the JSON, but the inputs claim {at} of them"
        )
    return inputs


def _read_outputs(values: Any, is_binary: bool) -> tuple[RequestedOutput, ...]:
    outputs: dict[str, RequestedOutput] = {}
    for value in _objects("outputs", values):
        name = _read_name("outputs", value, outputs)
        parameters = _Parameters(f"outputs.{describe(name)}.parameters", value.get("parameters"))
        outputs[name] = RequestedOutput(
            name,
            is_binary=parameters.flag("binary_data", is_binary),
            num_classes=parameters.count("classification", 2**31) or 0,
        )
        parameters.must_be_known()
    return tuple(outputs.values())


def _objects(field: str, values: Any) -> list[dict[str, Any]]:
    if values is None:
        return []
    if (
        not isinstance(values, list)
        or len(values) > _MAX_TENSORS
        or not all(isinstance(value, dict) for value in values)
    ):
        raise MalformedRequest(
            f"{field} must be a list of at most {_MAX_TENSORS} objects; got {describe(values)}"
        )
    return values


def _read_name(field: str, value: dict[str, Any], known: Mapping[str, Any]) -> str:
    name = value.get("name")
    if not isinstance(name, str):
        raise MalformedRequest(f"each of {field} needs a name; got {describe(name)}")
    if name in known:
        raise MalformedRequest(f"{field} names {describe(name)} twice; name it once")
    return name


class _Parameters:
    """The `parameters` of a request, an input or an output; whoever reads one takes it out."""

    def __init__(self, field: str, values: Any) -> None:
        if values is not None and not isinstance(values, dict):
            raise MalformedRequest(f"{field} must be an object; got {describe(values)}")
        self._field = field
        self._values: dict[str, Any] = {
            name: value for name, value in (values or {}).items() if name not in _IGNORED
        }

    def flag(self, name: str, default: bool) -> bool:
        value = self._values.pop(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, value, "true or false")
        return value

    def count(self, name: str, largest: int, default: int | None = 0) -> int | None:
        value = self._values.pop(name, default)
        if value is not default and (type(value) is not int or not 0 <= value <= largest):
            raise self._wrong(name, value, f"a whole number from 0 to {largest}")
        count: int | None = value
        return count

    def rest(self) -> dict[str, Any]:
        """Return what nobody has read; a state to keep between requests is refused."""
        for name in _STATEFUL:
            if self._values.pop(name, None):
                raise UnknownOption(f"{name} is not supported: the models here keep no state")
        return self._values

    def must_be_known(self) -> None:
        if self._values:
            name = describe(next(iter(self._values)))
            raise UnknownOption(
                f"{self._field} has {name}, which is not supported here",
                (FieldError(self._field, name, "a parameter that docs/protocol.md lists"),),
            )

    def _wrong(self, name: str, value: Any, expected: str) -> MalformedRequest:
        field = f"{self._field}.{name}"
        return MalformedRequest(
            f"{field} must be {expected}; got {describe(value)}",
            (FieldError(field, describe(value), expected),),
        )
