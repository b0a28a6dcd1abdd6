"""What the OpenAPI document says of each route. Nothing here runs on a request."""

from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse

from service import errors, problems
from service.fitting import FIT_MODES
from service.options import INTERPOLATIONS, PADDINGS
from service.submission import IMAGE_TYPES


class ModelReference(BaseModel):
    """Which model answered."""

    name: str = Field(examples=["stn"])
    version: int = Field(examples=[2])


class ClassProbability(BaseModel):
    """One class and its probability."""

    label: str = Field(examples=["7"])
    index: int = Field(examples=[7])
    probability: float = Field(examples=[0.998101])


class Transform(BaseModel):
    """Theta taken apart, in normalised coordinates; angles are clockwise on the screen."""

    rotation_degrees: float = Field(examples=[27.643])
    scale: list[float] = Field(
        description="of the x and y axis; below 1 zooms in", examples=[[0.5800034, 0.6017509]]
    )
    shear_degrees: float = Field(examples=[-4.424])
    translation: list[float] = Field(
        description="centre of the region, x and y, in [-1, 1]",
        examples=[[0.5205388, -0.08808664]],
    )
    mirrored: bool


class EncodedImage(BaseModel):
    """An image inside JSON."""

    content_type: str = Field(examples=["image/png"])
    base64: str = Field(examples=["iVBORw0KGgo..."])


class Looked(BaseModel):
    """Where the transformer looked."""

    theta: list[list[float]] | list[float] = Field(
        description="Two rows of three: the map from output to input coordinates, x to the right, "
        "y down, -1 and +1 the centres of the first and last pixel.",
        examples=[[[0.5330273, -0.3194764, 0.5205388], [0.2286609, 0.5099401, -0.08808664]]],
    )
    transform: Transform | None = None
    region: list[list[float]] | None = Field(
        None,
        description="The quadrilateral looked at, in pixels of the picture as sent ((0, 0) is the "
        "centre of the top left one), in the order of the warped image's top left, top right, "
        "bottom right and bottom left corner.",
        examples=[[[72.28, 10.31], [130.56, 35.31], [95.63, 91.06], [37.35, 66.06]]],
    )


class Prediction(Looked):
    """The answer to one image."""

    model: ModelReference
    label: str = Field(examples=["7"])
    index: int
    confidence: float
    top: list[ClassProbability]
    probabilities: list[float] = Field(examples=[[0.0, 0.001899, 0.998101]])
    warped: EncodedImage | None = Field(None, description="with include=warped")


class PredictionBatch(BaseModel):
    """The answers to several images, in order."""

    predictions: list[Prediction]


class WarpedImage(Looked):
    """A warped image with what was done to it."""

    model: ModelReference
    warped: EncodedImage


class VersionSummary(BaseModel):
    """One version of a model."""

    version: int
    state: str = Field(examples=["AVAILABLE"])
    labels: list[str]
    ready: bool
    problem: str | None = None


class ModelSummary(BaseModel):
    """A model and its versions."""

    name: str
    default_version: int | None
    versions: list[VersionSummary]
    problem: str | None = None


class ModelList(BaseModel):
    """All models."""

    models: list[ModelSummary]


class ModelInput(BaseModel):
    """What the classifier takes; pictures of any size are fitted to it."""

    height: int
    width: int
    channels: int
    background: int = Field(description="value of an empty picture, 0 or 255")


class ModelDetails(ModelSummary):
    """A model, its versions, and what the version asked for (or the default) is."""

    version: int | None = None
    input: ModelInput | None = None
    output_size: list[int] | None = None
    labels: list[str] | None = None
    card: dict[str, Any] | None = Field(None, description="the model card, as exported")


class Status(BaseModel):
    """How the gateway is."""

    status: str = Field(examples=["ready"])
    reasons: list[str] | None = None
    breakers: dict[str, str] | None = Field(
        None,
        description="whether calls of each model go through (closed), or stopped because the "
        "last ones went unanswered (open), or a trial is on its way (half open)",
        examples=[{"stn": "closed", "warp": "closed"}],
    )


class FieldProblem(BaseModel):
    """One field that was not right."""

    field: str
    got: str
    expected: str


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str = Field(description="stable, for programs")
    request_id: str
    errors: list[FieldProblem] | None = None


_VERSION = {"type": "integer", "minimum": 1, "description": "version of the model"}
_LABEL = {"type": "string", "description": "label of a version, instead of its number"}
_PREDICT_OPTIONS: dict[str, Any] = {
    "version": _VERSION,
    "label": _LABEL,
    "top_k": {"type": "integer", "minimum": 1, "default": 3, "description": "length of `top`"},
    "fit": {
        "type": "string",
        "enum": list(FIT_MODES),
        "default": "pad",
        "description": "how the picture is laid on the model's input: all of it with margins, all "
        "of it stretched, or its middle",
    },
    "invert": {
        "type": "boolean",
        "default": False,
        "description": "swap dark and light first, for dark ink on light paper",
    },
    "include": {"type": "string", "enum": ["warped"], "description": "answer with that too"},
}
_SIDE = {"type": "integer", "minimum": 1, "description": "of the output; the input's by default"}
_WARP_OPTIONS: dict[str, Any] = {
    "theta": {
        "description": "six numbers, or two rows of three: the map from output to input",
        "oneOf": [
            {"type": "string", "examples": ["0.7071,-0.7071,0,0.7071,0.7071,0"]},
            {"type": "array", "items": {"type": "number"}, "minItems": 6, "maxItems": 6},
            {
                "type": "array",
                "items": {
                    "type": "array",
                    "items": {"type": "number"},
                    "minItems": 3,
                    "maxItems": 3,
                },
                "minItems": 2,
                "maxItems": 2,
            },
        ],
    },
    "width": _SIDE,
    "height": _SIDE,
    "padding": {"type": "string", "enum": list(PADDINGS), "default": "zeros"},
    "interpolation": {"type": "string", "enum": list(INTERPOLATIONS), "default": "bilinear"},
    "version": _VERSION,
    "label": _LABEL,
}

