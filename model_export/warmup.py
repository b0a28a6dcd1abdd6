"""The warm-up file: requests that a model server sends to a version before it calls it AVAILABLE.

A request that fails there fails the load of the version, so that the file is a test of it as well.
https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

from model_export.batching import ALLOWED_BATCH_SIZES
from model_export.data import load_sample
from model_export.distortion import fixed_set
from model_export.saved_models import WARP_TYPES
from model_export.session_model import SessionModel
from model_export.warp_graph import INTERPOLATIONS, PADDINGS

# A server that batches keeps a queue for each set of outputs: callers keep to these two.
OUTPUT_SETS = (("probabilities", "theta"), ("probabilities", "theta", "warped"))

_NUM_DIGITS = 8
_FILE = Path("assets.extra") / "tf_serving_warmup_requests"


def classifier_requests(name: str, samples: np.ndarray | None = None) -> list[PredictRequest]:
    """Return requests for each allowed batch size and each set of outputs.

    Args:
        name: of the servable.
        samples: uint8 `(num, height, width, channels)`; distorted digits when left out.
    """
    if samples is None:
        samples = fixed_set(load_sample().test_images[:_NUM_DIGITS])[0][..., np.newaxis]
    requests = []
    for outputs in OUTPUT_SETS:
        for size in ALLOWED_BATCH_SIZES:
            images = np.resize(samples, (size, *samples.shape[1:]))
            requests.append(predict_request(name, "predict", {"images": images}, outputs))
    return requests


def warp_requests() -> list[PredictRequest]:
    """Return one request for each signature, so small and round that every answer is exact.

    The image moves by a quarter of a pixel, and its values are multiples of 16: no coordinate and
    no sum needs rounding, on whatever device.
    """
    pixels = 16 * np.arange(15).reshape(1, 3, 5, 1)[:, :, ::-1] % 255
    theta = np.array([[1, 0, 0.125, 0, 1, 0.25]], np.float32)
    size = np.array([3, 5], np.int32)
    endings = ["", *(f"_{p}_{i}" for p in PADDINGS for i in INTERPOLATIONS)]
    return [
        predict_request(
            "warp",
            name + ending,
            {"images": pixels.astype(dtype.as_numpy_dtype), "theta": theta, "output_size": size},
            ("warped",),
        )
        for name, dtype in WARP_TYPES.items()
        for ending in endings
    ]


def predict_request(
    name: str, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] = ()
) -> PredictRequest:
    """Return a request with arrays by name, for some outputs of a signature, or for all."""
    request = PredictRequest(output_filter=outputs)
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request


def write_warmup(folder: Path, requests: Iterable[PredictRequest]) -> None:
    """Write the warm-up file of a version folder; the same requests give the same bytes."""
    path = folder / _FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            log = PredictionLog(predict_log=PredictLog(request=request))
            writer.write(log.SerializeToString(deterministic=True))


def read_warmup(folder: Path) -> list[PredictRequest]:
    """Return the requests in the warm-up file of a version folder.

    Raises:
        FileNotFoundError: it has none.
        ValueError: it is damaged, or holds no requests.
    """
    path = folder / _FILE
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no warm-up file ({_FILE}); export it again")
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    try:
        requests = [PredictionLog.FromString(record).predict_log.request for record in records]
    except (tf.errors.DataLossError, DecodeError) as error:
        raise ValueError(f"{path} is damaged; export it again") from error
    if not requests:
        raise ValueError(f"{path} holds no requests; export it again")
    return requests


def replay(requests: Sequence[PredictRequest], model: SessionModel) -> list[dict[str, np.ndarray]]:
    """Answer requests as a model server would: for each, the arrays that it asks for.

    Raises:
        KeyError: the model has no such signature, input or output.
        tf.errors.OpError: it cannot answer.
    """
    answers = []
    for request in requests:
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        outputs = model.run(request.model_spec.signature_name, **inputs)
        answers.append({name: outputs[name] for name in request.output_filter or sorted(outputs)})
    return answers
