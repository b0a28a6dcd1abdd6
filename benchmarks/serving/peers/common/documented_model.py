"""The model and the picture as TensorFlow's and Pillow's own guides handle them."""

import io
import os

import numpy as np
import tensorflow as tf
from PIL import Image

_model = tf.saved_model.load(os.environ["BENCH_MODEL"])
_predict = _model.signatures["serving_default"]
LABELS = [label.decode() for label in _model.signatures["describe"]()["labels"].numpy()]
HEIGHT, WIDTH = _predict.structured_input_signature[1]["images"].shape[1:3]


def read_picture(content: bytes) -> np.ndarray:
    """Return uint8 `(height, width, 1)` of the model's size."""
    return fit_picture(Image.open(io.BytesIO(content)))


def fit_picture(picture: Image.Image) -> np.ndarray:
    """Return a picture that is open already in the model's form."""
    return np.array(picture.convert("L").resize((WIDTH, HEIGHT)))[..., np.newaxis]


def predict(pictures: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Run a batch; return the outputs by name, rows in order."""
    outputs = _predict(images=tf.constant(np.stack(pictures)))
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def answer(outputs: dict[str, np.ndarray], row: int, with_warped: bool) -> dict:
    """Return what JSON can take of one row, numbers as numbers."""
    probabilities = outputs["probabilities"][row]
    told = {
        "label": LABELS[int(probabilities.argmax())],
        "probabilities": probabilities.tolist(),
        "theta": outputs["theta"][row].tolist(),
    }
    if with_warped:
        told["warped"] = outputs["warped"][row].tolist()
    return told
