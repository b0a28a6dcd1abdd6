"""One way to ask a classifier, whether it lies in a run folder or is exported."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from model_export.distortion import CANVAS
from model_export.naming import named_afresh
from model_export.saved_models import predict_outputs
from model_export.session_model import SessionModel

# From uint8 (num, height, width), or with channels, to probabilities, theta and warped by name.
Predictor = Callable[[np.ndarray], dict[str, np.ndarray]]

WEIGHTS = "model.keras"
# In one batch. Large pictures take memory in every layer.
_MOST_PICTURES, _MOST_PIXELS = 500, 2**20


def keras_predictor(model: Any) -> Predictor:
    """Ask a Keras classifier, in batches."""

    @tf.function
    def forward(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return predict_outputs(model, images)

    return _in_batches(lambda images: {k: v.numpy() for k, v in forward(images).items()})


def session_predictor(model: SessionModel) -> Predictor:
    """Ask an exported classifier, in batches."""
    return _in_batches(lambda images: model.run("predict", images=images))


def load_weights(run_folder: Path) -> keras.Model:
    """Load the digit classifier of a run folder.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no Keras model, or has other inputs and outputs than a classifier of ours.
    """
    model = load_classifier(run_folder)
    if model.input_shape[1:] != (CANVAS, CANVAS, 1):
        raise ValueError(
            f"{run_folder / WEIGHTS} must map ({CANVAS}, {CANVAS}, 1) to logits, theta and warped; "
            f"it maps {model.input_shape[1:]} to them"
        )
    return model


def load_classifier(run_folder: Path) -> keras.Model:
    """Load the classifier of a run folder, whatever it takes.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no Keras model, or has other inputs and outputs than a classifier of ours.
    """
    import stn  # noqa: F401  (registers the layers that the file names)

    path = weights_path(run_folder)
    try:
        model = named_afresh(lambda: keras.models.load_model(path, compile=False))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not a Keras model that can be read: {error}") from error
    outputs = set(model.output) if isinstance(model.output, dict) else set()
    if outputs != {"logits", "theta", "warped"}:
        raise ValueError(
            f"{path} must map images to logits, theta and warped; "
            f"it maps {model.input_shape[1:]} to {sorted(outputs) or model.output}"
        )
    return model


def weights_path(run_folder: Path) -> Path:
    """Return the file with the classifier of a run folder.

    Raises:
        FileNotFoundError: there is none.
    """
    path = run_folder / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(
            f"{run_folder} is no run folder: it holds no {WEIGHTS}. 'stn-model train' makes one."
        )
    return path


@contextmanager
def open_predictor(folder: Path) -> Iterator[Predictor]:
    """Open a run folder, a version folder, or a servable's folder, of which the newest version.

    Raises:
        FileNotFoundError: it is none of these.
        ValueError: what it holds is not a classifier of ours.
    """
    if (folder / WEIGHTS).is_file():
        yield keras_predictor(load_weights(folder))
        return
    folder = newest_version(folder)
    with SessionModel(folder) as model:
        _check_signature(model, folder)
        yield session_predictor(model)


def newest_version(folder: Path) -> Path:
    """Return a version folder itself, or of a servable's folder the newest version's.

    Raises:
        FileNotFoundError: it is neither.
    """
    if (folder / "saved_model.pb").is_file():
        return folder
    versions = [p for p in folder.glob("*/saved_model.pb") if p.parent.name.isdecimal()]
    if not versions:
        raise FileNotFoundError(
            f"{folder} is neither a run folder (with {WEIGHTS}) nor an exported model "
            "(with saved_model.pb, or numbered versions that have one)"
        )
    return max(versions, key=lambda path: int(path.parent.name)).parent


def pictures_at_once(height: int, width: int) -> int:
    """Return how many pictures of a size a classifier is asked about in one batch."""
    return max(1, min(_MOST_PICTURES, _MOST_PIXELS // (height * width)))


def _check_signature(model: SessionModel, folder: Path) -> None:
    if "predict" not in model.signatures:
        raise ValueError(
            f"{folder} is no classifier: it has no signature 'predict', only "
            f"{', '.join(sorted(model.signatures))}"
        )
    shape = [d.size for d in model.signatures["predict"].inputs["images"].tensor_shape.dim]
    if shape[1:] != [CANVAS, CANVAS, 1]:
        raise ValueError(
            f"{folder} takes images {shape}, and digits are {[-1, CANVAS, CANVAS, 1]}; name "
            "pictures for it with --images DIR"
        )


def _in_batches(call: Callable[[Any], dict[str, np.ndarray]]) -> Predictor:
    def predict(images: np.ndarray) -> dict[str, np.ndarray]:
        images = images[..., np.newaxis] if images.ndim == 3 else images
        size = pictures_at_once(*images.shape[1:3])
        parts = [call(images[i : i + size]) for i in range(0, len(images), size)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return predict
