"""Errors as problem documents (RFC 9457): the one table from our errors to HTTP."""

from http import HTTPStatus
from typing import Any

import orjson

from service import errors

STATUS_OF: dict[type[errors.ServiceError], HTTPStatus] = {
    errors.MalformedRequest: HTTPStatus.BAD_REQUEST,
    errors.MissingImage: HTTPStatus.BAD_REQUEST,
    errors.UnknownOption: HTTPStatus.BAD_REQUEST,
    errors.InvalidTensor: HTTPStatus.BAD_REQUEST,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.UnknownModel: HTTPStatus.NOT_FOUND,
    errors.UnknownVersion: HTTPStatus.NOT_FOUND,
    errors.UnknownLabel: HTTPStatus.NOT_FOUND,
    errors.MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    errors.NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    errors.BodyTooSlow: HTTPStatus.REQUEST_TIMEOUT,
    errors.HeadTooSlow: HTTPStatus.REQUEST_TIMEOUT,
    errors.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.TooManyPixels: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.TooManyImages: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.HeadTooLarge: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.UnsupportedFormat: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.InvalidOption: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UndecodableImage: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.AnimatedImage: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InternalError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.ModelServerError: HTTPStatus.BAD_GATEWAY,
    errors.ContractBroken: HTTPStatus.BAD_GATEWAY,
    errors.BatchRejected: HTTPStatus.BAD_GATEWAY,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ModelServerUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DeadlineExceeded: HTTPStatus.GATEWAY_TIMEOUT,
}

# A longer path is not repeated.
_MAX_INSTANCE = 200
MEDIA_TYPE = "application/problem+json"
# Clients of the Open Inference Protocol look for a member `error`, in a body of no other type.
_INFERENCE_PROTOCOL = "/v2"
_INFERENCE_MEDIA_TYPE = "application/json"


def title_of(error: type[errors.ServiceError]) -> str:
    """Return the short title of a kind of error: `undecodable image`, say."""
    return error.code.replace("_", " ")


def type_of(error: type[errors.ServiceError]) -> str:
    """Return the URI that identifies a kind of error."""
    return f"urn:stn-serving:error:{error.code}"


def problem(error: errors.ServiceError, instance: str, request_id: str) -> dict[str, Any]:
    """Return the problem document for an error, as a JSON-ready dictionary."""
    kind = type(error)
    document: dict[str, Any] = {
        "type": type_of(kind),
        "title": title_of(kind),
        "status": int(STATUS_OF[kind]),
        "detail": error.detail,
        "instance": instance if len(instance) <= _MAX_INSTANCE else "",
        "code": kind.code,
        "request_id": request_id,
    }
    if error.errors:
        document["errors"] = [
            {"field": e.field, "got": e.got, "expected": e.expected} for e in error.errors
        ]
    return document


def answer(
    error: errors.ServiceError, instance: str, request_id: str
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the answer to an error."""
    document = problem(error, instance, request_id)
    media_type = MEDIA_TYPE
    if instance == _INFERENCE_PROTOCOL or instance.startswith(f"{_INFERENCE_PROTOCOL}/"):
        media_type = _INFERENCE_MEDIA_TYPE
        document["error"] = error.detail
    headers = {"content-type": media_type, **error.headers()}
    return int(STATUS_OF[type(error)]), headers, orjson.dumps(document)
