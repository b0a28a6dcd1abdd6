"""The answers of the gateway, typed. Members that are not known here are left in `document`."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from stn_client.errors import UNEXPECTED_ANSWER, GatewayError, from_response

Point = tuple[float, float]


@dataclass(frozen=True)
class ClassProbability:
    """One class and its probability."""

    label: str
    index: int
    probability: float


@dataclass(frozen=True)
class Transform:
    """An affine theta, taken apart: the region that was looked at.

    Attributes:
        rotation_degrees: how far it is turned, clockwise on the screen.
        scale: of its sides, `(x, y)`; below 1 zooms in.
        shear_degrees: how far each side leans from the right angle.
        translation: its centre in normalised coordinates, `(x, y)`.
        mirrored: whether it is flipped.
    """

    rotation_degrees: float
    scale: Point
    shear_degrees: float
    translation: Point
    mirrored: bool


@dataclass(frozen=True)
class Answer:
    """What every answer about a picture says.

    Attributes:
        model: name of the model.
        version: that answered.
        theta: the map from output to input coordinates, as it came.
        transform: theta taken apart; None when it is not affine.
        region: what was looked at, in pixels of the picture: top left, top right, bottom right and
            bottom left corner of the warped image, `(x, y)` each; None when theta is not affine.
        request_id: to find the request in the gateway's log.
        timings: milliseconds by stage: `decode`, `queue`, `model`, `encode`.
        document: the JSON as it came.
    """

    model: str
    version: int
    theta: list[Any]
    transform: Transform | None
    region: tuple[Point, ...] | None
    request_id: str
    timings: Mapping[str, float] = field(repr=False)
    document: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Prediction(Answer):
    """What a picture shows, and where the network looked.

    Attributes:
        label: the likeliest class.
        index: its place among the classes.
        confidence: its probability.
        top: the likeliest classes, in order.
        probabilities: of all classes, in the model's order.
        warped: PNG of what the classifier saw, where that was asked for.
    """

    label: str
    index: int
    confidence: float
    top: tuple[ClassProbability, ...]
    probabilities: tuple[float, ...]
    warped: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Warped(Answer):
    """A warped picture.

    Attributes:
        png: it, as a PNG file.
    """

    png: bytes = field(repr=False)

    def save(self, path: str | Path) -> None:
        """Write the picture to a file."""
        Path(path).write_bytes(self.png)


@dataclass(frozen=True)
class Version:
    """One version of a model: its number, state, labels, and whether it is asked."""

    version: int
    state: str
    labels: tuple[str, ...]
    ready: bool
    problem: str | None


@dataclass(frozen=True)
class Model:
    """A model and its versions."""

    name: str
    default_version: int | None
    versions: tuple[Version, ...]
    problem: str | None
    document: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Readiness:
    """Whether the gateway can answer, and if not, why. True or false itself."""

    ready: bool
    reasons: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.ready


def read_prediction(response: httpx.Response) -> Prediction:
    """Read the answer of `/predict`."""
    return _prediction(_json(response), response)


def read_predictions(response: httpx.Response) -> list[Prediction]:
    """Read the answer of `/predict/batch`."""
    return [_prediction(one, response) for one in _json(response)["predictions"]]


def read_warped(response: httpx.Response) -> Warped:
    """Read the answer of `/warp`, as JSON."""
    document = _json(response)
    return Warped(**_looked(document, response), png=_picture(document))


def read_models(response: httpx.Response) -> tuple[Model, ...]:
    """Read the answer of `/models`."""
    return tuple(
        Model(
            name=model["name"],
            default_version=model["default_version"],
            versions=tuple(_version(version) for version in model["versions"]),
            problem=model.get("problem"),
            document=model,
        )
        for model in _json(response)["models"]
    )


def read_readiness(response: httpx.Response) -> Readiness:
    """Read the answer of `/readyz`, which is no error when it says no."""
    document = _json(response, allowed=(200, 503))
    if "status" not in document or "code" in document:
        raise from_response(response)
    return Readiness(response.status_code == 200, tuple(document.get("reasons") or ()))


def _json(response: httpx.Response, allowed: tuple[int, ...] = (200,)) -> Any:
    if response.status_code not in allowed:
        raise from_response(response)
    try:
        document = orjson.loads(response.content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise GatewayError(
            UNEXPECTED_ANSWER,
            f"HTTP {response.status_code} with something other than JSON; is this the gateway?",
            status=response.status_code,
        )
    return document


def _prediction(document: dict[str, Any], response: httpx.Response) -> Prediction:
    return Prediction(
        **_looked(document, response),
        label=document["label"],
        index=document["index"],
        confidence=document["confidence"],
        top=tuple(
            ClassProbability(one["label"], one["index"], one["probability"])
            for one in document["top"]
        ),
        probabilities=tuple(document["probabilities"]),
        warped=_picture(document) if document.get("warped") else None,
    )


def _looked(document: dict[str, Any], response: httpx.Response) -> dict[str, Any]:
    transform, region = document.get("transform"), document.get("region")
    return {
        "model": document["model"]["name"],
        "version": document["model"]["version"],
        "theta": document["theta"],
        "transform": transform and _transform(transform),
        "region": region and tuple((x, y) for x, y in region),
        "request_id": response.headers.get("x-request-id", ""),
        "timings": _timings(response.headers.get("server-timing", "")),
        "document": document,
    }


def _transform(document: dict[str, Any]) -> Transform:
    return Transform(
        rotation_degrees=document["rotation_degrees"],
        scale=(document["scale"][0], document["scale"][1]),
        shear_degrees=document["shear_degrees"],
        translation=(document["translation"][0], document["translation"][1]),
        mirrored=document["mirrored"],
    )


def _version(document: dict[str, Any]) -> Version:
    return Version(
        version=document["version"],
        state=document["state"],
        labels=tuple(document["labels"]),
        ready=document["ready"],
        problem=document.get("problem"),
    )


def _picture(document: dict[str, Any]) -> bytes:
    return base64.b64decode(document["warped"]["base64"])


def _timings(server_timing: str) -> dict[str, float]:
    return {name: float(ms) for name, ms in re.findall(r"([\w-]+);dur=([\d.]+)", server_timing)}
