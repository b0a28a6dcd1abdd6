"""An example of each error, for the OpenAPI document. Nothing here runs on a request."""

from typing import Any

from service import errors, problems
from service.errors import FieldError, ServiceError

_REQUEST_ID = "c3e19f548da64580942ca335b1461d14"
_THETA = "six finite numbers (two rows of three, output to input), each within 1e6"

_PREDICT_OPTIONS = "version, label, top_k, fit, invert, include"

# What the gateway says, word for word; of the others, which need time or a broken model, it is told
# what they are.
_SAID: dict[type[ServiceError], tuple[str, str, tuple[FieldError, ...]]] = {
    errors.MalformedRequest: (
        "/predict",
        "the option 'top_k' is given twice; give it once, in the query or in the body",
        (FieldError("'top_k'", "two values", "one value"),),
    ),
    errors.MissingImage: (
        "/predict",
        (
            "no image came. Send it as the multipart part 'image', as a raw body of type "
            'image/png, image/jpeg or image/webp, or as JSON {"image": "<base64>"}'
        ),
        (),
    ),
    errors.UnknownOption: (
        "/predict",
        f"there is no option 'topk' here; the options are {_PREDICT_OPTIONS}",
        (FieldError("'topk'", "an unknown option", _PREDICT_OPTIONS),),
    ),
    errors.Unauthorized: (
        "/predict",
        "no API key came; send it as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'",
        (),
    ),
    errors.NotFound: ("/predictions", errors.NO_SUCH_ROUTE, ()),
    errors.UnknownModel: (
        "/models/nobody",
        "there is no model 'nobody'; there is stn, warp",
        (FieldError("name", "'nobody'", "stn, warp"),),
    ),
    errors.UnknownVersion: ("/predict", "stn has no version 7 ready; it has 1", ()),
    errors.MethodNotAllowed: ("/predict", "this route answers POST", ()),
    errors.NotAcceptable: (
        "/warp",
        "this route answers image/png or application/json; Accept allows none of it",
        (),
    ),
    errors.BodyTooLarge: (
        "/predict",
        "the body announces 52428800 bytes; at most 33554432 are accepted. Send a smaller picture.",
        (),
    ),
    errors.TooManyPixels: (
        "/warp",
        (
            "the warped image would have 10000 x 10000 = 100000000 pixels; at most 25000000 are "
            "accepted. Make it smaller."
        ),
        (),
    ),
    errors.TooManyImages: (
        "/predict/batch",
        "65 images came; at most 64 are accepted at once",
        (),
    ),
    errors.UnsupportedMediaType: (
        "/predict",
        (
            "a body of type 'image/tiff' is not read here; send multipart/form-data, "
            "application/json, image/png, image/jpeg or image/webp"
        ),
        (FieldError("Content-Type", "'image/tiff'", "one of the types named"),),
    ),
    errors.UnsupportedFormat: (
        "/predict",
        "the image is not a PNG, JPEG or WebP file; its first bytes decide, not its name",
        (),
    ),
    errors.InvalidOption: (
        "/warp",
        f"theta must be {_THETA}; got '1,0,0,0,1'",
        (FieldError("theta", "'1,0,0,0,1'", _THETA),),
    ),
    errors.UndecodableImage: ("/predict", "the PNG header cannot be read; the file is broken", ()),
    errors.AnimatedImage: ("/predict", "the PNG is animated; send a single frame", ()),
    errors.RateLimited: (
        "/predict",
        "more than 1 requests a second; Retry-After says when the next may come",
        (),
    ),
    errors.NotReady: ("/predict", "no version of stn is ready: version 1 is LOADING", ()),
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
