"""A model server, asked and steered over gRPC with its official messages."""

from collections.abc import Mapping
from typing import Any, cast

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    ModelVersionStatus,
)
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from model_export.undo import PromotionError

# A first request may compile kernels, and a reload wait for a poll of the folders.
_TIMEOUT_SECONDS = 30.0


class UnreachableError(PromotionError):
    """No answer came from the model server."""


class ModelServer:
    """A TensorFlow Serving; `close()` it.

    Its methods raise `PromotionError` for what the server refuses, and `UnreachableError` when no
    answer comes.

    Args:
        address: `host:port` of its gRPC port.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.insecure_channel(
            address,
            [
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                # A server that restarts is found again within the second.
                ("grpc.initial_reconnect_backoff_ms", 200),
                ("grpc.max_reconnect_backoff_ms", 1000),
            ],
        )
        self._models = ModelServiceStub(self._channel)
        self._predictions = PredictionServiceStub(self._channel)

    def states(self, servable: str) -> dict[int, tuple[str, str]]:
        """Return state and error message of each version, none when the servable is unknown."""
        request = GetModelStatusRequest(model_spec=ModelSpec(name=servable))
        try:
            answer = self._models.GetModelStatus(request, timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            if _code(error) == grpc.StatusCode.NOT_FOUND:
                return {}
            raise self._failed("GetModelStatus", error) from error
        return {
            status.version: (
                ModelVersionStatus.State.Name(status.state),
                status.status.error_message,
            )
            for status in answer.model_version_status
        }

    def signatures(self, servable: str, version: int) -> Mapping[str, Any]:
        """Return the SignatureDefs of a version by name."""
        answer = self._metadata(_spec(servable, version))
        signatures = SignatureDefMap()
        answer.metadata["signature_def"].Unpack(signatures)
        return dict(signatures.signature_def)

    def labelled(self, servable: str, label: str) -> int:
        """Return the version that answers to a label."""
        answer = self._metadata(ModelSpec(name=servable, version_label=label))
        return int(answer.model_spec.version.value)

    def predict(
        self, request: PredictRequest, servable: str, version: int
    ) -> dict[str, np.ndarray]:
        """Send a request to a version, whatever version it names; arrays by name come back."""
        addressed = PredictRequest()
        addressed.CopyFrom(request)
        addressed.model_spec.name = servable
        addressed.model_spec.version.value = version
        try:
            answer = self._predictions.Predict(addressed, timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            raise self._failed("Predict", error) from error
        if answer.model_spec.version.value != version:
            raise PromotionError(
                f"{self.address}: version {answer.model_spec.version.value} of {servable} answered "
                f"for version {version}"
            )
        try:
            return {name: tf.make_ndarray(tensor) for name, tensor in answer.outputs.items()}
        except (TypeError, ValueError) as error:
            raise PromotionError(f"{self.address}: an answer cannot be read: {error}") from error

    def reload(self, config: ModelServerConfig) -> None:
        """Let the server take another configuration. It answers OK to much: check what it did."""
        request = ReloadConfigRequest(config=config)
        try:
            answer = self._models.HandleReloadConfigRequest(request, timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            raise self._failed("HandleReloadConfigRequest", error) from error
        if answer.status.error_code:
            raise PromotionError(
                f"{self.address} refuses its new configuration: {answer.status.error_message}"
            )

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _metadata(self, spec: ModelSpec) -> Any:
        request = GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        try:
            return self._predictions.GetModelMetadata(request, timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            raise self._failed("GetModelMetadata", error) from error

    def _failed(self, method: str, error: grpc.RpcError) -> PromotionError:
        code = _code(error)
        gone = code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        kind = UnreachableError if gone else PromotionError
        details = cast(grpc.Call, error).details()
        return kind(f"{self.address}: {method} fails with {code.name}: {details}")


def _code(error: grpc.RpcError) -> grpc.StatusCode:
    # What the stubs raise is a call too, which the types do not say.
    return cast(grpc.Call, error).code()


def _spec(servable: str, version: int) -> ModelSpec:
    spec = ModelSpec(name=servable)
    spec.version.value = version
    return spec
