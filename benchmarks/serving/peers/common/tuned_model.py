"""The model and the picture as fast as we know how: a Session, one thread, no copies."""

import base64
import gc
import io
import os
import zlib

import numpy as np
import orjson
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf.config_pb2 import CallableOptions

WANTED = ("probabilities", "theta")


class TunedModel:
    """The SavedModel in a Session of TensorFlow 1, past `Session.run`'s Python."""

    def __init__(self) -> None:
        graph = tf.Graph()
        with graph.as_default():
            self._session = tf.compat.v1.Session(
                graph=graph,
                config=tf.compat.v1.ConfigProto(
                    intra_op_parallelism_threads=1, inter_op_parallelism_threads=-1
                ),
            )
            loaded = tf.compat.v1.saved_model.load(
                self._session, ["serve"], os.environ["BENCH_MODEL"]
            )
        describe = loaded.signature_def["describe"].outputs["labels"].name
        self.labels = [label.decode() for label in self._session.run(describe)]
        signature = loaded.signature_def["serving_default"]
        images = signature.inputs["images"]
        self.height, self.width = (side.size for side in images.tensor_shape.dim[1:3])
        self._calls = {
            names: self._session._make_callable_from_options(
                CallableOptions(
                    feed=[images.name], fetch=[signature.outputs[name].name for name in names]
                )
            )
            for names in (WANTED, (*WANTED, "warped"))
        }
        for rows in (1, 2, 4, 8, 16, 32):
            for with_warped in (False, True):
                self.predict(np.zeros((rows, self.height, self.width, 1), np.uint8), with_warped)
        # TensorFlow's heap is large and permanent: the collector need not walk it.
        gc.collect()
        gc.freeze()

    def read_picture(self, content: bytes) -> np.ndarray:
        """Return uint8 `(height, width, 1)`; nothing is converted that is right already."""
        picture = Image.open(io.BytesIO(content), formats=("PNG",))
        if picture.mode != "L":
            picture = picture.convert("L")
        if picture.size != (self.width, self.height):
            picture = picture.resize((self.width, self.height))
        return np.asarray(picture)[..., np.newaxis]

    def predict(self, images: np.ndarray, with_warped: bool) -> list[np.ndarray]:
        """Run a batch; return probabilities, theta and, if wanted, the warped images."""
        return self._calls[(*WANTED, "warped") if with_warped else WANTED](images)

    def answer(self, row: list[np.ndarray]) -> dict:
        """Return what orjson can take of one row, with the warped image as PNG in base64."""
        told = {
            "label": self.labels[int(row[0].argmax())],
            "probabilities": row[0],
            "theta": row[1],
        }
        if len(row) > 2:
            told["warped"] = base64.b64encode(png(row[2])).decode()
        return told

    def answer_bytes(self, row: list[np.ndarray]) -> bytes:
        """Return one row as JSON."""
        return orjson.dumps(self.answer(row), option=orjson.OPT_SERIALIZE_NUMPY)

    def answer_numbers(self, row: list[np.ndarray]) -> dict:
        """Return one row as plain Python, for servers that write the JSON themselves."""
        told = self.answer(row)
        return {**told, "probabilities": row[0].tolist(), "theta": row[1].tolist()}


def png(warped: np.ndarray) -> bytes:
    """Encode float32 `(height, width, 1)` in [0, 1]."""
    pixels = (warped[..., 0] * 255 + 0.5).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels, "L").save(file, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return file.getvalue()
