"""The model card: what a servable says about itself, in its signature `describe`."""

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from model_export.batching import MAX_BATCH_SIZE
from model_export.distortion import CLOSE, RTS
from model_export.evaluate import Evaluation
from model_export.shifts import ANYHOW
from model_export.warp_graph import INTERPOLATIONS, PADDINGS

CONVENTION = (
    "theta, six numbers in two rows of three, maps output to input coordinates (x, y, 1) to (x, y);"
    " x grows to the right, y downwards; -1 and +1 are the centres of the first and last pixel; row"
    " one gives x, row two y (grid_sample with align_corners=True)"
)

COMMON_KEYS = {"name", "task", "convention", "tensorflow_version", "created"}
CLASSIFIER_KEYS = COMMON_KEYS | {
    "transform",
    "input",
    "output_size",
    "max_batch_size",
    "test_errors",
    "localizer",
    "training_data",
    "training",
    "num_parameters",
    "weights_sha256",
}
WARP_KEYS = COMMON_KEYS | {"transform", "paddings", "interpolations"}


def classifier_card(
    name: str,
    model: keras.Model,
    output_size: tuple[int, int],
    evaluation: Evaluation,
    training: dict[str, Any],
) -> str:
    """Return the card of a classifier as JSON.

    Args:
        name: of the servable.
        model: the classifier.
        output_size: `(height, width)` of what its trunk sees.
        evaluation: its errors.
        training: the run's `config.json`: the settings, the name of the data, and what it started
            from.
    """
    height, width, channels = model.input_shape[1:]
    settings = {key: value for key, value in training.items() if key != "data"}
    return card_json(
        common_card(name, "classification")
        | {
            "transform": "affine",
            "input": {
                "height": height,
                "width": width,
                "channels": channels,
                "polarity": "light_on_dark",
            },
            "output_size": {"height": output_size[0], "width": output_size[1]},
            "max_batch_size": MAX_BATCH_SIZE,
            **evaluation.as_dict(),
            "training_data": {
                "data_set": f"{training.get('data', 'unknown')} training",
                "distortion": _distortion(settings),
            },
            "training": settings,
            "num_parameters": model.count_params(),
            "weights_sha256": weights_digest(model),
        }
    )


def warp_card() -> str:
    """Return the card of the `warp` servable as JSON."""
    return card_json(
        common_card("warp", "warp")
        | {
            "transform": "affine",
            "paddings": list(PADDINGS),
            "interpolations": list(INTERPOLATIONS),
        }
    )


def _distortion(settings: Mapping[str, Any]) -> str:
    usual = RTS.describe()
    if share := settings.get("share_close", 0):
        usual += f"; a share of {share:g} of them closer: {CLOSE.describe()}"
    if settings.get("recipe") != "robust":
        return usual
    share = settings.get("share_anyhow", 0.5)
    return f"a share of {share:g} of them {ANYHOW.describe()}. The others {usual}"


def weights_digest(model: Any) -> str:
    """Return the SHA-256 of all weights, their shapes and types, in the order of the layers."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(f"{weight.dtype.str}{weight.shape}".encode())
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def common_card(name: str, task: str) -> dict[str, Any]:
    """Return what every card says."""
    return {
        "name": name,
        "task": task,
        "convention": CONVENTION,
        "tensorflow_version": tf.__version__,
        "created": _now(),
    }


def _now() -> str:
    """The time in UTC, or that of SOURCE_DATE_EPOCH, for exports that can be repeated."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.now(UTC) if epoch is None else datetime.fromtimestamp(int(epoch), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def card_json(content: dict[str, Any]) -> str:
    """Return a card as text."""
    return json.dumps(content, allow_nan=False)
