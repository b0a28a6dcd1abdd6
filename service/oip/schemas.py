"""What the OpenAPI document says of the protocol's routes. Nothing here runs on a request."""

from typing import Any

from pydantic import BaseModel, Field

from service import errors
from service.oip.datatypes import DATATYPES
from service.oip.requests import HEADER_LENGTH
from service.schemas import ANY_ERRORS, OPEN, Problem, error_responses

_DATATYPE = Field(json_schema_extra={"enum": list(DATATYPES)}, examples=["UINT8"])


class ServerMetadata(BaseModel):
    """What this server is."""

    name: str = Field(examples=["stn-serving"])
    version: str
    extensions: list[str] = Field(examples=[["binary_tensor_data", "classification"]])


class Live(BaseModel):
    """Whether the process answers."""

    live: bool


class Ready(BaseModel):
    """Whether requests can be answered, and if not, why."""

    ready: bool
    error: str | None = None


class ModelReady(BaseModel):
    """Whether a model can answer."""

    name: str
    ready: bool


class TensorMetadata(BaseModel):
    """An input or output; -1 stands for an open dimension."""

    name: str = Field(examples=["images"])
    datatype: str = _DATATYPE
    shape: list[int] = Field(examples=[[-1, 42, 42, 1]])
    parameters: dict[str, Any] | None = Field(
        None, description="`datatypes`: all that are taken, the model's own first"
    )


class ModelMetadata(BaseModel):
    """A model as the running one is."""

    name: str = Field(examples=["stn"])
    versions: list[str] = Field(examples=[["1"]])
    platform: str = Field(examples=["tensorflow_savedmodel"])
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class RequestInput(BaseModel):
    """An input: `data` in JSON, or `binary_data_size` bytes behind it."""

    name: str
    datatype: str = _DATATYPE
    shape: list[int]
    data: list[Any] | None = Field(None, description="nested as the shape says, or flat")
    parameters: dict[str, Any] | None = Field(None, examples=[{"binary_data_size": 1764}])


class RequestOutput(BaseModel):
    """An output asked for."""

    name: str = Field(examples=["probabilities"])
    parameters: dict[str, Any] | None = Field(
        None,
        description="`binary_data`: as bytes behind the JSON; `classification`: how many classes "
        "to name instead",
    )


class InferenceRequest(BaseModel):
    """An inference request."""

    id: str | None = Field(None, description="echoed")
    inputs: list[RequestInput]
    outputs: list[RequestOutput] | None = Field(None, description="all of them when left out")
    parameters: dict[str, Any] | None = Field(
        None,
        description="`binary_data_output`, `timeout` (microseconds); for pictures `fit` and "
        "`invert`, for warps `padding` and `interpolation`",
    )


class ResponseOutput(BaseModel):
    """An output: `data` in JSON, or `binary_data_size` bytes behind it."""

    name: str
    datatype: str = _DATATYPE
    shape: list[int]
    data: list[Any] | None = Field(None, description="flat, the last axis fastest")
    parameters: dict[str, Any] | None = None


class InferenceAnswer(BaseModel):
    """The answer to an inference request."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]


class InferenceProblem(Problem):
    """What went wrong: a problem document (RFC 9457) that the protocol's clients read too."""

    error: str = Field(description="the same as `detail`")


EXTRA_SCHEMAS: tuple[type[BaseModel], ...] = (InferenceProblem, InferenceRequest)

# One grey pixel.
_PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
_CLASSIFY = {
    "id": "42",
    "inputs": [
        {
            "name": "images",
            "datatype": "BYTES",
            "shape": [1],
            "data": [
                _PICTURE,
            ],
        }
    ],
    "outputs": [{"name": "probabilities", "parameters": {"classification": 3}}],
}
_WARP = {
    "inputs": [
        {"name": "images", "datatype": "UINT8", "shape": [1, 2, 2, 1], "data": [0, 85, 170, 255]},
        {"name": "theta", "datatype": "FP32", "shape": [1, 6], "data": [0, 1, 0, -1, 0, 0]},
        {"name": "output_size", "datatype": "INT32", "shape": [2], "data": [2, 2]},
    ],
    "parameters": {"padding": "border"},
}
_BINARY = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}


def _errors(*kinds: type[errors.ServiceError]) -> dict[int | str, dict[str, Any]]:
    kinds = (*ANY_ERRORS, *kinds)
    return error_responses(*kinds, media_type="application/json", schema="InferenceProblem")


_MODEL_ERRORS = (
    errors.Unauthorized,
    errors.RateLimited,
    errors.DeadlineExceeded,
    errors.UnknownModel,
    errors.UnknownVersion,
    errors.UnknownLabel,
    errors.ContractBroken,
    errors.NotReady,
    errors.ModelServerUnavailable,
)
_INFER_ERRORS = (
    *_MODEL_ERRORS,
    errors.MissingImage,
    errors.UnknownOption,
    errors.InvalidTensor,
    errors.BodyTooSlow,
    errors.BodyTooLarge,
    errors.TooManyPixels,
    errors.TooManyImages,
    errors.UnsupportedMediaType,
    errors.UnsupportedFormat,
    errors.InvalidOption,
    errors.UndecodableImage,
    errors.AnimatedImage,
    errors.BatchRejected,
    errors.Overloaded,
)

SERVER: dict[str, Any] = {
    "response_model": ServerMetadata,
    "responses": _errors(errors.Unauthorized, errors.RateLimited, errors.DeadlineExceeded),
}
LIVE: dict[str, Any] = {
    "response_model": Live,
    "responses": _errors(),
    "openapi_extra": OPEN,
}
READY: dict[str, Any] = {
    "openapi_extra": OPEN,
    "response_model": Ready,
    "responses": {**_errors(), 503: {"model": Ready, "description": "Not ready, and why"}},
}
MODEL: dict[str, Any] = {"response_model": ModelMetadata, "responses": _errors(*_MODEL_ERRORS)}
MODEL_READY: dict[str, Any] = {
    "response_model": ModelReady,
    "responses": _errors(*_MODEL_ERRORS),
}
INFER: dict[str, Any] = {
    "response_model": InferenceAnswer,
    "responses": {
        **_errors(*_INFER_ERRORS),
        200: {
            "content": {"application/octet-stream": _BINARY},
            "headers": {
                HEADER_LENGTH: {
                    "description": "bytes of JSON before the binary data, where there are any",
                    "schema": {"type": "integer"},
                }
            },
        },
    },
    "openapi_extra": {
        "parameters": [
            {
                "name": HEADER_LENGTH,
                "in": "header",
                "required": False,
                "description": "how many bytes of JSON come before the binary data; 0 when the "
                "body is a picture and nothing else",
                "schema": {"type": "integer", "minimum": 0},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/InferenceRequest"},
                    "examples": {
                        "classify a picture": {"value": _CLASSIFY},
                        "warp a tensor": {"value": _WARP},
                    },
                },
                "application/octet-stream": _BINARY,
            },
        },
    },
}


def of_model(documented: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of a route with a model in its path."""
    return _with_path(documented, {"name": "the model"})


def of_version(documented: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of a route with a model and a version of it in its path."""
    return _with_path(documented, {"name": "the model", "version": "its number, or a label of it"})


def _with_path(documented: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    extra = documented.get("openapi_extra", {})
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": description,
            "schema": {"type": "string"},
        }
        for name, description in names.items()
    ]
    parameters += extra.get("parameters", [])
    return {**documented, "openapi_extra": {**extra, "parameters": parameters}}
