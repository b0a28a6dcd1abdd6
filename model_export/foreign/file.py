"""A `.keras` file of somebody's own, opened; what stands in the way is said in plain words."""

import importlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import keras

import stn  # noqa: F401  (registers the layers that files name)
from model_export.foreign.faults import refusing_faults
from model_export.naming import named_afresh


def import_layers(modules: Sequence[str]) -> None:
    """Import modules that register layers with Keras; they may lie in the current folder.

    Raises:
        ValueError: one cannot be found, or does not run.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    for module in modules:
        with refusing_faults(f"--import {module} fails"):
            importlib.import_module(module)


def load_keras(path: Path) -> keras.Model:
    """Load what `model.save()` wrote, with its input and output in sight.

    Args:
        path: of the file. Layers of its own must have been registered with Keras.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no Keras model, names layers that are not known, or hides its input.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file; --keras needs what model.save() wrote")
    try:
        model = named_afresh(lambda: keras.models.load_model(path, compile=False))
    except Exception as error:  # a file, and layers of others, may raise anything
        raise ValueError(_why_not(path, str(error))) from error
    if not isinstance(model, keras.Model):
        raise ValueError(f"{path} holds a {type(model).__name__}, not a model")
    try:
        inputs = model.inputs
    except (AttributeError, ValueError):
        inputs = None
    if not inputs:
        raise ValueError(
            f"{path} holds a {type(model).__name__} that does not show its input and output: it is "
            "written as a class, or was never built. Save it within a functional model: images = "
            "keras.Input((height, width, channels)); keras.Model(images, model(images)).save(...)"
        )
    return model


def _why_not(path: Path, message: str) -> str:
    """Return the heart of what Keras says, which comes with whole configurations."""
    if unknown := re.search(r"Could not locate (?:class|function) '(\w+)'", message):
        return (
            f"{path} holds {unknown[1]!r}, which Keras does not know. Decorate it with "
            "@keras.saving.register_keras_serializable(), and name its module: --import MODULE"
        )
    reason = message.split("Exception encountered:")[-1].strip().splitlines() or ["no reason given"]
    return f"{path} is not a Keras model that can be read: {reason[0]}"
