"""Results as the JSON that callers see. Pure."""

from base64 import b64encode
from typing import Any

import numpy as np

from service import geometry
from service.contract import AFFINE_PARAMETERS, Classifier, Warper
from service.geometry import Fit
from service.inference import Prediction, Warped
from service.png import encode_png
from service.servable import Servable

_DEFAULT_TOP_K = 3
_DIGITS = 6


def prediction_answer(prediction: Prediction, top_k: int | None) -> dict[str, Any]:
    """Return the answer of `/predict`."""
    model = prediction.model
    probabilities = [round(p, _DIGITS) for p in prediction.probabilities.tolist()]
    # A stable sort: of two equal classes the first comes first, as argmax has it.
    order = (-prediction.probabilities).argsort(kind="stable")
    top = [
        {"label": model.labels[index], "index": index, "probability": probabilities[index]}
        for index in order[: top_k or _DEFAULT_TOP_K].tolist()
    ]
    best = top[0]
    answer = {
        "model": {"name": model.servable, "version": model.version},
        "label": best["label"],
        "index": best["index"],
        "confidence": best["probability"],
        "top": top,
        "probabilities": probabilities,
        **_where(prediction.theta, model.input.height, model.input.width, prediction.fit),
    }
    if prediction.warped is not None:
        pixels = (prediction.warped * 255).round().clip(0, 255).astype(np.uint8)
        answer["warped"] = _png(encode_png(pixels))
    return answer


def warp_answer(warped: Warped, theta: np.ndarray) -> dict[str, Any]:
    """Return the JSON answer of `/warp`."""
    model = warped.model
    return {
        "model": {"name": model.servable, "version": model.version},
        **_where(theta, *warped.input_size, geometry.UNFITTED),
        "warped": _png(warped.png),
    }


def servable_summary(servable: Servable[Any]) -> dict[str, Any]:
    """Return what `/models` says of one servable."""
    latest = servable.latest()
    return {
        "name": servable.name,
        "default_version": latest.version if latest else None,
        "versions": [
            {
                "version": status.version,
                "state": status.state,
                "labels": list(status.labels),
                "ready": status.version in servable.models,
                **_problem(servable.problems.get(status.version) or status.message),
            }
            for status in servable.statuses
        ],
        **_problem(servable.trouble),
    }


def model_details(model: Classifier | Warper) -> dict[str, Any]:
    """Return what `/models/{name}` adds: the version's input, labels and card."""
    details: dict[str, Any] = {"version": model.version}
    if isinstance(model, Classifier):
        details["input"] = {
            "height": model.input.height,
            "width": model.input.width,
            "channels": model.input.channels,
            "background": model.input.background,
        }
        details["output_size"] = list(model.output_size)
        details["labels"] = list(model.labels)
    details["card"] = model.card
    return details


def _where(theta: np.ndarray, height: int, width: int, fit: Fit) -> dict[str, Any]:
    numbers = [_round(value) for value in theta.tolist()]
    if len(numbers) != AFFINE_PARAMETERS:
        return {"theta": numbers}
    transform = geometry.decompose(theta)
    return {
        "theta": [numbers[:3], numbers[3:]],
        "transform": {
            "rotation_degrees": round(transform.rotation_degrees, 3),
            "scale": [_round(value) for value in transform.scale],
            "shear_degrees": round(transform.shear_degrees, 3),
            "translation": [_round(value) for value in transform.translation],
            "mirrored": transform.mirrored,
        },
        "region": [
            [round(x, 2), round(y, 2)] for x, y in geometry.region(theta, height, width, fit)
        ],
    }


def _round(value: float) -> float:
    """Round to the digits that float32 has, and say 0 where -0 would come out."""
    return float(f"{value:.7g}") + 0.0


def _png(content: bytes) -> dict[str, str]:
    return {"content_type": "image/png", "base64": b64encode(content).decode("ascii")}


def _problem(text: str | None) -> dict[str, str]:
    return {"problem": text} if text else {}
