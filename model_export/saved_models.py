"""The two servables as SavedModels: their signatures, written to a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_export.canonical import make_canonical
from model_export.rows import rows_alike
from model_export.warp_graph import INTERPOLATIONS, PADDINGS, warp_images

Endpoint = Callable[..., dict[str, tf.Tensor]]

WARP_TYPES = {"warp": tf.float32, "warp_uint8": tf.uint8}


def save_classifier(model: Any, labels: list[str], card: str, folder: Path) -> None:
    """Write the `stn` servable: `predict`, which is also `serving_default`, and `describe`.

    A server that batches this servable refuses what has no rows, and so `describe`, which has no
    input: it is asked `describe_batched`, which takes rows of anything and describes each.

    Args:
        model: see `subject.ServedModel`.
        labels: the names of the classes.
        card: the model card, JSON.
        folder: where to write; it must not exist, or be empty.
    """
    height, width, channels = model.input_shape[1:]

    def predict(images: tf.Tensor) -> dict[str, tf.Tensor]:
        # TensorFlow Serving enforces no shapes, and a wrong rank in a convolution can abort it.
        images = tf.ensure_shape(images, [None, height, width, channels])
        return predict_outputs(model, images)

    images = tf.TensorSpec([None, height, width, channels], tf.uint8, "images")
    rows = tf.TensorSpec([None], tf.uint8, "rows")
    description = {"labels": labels, "card": card}
    signatures = {
        "predict": _traced(predict, images),
        "describe": _traced(_describe(description)),
        "describe_batched": _traced(_describe_batched(description), rows),
    }
    signatures["serving_default"] = signatures["predict"]
    # A tf.Module that holds a Keras model loads, turns AVAILABLE, and fails at the first request:
    # its variables are not found. One that holds the variables themselves is whole. Their order
    # is that of the graph, whose own set of them has none.
    servable = tf.Module()
    graph = signatures["predict"].graph
    place = {id(handle): number for number, (handle, _) in enumerate(graph.captures)}
    servable.weights = sorted(graph.variables, key=lambda variable: place[id(variable.handle)])
    _save(servable, signatures, folder)


def predict_outputs(model: Any, images: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return what `predict` answers: probabilities, theta and the warped image, all float32.

    Args:
        model: see `subject.ServedModel`; it may be one of mixed precision.
        images: uint8 `(batch, height, width, channels)`.
    """
    with rows_alike(model):
        outputs = model(tf.cast(images, tf.float32) / 255, training=False)
    outputs = {name: tf.cast(values, tf.float32) for name, values in outputs.items()}
    return {
        "probabilities": tf.nn.softmax(outputs["logits"]),
        "theta": outputs["theta"],
        "warped": outputs["warped"],
    }


def save_warp(card: str, folder: Path) -> None:
    """Write the `warp` servable: a signature for each type, padding and interpolation.

    `warp` and `warp_uint8` are bilinear with zeros; `warp_border_nearest` and the others say what
    they are; `describe` gives the card.

    Args:
        card: JSON.
        folder: where to write; it must not exist, or be empty.
    """
    signatures = {}
    for name, dtype in WARP_TYPES.items():
        for padding in PADDINGS:
            for interpolation in INTERPOLATIONS:
                function = _warp(dtype, padding, interpolation)
                signatures[f"{name}_{padding}_{interpolation}"] = function
        signatures[name] = signatures[f"{name}_zeros_bilinear"]
    signatures["describe"] = _traced(_describe({"card": card}))
    _save(tf.Module(), signatures, folder)


def _warp(dtype: tf.DType, padding: str, interpolation: str) -> Any:
    def warp(images: tf.Tensor, theta: tf.Tensor, output_size: tf.Tensor) -> dict[str, tf.Tensor]:
        images = tf.ensure_shape(images, [None, None, None, None])
        theta = tf.ensure_shape(theta, [None, 6])
        output_size = tf.ensure_shape(output_size, [2])
        return {"warped": warp_images(images, theta, output_size, padding, interpolation)}

    return _traced(
        warp,
        tf.TensorSpec([None, None, None, None], dtype, "images"),
        tf.TensorSpec([None, 6], tf.float32, "theta"),
        tf.TensorSpec([2], tf.int32, "output_size"),
    )


def _describe(content: dict[str, Any]) -> Endpoint:
    return lambda: {name: tf.constant(value) for name, value in content.items()}


def _describe_batched(content: dict[str, Any]) -> Endpoint:
    def describe_batched(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        num_rows = tf.shape(rows)[:1]
        return {
            name: tf.repeat(tf.constant(value)[tf.newaxis], num_rows, axis=0)
            for name, value in content.items()
        }

    return describe_batched


def _traced(function: Endpoint, *inputs: tf.TensorSpec) -> Any:
    return tf.function(function, autograph=False, input_signature=inputs).get_concrete_function()


def _save(servable: tf.Module, signatures: dict[str, Any], folder: Path) -> None:
    tf.saved_model.save(servable, folder, signatures=signatures, options=_options())
    # Version control keeps no empty folders: what is exported should be what is checked out.
    (folder / "assets").rmdir()
    make_canonical(folder)


def _options() -> tf.saved_model.SaveOptions:
    # Nobody trains what is served; and the gradients of a warp are compiled by XLA, which model
    # servers have switched off.
    return tf.saved_model.SaveOptions(
        experimental_debug_stripper=True, experimental_custom_gradients=False
    )
