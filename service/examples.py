"""An example of each error, for the OpenAPI document. Nothing here runs on a request."""

from typing import Any

from service import errors, problems
from service.errors import FieldError, ServiceError

_REQUEST_ID = "c3e19f548da64580942ca335b1461d14"
_THETA = "six finite numbers (two rows of three, output to input), each within 1e6"

# What the gateway says, where it is worth showing; the other errors say what they are.
_SAID: dict[type[ServiceError], tuple[str, str, tuple[FieldError, ...]]] = {
    errors.InvalidOption: (
        "/warp",
        f"theta must be {_THETA}; got '1,0,0,0,1'",
        (FieldError("theta", "'1,0,0,0,1'", _THETA),),
    ),
    errors.MissingImage: (
        "/predict",
        "no image came. Send it as the multipart part 'image', or as the raw body",
        (),
    ),
    errors.UnsupportedFormat: (
        "/predict",
        "the image is not a PNG, JPEG or WebP file; its first bytes decide, not its name",
        (),
    ),
    errors.UndecodableImage: ("/predict", "the PNG header cannot be read; the file is broken", ()),
    errors.UnknownModel: (
        "/models/nobody",
        "there is no model 'nobody'; there is stn, warp",
        (FieldError("name", "'nobody'", "stn, warp"),),
    ),
    errors.BodyTooLarge: (
        "/predict",
        "the body announces 52428800 bytes; at most 33554432 are accepted. Send a smaller picture.",
        (),
    ),
    errors.DeadlineExceeded: (
        "/predict",
        "no answer within the time that the request had; X-Request-Timeout-Ms may ask for more",
        (),
    ),
}


def error_examples() -> dict[str, Any]:
    """Return the examples by code, as the OpenAPI document keeps them in its components."""
    return {kind.code: _example(kind) for kind in problems.STATUS_OF}


def _example(kind: type[ServiceError]) -> dict[str, Any]:
    summary = (kind.__doc__ or "").strip().partition("\n")[0]
    instance, detail, fields = _SAID.get(kind, ("/predict", summary, ()))
    document = problems.problem(kind(detail, fields), instance, _REQUEST_ID)
    return {"summary": summary, "value": document}
