"""Weights to start a training from: those of a run, or of an exported version."""

import re
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from model_export.card import weights_digest
from model_export.predictors import WEIGHTS, load_weights, newest_version


def start_from(model: keras.Model, folder: Path) -> str:
    """Give a classifier the weights of another one of the same layers.

    Args:
        model: that is to be trained.
        folder: a run folder, a version folder, or a servable's folder, of which the newest version.

    Returns:
        What to say of them: the run's or version's name, and the digest of the weights.

    Raises:
        FileNotFoundError: it is none of these.
        ValueError: it holds another kind of classifier.
    """
    folder = folder if (folder / WEIGHTS).is_file() else newest_version(folder)
    named = _named_weights(folder)
    wanted = sorted(model.weights, key=lambda weight: _natural(weight.path))
    shapes = [tuple(weight.shape) for weight in wanted]
    if (found := [values.shape for values in named]) != shapes:
        raise ValueError(
            f"{folder} holds another kind of classifier: its weights have shapes {found}, and "
            f"{shapes} are needed"
        )
    for weight, values in zip(wanted, named, strict=True):
        weight.assign(values)
    return f"{folder.resolve().parent.name}/{folder.name}, weights {weights_digest(model)}"


def _named_weights(folder: Path) -> list[np.ndarray]:
    """Return the weights in the natural order of their names."""
    if (folder / WEIGHTS).is_file():
        named = {weight.path: weight.numpy() for weight in load_weights(folder).weights}
    else:
        loaded = tf.saved_model.load(str(folder))
        variables = loaded.signatures["predict"].variables
        named = {variable.name: variable.numpy() for variable in variables}
    return [named[name] for name in sorted(named, key=_natural)]


def _natural(name: str) -> list[tuple[str, int]]:
    """Sort `conv2d`, `conv2d_9` and `conv2d_10` in this order, whatever the first one's number.

    Keras numbers layers through a whole process, so only their order can be compared.
    """
    name = re.sub(r"^spatial_transformer/", "", name.partition(":")[0])
    parts = [re.fullmatch(r"(.*?)(?:_(\d+))?", part) for part in name.split("/")]
    return [(match[1], int(match[2] or 0)) for match in parts if match]
