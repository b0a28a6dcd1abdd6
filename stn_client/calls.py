"""The requests of the client, apart from how they are sent: sync and async send the same ones."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import httpx

from stn_client.affine import six_numbers
from stn_client.answers import (
    Model,
    Prediction,
    Readiness,
    Warped,
    read_models,
    read_prediction,
    read_predictions,
    read_readiness,
    read_warped,
)
from stn_client.errors import UNEXPECTED_ANSWER, GatewayError, from_transport

T = TypeVar("T")
Image = bytes | str | os.PathLike[str]
"""A picture: the bytes of a PNG, JPEG or WebP file, or the path of one."""

# The gateway's own word that time is up should arrive before the client hangs up.
_GRACE_SECONDS = 5.0
_CONNECT_SECONDS = 5.0
# Connections at rest are let go before the gateway lets go of them (after five seconds).
_IDLE_SECONDS = 3.0


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, and how to read its answer."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    params: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of httpx's `request`."""
        return {"method": self.method, "url": self.path, "params": self.params, **self.options}

    def answer(self, response: httpx.Response) -> T:
        """Read the answer.

        Raises:
            GatewayError: it is a refusal, or not what the gateway would say.
        """
        try:
            return self.read(response)
        except (LookupError, TypeError, ValueError) as error:
            raise GatewayError(
                UNEXPECTED_ANSWER,
                f"the answer to {self.method} {self.path} is not what this client knows: {error!r}",
                status=response.status_code,
                request_id=response.headers.get("x-request-id"),
            ) from error


@dataclass(frozen=True)
class Outcome:
    """What became of one picture of many.

    Attributes:
        image: the picture, as it was given.
        prediction: the answer; None when there is an error.
        error: why there is no answer: `GatewayError`, or `OSError` when the file cannot be read.
    """

    image: Image
    prediction: Prediction | None = None
    error: GatewayError | OSError | None = None

    def result(self) -> Prediction:
        """Return the prediction, or raise the error."""
        if self.prediction is None:
            assert self.error is not None
            raise self.error
        return self.prediction


def predict(
    content: bytes,
    *,
    version: int | None = None,
    label: str | None = None,
    top_k: int | None = None,
    fit: str | None = None,
    invert: bool = False,
    warped: bool = False,
) -> Call[Prediction]:
    """Ask what a picture shows."""
    params = _predict_params(version, label, top_k, fit, invert, warped)
    return Call("POST", "/predict", read_prediction, params, _raw(content))


def predict_batch(contents: Sequence[bytes]) -> Call[list[Prediction]]:
    """Ask what several pictures show, in one request."""
    files = [("image", content) for content in contents]
    return Call("POST", "/predict/batch", read_predictions, {}, {"files": files})


def warp(
    content: bytes,
    theta: Sequence[float] | Sequence[Sequence[float]],
    *,
    width: int | None = None,
    height: int | None = None,
    padding: str | None = None,
    interpolation: str | None = None,
    version: int | None = None,
    label: str | None = None,
) -> Call[Warped]:
    """Ask for a warped picture."""
    params = _given(
        theta=",".join(map(repr, six_numbers(theta))),
        width=width,
        height=height,
        padding=padding,
        interpolation=interpolation,
        version=version,
        label=label,
    )
    options = _raw(content)
    options["headers"]["accept"] = "application/json"
    return Call("POST", "/warp", read_warped, params, options)


def models() -> Call[tuple[Model, ...]]:
    """Ask for the models."""
    return Call("GET", "/models", read_models)


def ready() -> Call[Readiness]:
    """Ask whether requests can be answered."""
    return Call("GET", "/readyz", read_readiness)


def read_image(image: Image) -> bytes:
    """Return the bytes of a picture.

    Raises:
        OSError: the file cannot be read.
    """
    return image if isinstance(image, bytes) else Path(image).read_bytes()


def connection(url: str, api_key: str | None, timeout: float) -> dict[str, Any]:
    """Return the arguments of httpx's clients.

    Raises:
        ValueError: the address or the key cannot be one.
    """
    url = url if "://" in url else f"http://{url}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"the gateway's address must be like http://127.0.0.1:8000; got {url!r}")
    if not 0.001 <= timeout <= 86400:
        raise ValueError(f"timeout must be seconds, from 0.001 to a day; got {timeout}")
    headers = {"x-request-timeout-ms": str(round(timeout * 1000)), "user-agent": "stn-client"}
    if api_key:
        if not (api_key.isascii() and api_key.isprintable()) or " " in api_key:
            raise ValueError("the API key has characters that no key has: white space, say")
        headers["authorization"] = f"Bearer {api_key}"
    return {
        "base_url": url,
        "headers": headers,
        "timeout": httpx.Timeout(timeout + _GRACE_SECONDS, connect=_CONNECT_SECONDS, pool=None),
        "limits": httpx.Limits(keepalive_expiry=_IDLE_SECONDS),
    }


def lost(error: httpx.RequestError, client: httpx.Client | httpx.AsyncClient) -> GatewayError:
    """Return the error for a request that got no answer."""
    return from_transport(error, str(client.base_url).rstrip("/"))


def _predict_params(
    version: int | None,
    label: str | None,
    top_k: int | None,
    fit: str | None,
    invert: bool,
    warped: bool,
) -> dict[str, str]:
    return _given(
        version=version,
        label=label,
        top_k=top_k,
        fit=fit,
        invert="true" if invert else None,
        include="warped" if warped else None,
    )


def _given(**params: object) -> dict[str, str]:
    return {name: str(value) for name, value in params.items() if value is not None}


def _raw(content: bytes) -> dict[str, Any]:
    # The bytes decide what they are.
    return {"content": content, "headers": {"content-type": "application/octet-stream"}}
