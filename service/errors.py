"""What can go wrong, as a tree; `problems.py` turns each into an HTTP answer.

Every error carries a stable `code` for programs, a sentence for people, and, where one field of the
request is to blame, what arrived and what was expected. None ever carries the caller's bytes.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """One field of a request that was not right.

    Attributes:
        field: its name, as the caller wrote it.
        got: what arrived, described and cut short.
        expected: what would have been right.
    """

    field: str
    got: str
    expected: str


class ServiceError(Exception):
    """Anything that the gateway answers with a problem document.

    Args:
        detail: a sentence for the caller: what arrived, what was expected, how to mend it.
        errors: the fields to blame.
        log_detail: what more the log should hold; callers never see it.
    """

    code: ClassVar[str] = "internal_error"

    def __init__(
        self, detail: str, errors: tuple[FieldError, ...] = (), log_detail: str = ""
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.log_detail = log_detail

    def headers(self) -> dict[str, str]:
        """Return the headers that the answer must carry beside the document."""
        return {}

    def within(self, place: str) -> "ServiceError":
        """Return the same error, its sentence beginning with where it happened."""
        error = copy(self)
        error.detail = f"{place}: {self.detail}"
        return error


class TryLater(ServiceError):
    """The answer says when to try again, in `Retry-After`.

    Args:
        retry_after_seconds: that, in whole seconds.
    """

    def __init__(
        self,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        log_detail: str = "",
        *,
        retry_after_seconds: int = 1,
    ) -> None:
        super().__init__(detail, errors, log_detail)
        self.retry_after_seconds = retry_after_seconds

    def headers(self) -> dict[str, str]:
        """Return `Retry-After`."""
        return {"retry-after": str(self.retry_after_seconds)}


class InternalError(ServiceError):
    """A fault of the gateway itself."""


class RequestError(ServiceError):
    """The request is wrong; sending it again unchanged cannot help."""

    code = "malformed_request"


class MalformedRequest(RequestError):
    """The body does not parse, or its parts do not fit together."""


class MissingImage(RequestError):
    """No image, or an empty one."""

    code = "missing_image"


class UnknownOption(RequestError):
    """An option that this route does not have."""

    code = "unknown_option"


class InvalidOption(RequestError):
    """An option that this route has, with a value out of range."""

    code = "invalid_option"


class InvalidTensor(RequestError):
    """A tensor that is not what the model takes, or an output that it does not have."""

    code = "invalid_tensor"


class UnsupportedMediaType(RequestError):
    """The Content-Type of the body is none that the route reads."""

    code = "unsupported_media_type"


class UnsupportedFormat(RequestError):
    """The image is in no format that is accepted."""

    code = "unsupported_image_format"


class UndecodableImage(RequestError):
    """The image is in an accepted format, but broken."""

    code = "undecodable_image"


class AnimatedImage(RequestError):
    """The image has several frames."""

    code = "animated_image"


class BodyTooLarge(RequestError):
    """Too many bytes."""

    code = "body_too_large"


class TooManyPixels(RequestError):
    """Too many pixels, in the image sent or in the one asked for."""

    code = "too_many_pixels"


class TooManyImages(RequestError):
    """More images than one batch request may carry."""

    code = "too_many_images"


class BodyTooSlow(RequestError):
    """The body did not arrive in time."""

    code = "body_too_slow"


class Unauthorized(RequestError):
    """No API key, or none that is known."""

    code = "unauthorized"

    def headers(self) -> dict[str, str]:
        """Return `WWW-Authenticate`, which RFC 9110 asks for."""
        return {"www-authenticate": 'Bearer realm="stn-serving"'}


class RateLimited(TryLater, RequestError):
    """This caller asks too often."""

    code = "rate_limited"


class HeadTooLarge(RequestError):
    """Too many bytes, or lines, in the request line and the headers."""

    code = "head_too_large"


class HeadTooSlow(RequestError):
    """The headers did not arrive in time."""

    code = "head_too_slow"


class NotAcceptable(RequestError):
    """The route cannot answer in a form that `Accept` allows."""

    code = "not_acceptable"


class NotFound(RequestError):
    """No such route."""

    code = "not_found"


NO_SUCH_ROUTE = "there is no such route; /docs lists them all"


class MethodNotAllowed(RequestError):
    """The route exists, but not for this method.

    Args:
        allowed: the methods that it has.
    """

    code = "method_not_allowed"

    def __init__(
        self,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        log_detail: str = "",
        *,
        allowed: Sequence[str] = (),
    ) -> None:
        super().__init__(detail, errors, log_detail)
        self.allowed = allowed

    def headers(self) -> dict[str, str]:
        """Return `Allow`, which RFC 9110 asks for."""
        return {"allow": ", ".join(self.allowed)}


class UnknownModel(RequestError):
    """No servable of that name."""

    code = "unknown_model"


class UnknownVersion(RequestError):
    """The servable has no such version."""

    code = "unknown_version"


class UnknownLabel(RequestError):
    """The servable has no version with that label."""

    code = "unknown_label"


class ModelServerError(ServiceError):
    """The model server, not the caller, is at fault."""

    code = "model_server_error"


class ContractBroken(ModelServerError):
    """The model, or one of its answers, is not what the gateway needs."""

    code = "contract_broken"


class BatchRejected(ModelServerError):
    """The model server refused a batch; one of several requests in it may be the cause."""

    code = "rejected_by_model_server"


class Unavailable(TryLater):
    """It may work later; the answer carries `Retry-After`.

    Args:
        is_transient: whether the same call may well succeed a moment later.
    """

    code = "unavailable"

    def __init__(
        self,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        log_detail: str = "",
        *,
        retry_after_seconds: int = 1,
        is_transient: bool = False,
    ) -> None:
        super().__init__(detail, errors, log_detail, retry_after_seconds=retry_after_seconds)
        self.is_transient = is_transient


class NotReady(Unavailable):
    """No version of the model is ready to answer."""

    code = "not_ready"


class Overloaded(Unavailable):
    """Too much work in progress."""

    code = "overloaded"


class ModelServerUnavailable(Unavailable):
    """The model server cannot be reached."""

    code = "model_server_unavailable"


class DeadlineExceeded(ServiceError):
    """The answer did not come within the time that the request had."""

    code = "deadline_exceeded"
