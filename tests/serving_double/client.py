"""A client on the official stubs."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving_double.faults import Fault
from tests.serving_double.server import ServingDouble

Answer = dict[str, np.ndarray]

# More than any answer takes, however slow the machine that runs the tests is.
_TIMEOUT_SECONDS = 120.0


class Client:
    """Asks a double.

    Args:
        address: `host:port`.
        double: the server itself.
    """

    def __init__(self, address: str, double: ServingDouble) -> None:
        self.address = address
        self.double = double
        self._channel = grpc.insecure_channel(
            address, [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        )
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)
        self._threads = ThreadPoolExecutor(64)

    def close(self) -> None:
        """Let go of the connection."""
        self._threads.shutdown()
        self._channel.close()

    def ask(self, inputs: Answer, timeout: float = _TIMEOUT_SECONDS, **request: Any) -> Any:
        """Return the whole response of Predict; see `predict_request`."""
        return self._prediction.Predict(predict_request(inputs, **request), timeout=timeout)

    def send(self, request: Any, timeout: float = _TIMEOUT_SECONDS) -> Any:
        """Return the response to a PredictRequest."""
        return self._prediction.Predict(request, timeout=timeout)

    def begin(self, inputs: Answer, **request: Any) -> Any:
        """Return a call in flight, which may be cancelled."""
        return self._prediction.Predict.future(
            predict_request(inputs, **request), timeout=_TIMEOUT_SECONDS
        )

    def is_answered(self, inputs: Answer, **request: Any) -> bool:
        """Tell whether a call ends in OK."""
        return self.begin(inputs, **request).code() == grpc.StatusCode.OK

    def fault(self, kind: str, **fault: Any) -> None:
        """Make something go wrong."""
        self.double.faults.add(Fault(kind, **fault))

    def predict(self, inputs: Answer, **request: Any) -> Answer:
        """Return the arrays of Predict."""
        outputs = self.ask(inputs, **request).outputs
        return {name: tf.make_ndarray(proto) for name, proto in outputs.items()}

    def predict_together(self, requests: Sequence[Answer], **request: Any) -> list[Future[Answer]]:
        """Return what comes of several calls at once."""
        return [self._threads.submit(self.predict, inputs, **request) for inputs in requests]

    def states(self, **spec: Any) -> dict[int, str]:
        """Return the states of versions, in the order of the answer."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=model_spec(**spec))
        names = get_model_status_pb2.ModelVersionStatus.State
        return {
            status.version: names.Name(status.state)
            for status in self._models.GetModelStatus(
                request, timeout=_TIMEOUT_SECONDS
            ).model_version_status
        }

    def status(self, **spec: Any) -> Any:
        """Return the answer of GetModelStatus."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=model_spec(**spec))
        return self._models.GetModelStatus(request, timeout=_TIMEOUT_SECONDS)

    def signatures(self, fields: Sequence[str] = ("signature_def",), **spec: Any) -> Any:
        """Return the signatures that GetModelMetadata tells."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=model_spec(**spec), metadata_field=fields
        )
        response = self._prediction.GetModelMetadata(request, timeout=_TIMEOUT_SECONDS)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        assert response.metadata["signature_def"].Unpack(signatures)
        return signatures.signature_def

    def reload(self, folder: str, labels: dict[str, int], name: str = "tiny") -> Any:
        """Return the answer of HandleReloadConfigRequest: one servable, all its versions."""
        request = model_management_pb2.ReloadConfigRequest()
        entry = request.config.model_config_list.config.add(name=name, base_path=folder)
        entry.model_version_policy.all.SetInParent()
        entry.version_labels.update(labels)
        return self._models.HandleReloadConfigRequest(request, timeout=_TIMEOUT_SECONDS)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds; a test that waits in vain is ended by its timeout."""
    while not holds():
        time.sleep(0.01)


def model_spec(
    name: str = "tiny", version: int | None = None, label: str = "", signature: str = ""
) -> Any:
    """Return a ModelSpec."""
    spec = predict_pb2.PredictRequest().model_spec
    spec.name, spec.signature_name = name, signature
    if version is not None:
        spec.version.value = version
    if label:
        spec.version_label = label
    return spec


def predict_request(inputs: Answer, outputs: Sequence[str] = (), **spec: Any) -> Any:
    """Return a PredictRequest with arrays."""
    request = predict_pb2.PredictRequest(model_spec=model_spec(**spec), output_filter=outputs)
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array, shape=array.shape))
    return request
