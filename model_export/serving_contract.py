"""What the gateway needs of a version, checked on the signatures and the card that it shows."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from model_export.card import CLASSIFIER_KEYS, WARP_KEYS
from model_export.config import POLARITIES
from model_export.saved_models import WARP_TYPES
from model_export.undo import PromotionError
from model_export.warp_graph import INTERPOLATIONS, PADDINGS
from stn import get_transform

# A tensor by name: its type, and its shape with None for what may be any fixed size.
Tensors = Mapping[str, tuple[tf.DType, tuple[int | None, ...]]]
Ask = Callable[..., Mapping[str, np.ndarray]]

_PREDICT_INPUTS: Tensors = {"images": (tf.uint8, (-1, None, None, None))}
_PREDICT_OUTPUTS: Tensors = {
    "probabilities": (tf.float32, (-1, None)),
    "theta": (tf.float32, (-1, None)),
    "warped": (tf.float32, (-1, None, None, None)),
}


def check_contract(signatures: Mapping[str, Any], ask: Ask) -> None:
    """Check that a version is a classifier or a warp as the gateway needs it.

    Args:
        signatures: SignatureDefs by name.
        ask: calls a signature of the version: its name, then arrays by name.

    Raises:
        PromotionError: something differs; the sentence says what.
    """
    # A server that batches has no answer to a signature without inputs.
    if "describe_batched" in signatures:
        batched = ask("describe_batched", rows=np.zeros(1, np.uint8))
        described = {name: values[0] for name, values in batched.items()}
    elif "describe" in signatures:
        described = dict(ask("describe"))
    else:
        raise PromotionError(f"it has no signature 'describe', only {_names(signatures)}")
    card = _card(described)
    if card.get("task") == "classification":
        _check_classifier(signatures, described, card)
    elif card.get("task") == "warp":
        _check_warp(signatures, card)
    else:
        raise PromotionError(
            f"the card's task must be 'classification' or 'warp'; it is {card.get('task')!r}"
        )


def _check_classifier(
    signatures: Mapping[str, Any], described: Mapping[str, np.ndarray], card: dict[str, Any]
) -> None:
    _check_signature(signatures, "predict", _PREDICT_INPUTS, _PREDICT_OUTPUTS)
    if missing := CLASSIFIER_KEYS - set(card):
        raise PromotionError(f"the card lacks {', '.join(sorted(missing))}")
    classes = _shape(signatures["predict"].outputs["probabilities"])[1]
    labels = np.shape(described.get("labels", ()))
    if labels != (classes,):
        raise PromotionError(
            f"'describe' must give {classes} labels, one for each class; got shape {labels}"
        )
    _check_facts(signatures["predict"], card)


def _check_facts(predict: Any, card: dict[str, Any]) -> None:
    """Refuse a card that says otherwise than the signature, and one that no gateway could use."""
    _, height, width, channels = _shape(predict.inputs["images"])
    _, *output_size, seen_channels = _shape(predict.outputs["warped"])
    if seen_channels != channels:
        raise PromotionError(f"'warped' has {seen_channels} channels and 'images' has {channels}")
    needed = {
        "input": {"height": height, "width": width, "channels": channels},
        "output_size": dict(zip(("height", "width"), output_size, strict=True)),
    }
    for key, sizes in needed.items():
        said = card[key]
        if not isinstance(said, dict) or not sizes.items() <= said.items():
            raise PromotionError(f"the card's {key} is {said}; that of 'predict' is {sizes}")
    polarity = card["input"].get("polarity")
    if polarity not in POLARITIES:
        raise PromotionError(
            f"the card's polarity must be one of {', '.join(POLARITIES)}; it is {polarity!r}"
        )
    try:
        numbers = get_transform(card["transform"]).num_parameters
    except (TypeError, ValueError) as error:
        raise PromotionError(f"the card's transform: {error}") from error
    (theta,) = _shape(predict.outputs["theta"])[1:]
    if numbers != theta:
        raise PromotionError(
            f"theta of the card's transform, {card['transform']!r}, has {numbers} numbers; that of "
            f"'predict' has {theta}"
        )


def _check_warp(signatures: Mapping[str, Any], card: dict[str, Any]) -> None:
    if missing := WARP_KEYS - set(card):
        raise PromotionError(f"the card lacks {', '.join(sorted(missing))}")
    for name, dtype in WARP_TYPES.items():
        images = (dtype, (-1, -1, -1, -1))
        inputs = {"images": images, "theta": (tf.float32, (-1, 6)), "output_size": (tf.int32, (2,))}
        for padding in PADDINGS:
            for interpolation in INTERPOLATIONS:
                signature = f"{name}_{padding}_{interpolation}"
                _check_signature(signatures, signature, inputs, {"warped": images})


def _check_signature(
    signatures: Mapping[str, Any], name: str, inputs: Tensors, outputs: Tensors
) -> None:
    if name not in signatures:
        raise PromotionError(f"it has no signature {name!r}, only {_names(signatures)}")
    definition = signatures[name]
    if set(definition.inputs) != set(inputs):
        raise PromotionError(
            f"{name!r} must take {_names(inputs)}; it takes {_names(definition.inputs)}"
        )
    for found, needed in ((definition.inputs, inputs), (definition.outputs, outputs)):
        for tensor, (dtype, shape) in needed.items():
            if tensor not in found:
                raise PromotionError(f"{name!r} has no {tensor!r}, only {_names(found)}")
            _check_tensor(f"{tensor!r} of {name!r}", found[tensor], dtype, shape)


def _check_tensor(what: str, found: Any, dtype: tf.DType, shape: tuple[int | None, ...]) -> None:
    sizes = _shape(found)
    fits = len(sizes) == len(shape) and all(
        size > 0 if needed is None else size == needed
        for size, needed in zip(sizes, shape, strict=True)
    )
    if found.dtype != dtype.as_datatype_enum or not fits:
        raise PromotionError(
            f"{what} must be {dtype.name} {_written(shape)}; "
            f"it is {tf.as_dtype(found.dtype).name} {_written(sizes)}"
        )


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(dimension.size for dimension in tensor.tensor_shape.dim)


def _written(shape: tuple[int | None, ...]) -> str:
    sizes = ["fixed" if size is None else "any" if size == -1 else str(size) for size in shape]
    return f"({', '.join(sizes)})"


def _names(things: Mapping[str, Any]) -> str:
    return ", ".join(sorted(things)) or "none"


def _card(described: Mapping[str, np.ndarray]) -> dict[str, Any]:
    try:
        card = json.loads(np.asarray(described.get("card", b"")).item())
    except ValueError:
        card = None
    if not isinstance(card, dict):
        raise PromotionError("its card is not a JSON object")
    return card
