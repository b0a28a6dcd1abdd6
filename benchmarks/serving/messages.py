"""What the servers are sent, and how their answers are read."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WITHOUT_IMAGE, WITH_IMAGE = ANSWERS = ("without image", "with image")


@dataclass(frozen=True)
class Request:
    """What is sent.

    Attributes:
        path: with its query.
        content_type: of the body.
        body: all of it.
    """

    path: str
    content_type: str
    body: bytes


def raw(picture: bytes, with_image: bool) -> Request:
    """Return the picture as it is."""
    return Request(_path(with_image), "image/png", picture)


def upload(picture: bytes, with_image: bool) -> Request:
    """Return a form with one file."""
    return _multipart(_path(with_image), "image", picture)


def uploads(picture: bytes, with_image: bool) -> Request:
    """Return a form with a list of files, which holds one; each form of answer has its path."""
    return _multipart(_own_path(with_image), "images", picture)


def member(picture: bytes, with_image: bool) -> Request:
    """Return JSON with the picture in base64."""
    wanted = {"include": "warped"} if with_image else {}
    return _json("/predict", {"image": _base64(picture), **wanted})


def members(picture: bytes, with_image: bool) -> Request:
    """Return JSON with a list of pictures, which holds one."""
    return _json(_own_path(with_image), {"images": [_base64(picture)]})


def tensors(picture: bytes, with_image: bool) -> Request:
    """Return a request of the Open Inference Protocol."""
    image = {
        "name": "image",
        "datatype": "BYTES",
        "shape": [1],
        "parameters": {"content_type": "base64"},
        "data": [_base64(picture)],
    }
    wanted = ["probabilities", "theta", *["warped"] * with_image]
    outputs = [{"name": name} for name in wanted]
    return _json("/v2/models/stn/infer", {"inputs": [image], "outputs": outputs})


Asking = Callable[[bytes, bool], Request]


def label_of(answer: bytes) -> str:
    """Return the label that an answer of any of the servers names.

    Raises:
        ValueError: there is none.
    """
    told = _first(json.loads(answer))
    if isinstance(told, dict) and "label" in told:
        return str(told["label"])
    for output in _outputs(told):
        if output.get("name") == "label":
            return str(output["data"][0])
    raise ValueError(f"the answer names no label: {answer[:200]!r}")


def has_image(answer: bytes) -> bool:
    """Tell whether an answer carries the warped image."""
    told = _first(json.loads(answer))
    return "warped" in told or any(output.get("name") == "warped" for output in _outputs(told))


def _first(told: Any) -> Any:
    return told[0] if isinstance(told, list) and told else told


def _outputs(told: Any) -> list[dict[str, Any]]:
    return list(told.get("outputs", [])) if isinstance(told, dict) else []


def _path(with_image: bool) -> str:
    return "/predict?include=warped" if with_image else "/predict"


def _own_path(with_image: bool) -> str:
    return "/predict_warped" if with_image else "/predict"


def _base64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def _json(path: str, told: dict[str, Any]) -> Request:
    return Request(path, "application/json", json.dumps(told).encode())


def _multipart(path: str, name: str, picture: bytes) -> Request:
    boundary = "------------------------5a7c1e0b9d3f"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="digit.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    body = head.encode() + picture + f"\r\n--{boundary}--\r\n".encode()
    return Request(path, f"multipart/form-data; boundary={boundary}", body)