_BINARY = {"type": "string", "contentMediaType": "application/octet-stream"}
_BASE64 = {"type": "string", "description": "base64, or a data URI"}


def _query(options: dict[str, Any]) -> list[dict[str, Any]]:
    # Options may come in the query or the body, so none is required in either place.
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": {"type": "string"} if name == "theta" else schema,
            "description": schema.get("description", ""),
        }
        for name, schema in options.items()
    ]


def _object(image: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    return {"schema": {"type": "object", "properties": {**image, **options}}}


def _body(options: dict[str, Any], many: bool) -> dict[str, Any]:
    parts = {"type": "array", "items": _BINARY} if many else _BINARY
    texts = {"images": {"type": "array", "items": _BASE64}} if many else {"image": _BASE64}
    content = {
        "multipart/form-data": _object({"image": parts}, options),
        "application/json": _object(texts, options),
    }
    if not many:
        content |= {media_type: {"schema": _BINARY} for media_type in IMAGE_TYPES}
    return {"required": True, "content": content}


def error_responses(
    *kinds: type[errors.ServiceError],
    media_type: str = problems.MEDIA_TYPE,
    schema: str = "Problem",
) -> dict[int | str, dict[str, Any]]:
    """Return what the document says of the errors of a route."""
    by_status: dict[int | str, list[str]] = {}
    for kind in kinds:
        by_status.setdefault(int(problems.STATUS_OF[kind]), []).append(kind.code)
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {
        status: {
            "description": "Code " + " or ".join(f"`{code}`" for code in codes),
            "content": {media_type: {"schema": reference} | _examples(schema, codes)},
        }
        for status, codes in sorted(by_status.items(), key=str)
    }


def _examples(schema: str, codes: list[str]) -> dict[str, Any]:
    # Those of `examples.py`, which are problem documents and nothing more.
    if schema != "Problem":
        return {}
    return {"examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes}}


# Of the edge, whichever the route.
ANY_ERRORS = (
    errors.MalformedRequest,
    errors.HeadTooSlow,
    errors.HeadTooLarge,
    errors.InternalError,
)
GUARDED_ERRORS = (*ANY_ERRORS, errors.Unauthorized, errors.RateLimited, errors.DeadlineExceeded)
_PICTURE_ERRORS = (
    *GUARDED_ERRORS,
    errors.MissingImage,
    errors.UnknownOption,
    errors.UnknownVersion,
    errors.UnknownLabel,
    errors.NotAcceptable,
    errors.BodyTooSlow,
    errors.BodyTooLarge,
    errors.TooManyPixels,
    errors.UnsupportedMediaType,
    errors.UnsupportedFormat,
    errors.InvalidOption,
    errors.UndecodableImage,
    errors.AnimatedImage,
    errors.ContractBroken,
    errors.BatchRejected,
    errors.NotReady,
    errors.Overloaded,
    errors.ModelServerUnavailable,
)


def _picture_route(
    options: dict[str, Any], model: type[BaseModel], many: bool = False
) -> dict[str, Any]:
    more = (errors.TooManyImages,) if many else ()
    return {
        "response_model": model,
        "responses": error_responses(*_PICTURE_ERRORS, *more),
        "openapi_extra": {"parameters": _query(options), "requestBody": _body(options, many)},
    }


PREDICT = _picture_route(_PREDICT_OPTIONS, Prediction)
PREDICT_BATCH = _picture_route(_PREDICT_OPTIONS, PredictionBatch, many=True)
WARP = _picture_route(_WARP_OPTIONS, WarpedImage)
WARP["responses"][200] = {"content": {"image/png": {"schema": _BINARY}}}
MODELS = {"response_model": ModelList, "responses": error_responses(*GUARDED_ERRORS)}
MODEL = {
    "response_model": ModelDetails,
    "responses": error_responses(
        *GUARDED_ERRORS,
        errors.UnknownOption,
        errors.UnknownModel,
        errors.UnknownVersion,
        errors.UnknownLabel,
        errors.InvalidOption,
        errors.ContractBroken,
        errors.NotReady,
        errors.ModelServerUnavailable,
    ),
    "openapi_extra": {
        "parameters": [
            {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}},
            *_query({"version": _VERSION, "label": _LABEL}),
        ]
    },
}
# For `openapi_extra` of the routes that ask for no key.
OPEN: dict[str, Any] = {"security": []}
LIVEZ = {
    "response_model": Status,
    "responses": error_responses(*ANY_ERRORS),
    "openapi_extra": OPEN,
}
READYZ = {
    "response_model": Status,
    "openapi_extra": OPEN,
    "responses": {
        **error_responses(*ANY_ERRORS),
        503: {"model": Status, "description": "Not ready, and why"},
    },
}
METRICS: dict[str, Any] = {
    "response_class": PlainTextResponse,
    "responses": {
        200: {
            "description": "The metrics, see docs/operations.md",
            "content": {
                "text/plain": {"schema": {"type": "string"}},
                "application/openmetrics-text": {"schema": {"type": "string"}},
            },
        },
        **error_responses(*ANY_ERRORS),
    },
}
SECURITY_SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "an API key; needed where the gateway was given keys",
    },
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "likewise"},
}
EXTRA_SCHEMAS: tuple[type[BaseModel], ...] = (Problem,)
