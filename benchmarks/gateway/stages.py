"""Where the time of a request goes: each stage by itself, on one thread."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.serving.picture import read_picture
from benchmarks.warp.clock import race
from service import wire
from service.answers import prediction_answer
from service.backend import Call
from service.calls import GuardedCalls
from service.catalogue import Catalogue
from service.context import RequestContext, read_context
from service.contract import PROBABILITY_OUTPUTS, Classifier, check_prediction
from service.embedded import EmbeddedBackend
from service.geometry import UNFITTED
from service.http import json_answer
from service.images import decode_for_model, open_image
from service.inference import Prediction
from service.submission import read_submission
from service.telemetry.access_log import AccessLog
from service.telemetry.metrics import Metrics

# As many as gather under load; what a call costs is shared by them.
BATCH = 16
_HEADERS = [
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"curl/8.5.0"),
    (b"accept", b"*/*"),
    (b"content-type", b"image/png"),
    (b"content-length", b"300"),
]


async def measure(models: Path, rounds: int) -> dict[str, float]:
    """Return the median CPU microseconds that each stage takes of one picture.

    Args:
        models: folder of the SavedModels.
        rounds: turns of each.
    """
    backend = EmbeddedBackend(models, ("stn", "warp"))
    await backend.start()
    calls = GuardedCalls(backend.run, ("stn", "warp"))
    catalogue = Catalogue(backend, "stn", "warp", 3600, calls)
    await catalogue.refresh()
    model = catalogue.classifier.latest()
    assert model is not None
    content = read_picture()
    pixels = decode_for_model(open_image(content, 10**8), model.input).pixels
    call = _call(model, [pixels] * BATCH)
    outputs = await backend.run(call, 0.0)
    stages = {
        **_single(model, content, outputs, read_context(_HEADERS, 10_000, 10_000)),
        **_shared(model, pixels, call, outputs),
    }
    times = race({name: work for name, (work, _) in stages.items()}, rounds)
    shares = {name: share for name, (_, share) in stages.items()}
    await backend.close()
    return {name: 1e3 * milliseconds / shares[name] for name, milliseconds in times.items()}


Stages = dict[str, tuple[Callable[[], object], int]]


def _single(model: Classifier, content: bytes, outputs: Any, context: RequestContext) -> Stages:
    """Return the stages that each picture goes through by itself."""
    prediction = Prediction(model, outputs["probabilities"][0], outputs["theta"][0], None, UNFITTED)
    context.route, context.status, context.model_version = "/predict", 200, model.version
    for stage in ("decode", "queue", "model", "encode"):
        context.spent(stage, 0.001)
    context.pixels, context.bytes_received = [1], 1
    metrics, log = Metrics(), AccessLog()
    answer = prediction_answer(prediction, None)
    scope = {"method": "POST", "path": "/predict", "client": ("127.0.0.1", 1)}
    return {
        "read its context": (lambda: read_context(_HEADERS, 10_000, 10_000), 1),
        "read the body": (lambda: read_submission("image/png", content), 1),
        "open and decode": (lambda: decode_for_model(open_image(content, 10**8), model.input), 1),
        "Pillow alone": (lambda: _pillow(content), 1),
        "make the answer": (lambda: prediction_answer(prediction, None), 1),
        "encode it": (lambda: json_answer(answer), 1),
        "count it": (
            lambda: [tell(scope, context) for tell in (metrics.started, metrics.finished)],
            1,
        ),
        "write its log line": (lambda: log.finished(scope, context), 1),
    }


def _shared(model: Classifier, pixels: np.ndarray, call: Call, outputs: Any) -> Stages:
    """Return the stages that a batch goes through together."""
    answer = wire.PredictResponse(
        outputs={name: wire.encode_tensor(value) for name, value in outputs.items()}
    ).SerializeToString()
    return {
        "stack the batch": (lambda: np.stack([pixels] * BATCH), BATCH),
        "check the model's answer": (
            lambda: check_prediction(model, outputs, PROBABILITY_OUTPUTS, BATCH),
            BATCH,
        ),
        "gRPC: serialise": (lambda: _request(call).SerializeToString(), BATCH),
        "gRPC: deserialise": (lambda: _read(answer), BATCH),
    }


def _call(model: Classifier, pictures: Sequence[np.ndarray]) -> Call:
    images = np.stack(pictures)
    return Call(model.servable, model.version, "predict", {"images": images}, PROBABILITY_OUTPUTS)


def _request(call: Call) -> wire.PredictRequest:
    return wire.PredictRequest(
        model_spec=wire.ModelSpec(name=call.servable, signature_name=call.signature),
        inputs={name: wire.encode_tensor(value) for name, value in call.inputs.items()},
        output_filter=call.outputs,
    )


def _read(content: bytes) -> dict[str, np.ndarray]:
    answer = wire.parse(wire.PredictResponse, content)
    return {
        name: wire.decode_tensor(tensor, wire.MAX_ELEMENTS, name)
        for name, tensor in answer.outputs.items()
    }


def _pillow(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("L"))
