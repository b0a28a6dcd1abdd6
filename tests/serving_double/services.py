"""The two services of TensorFlow Serving, on the official stubs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving_double import faults as fault_kinds
from tests.serving_double import refusals
from tests.serving_double.calls import CallLog, GivenUp, suffer, wait_until_given_up
from tests.serving_double.configuration import read_config
from tests.serving_double.faults import Fault, FaultBook, Occasion
from tests.serving_double.servables import STATES, Servables, Version
from tests.serving_double.tensors import read_tensor, write_tensor

Context = grpc.ServicerContext


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata.

    Args:
        servables: what to ask.
        faults: what to do wrong.
        calls: where to note what was asked.
        tensor_content: answer raw bytes instead of typed fields.
        abort_on_wrong_rank: end the process when a tensor's rank is not the signature's, as builds
            with oneDNN may; otherwise the graph decides.
    """

    def __init__(
        self,
        servables: Servables,
        faults: FaultBook,
        calls: CallLog,
        tensor_content: bool = False,
        abort_on_wrong_rank: bool = False,
    ) -> None:
        self._servables = servables
        self._faults = faults
        self._calls = calls
        self._tensor_content = tensor_content
        self._abort_on_wrong_rank = abort_on_wrong_rank

    def Predict(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Run a signature."""
        if not request.HasField("model_spec"):
            raise refusals.no_model_spec()
        version = self._servables.version(request.model_spec)
        name = request.model_spec.signature_name or "serving_default"
        assert version.model is not None
        if name not in version.model.signatures:
            raise refusals.no_signature(name)
        signature = version.model.signatures[name]
        feeds = self._read_inputs(request, signature)
        outputs = _wanted(request.output_filter, signature)
        occasion = _occasion(request, name, signature, feeds)
        befallen = self._faults.befall(occasion)
        self._calls.note(occasion, version.number, outputs, context, befallen)
        tensors = [signature.outputs[output].name for output in outputs]
        try:
            suffer(befallen, context)
            if version.batcher is None:
                arrays = version.model.run(feeds, tensors)
            else:
                answer = version.batcher.submit(feeds, tensors)
                wait_until_given_up(context, answer)
                arrays = answer.result()
        except GivenUp:
            given_up = replace(occasion, method="Predict, given up")
            self._calls.note(given_up, version.number, outputs, context)
            raise
        return self._respond(version, name, dict(zip(outputs, arrays, strict=True)), befallen)

    def GetModelMetadata(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Tell the signatures of a version."""
        if not request.HasField("model_spec"):
            raise refusals.no_model_spec()
        if not request.metadata_field:
            raise refusals.no_metadata_field()
        for field in request.metadata_field:
            if field != "signature_def":
                raise refusals.unknown_metadata_field(field)
        version = self._servables.version(request.model_spec)
        assert version.model is not None
        occasion = Occasion("GetModelMetadata", version.name)
        befallen = self._faults.befall(occasion)
        self._calls.note(occasion, version.number, befallen=befallen)
        suffer(befallen, context)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in version.model.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        for fault in befallen:
            _spoil_signatures(signatures, fault)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = version.name
        response.model_spec.version.value = version.number
        response.metadata["signature_def"].Pack(signatures)
        return _unless_unparsable(response, befallen)

    def _read_inputs(self, request: Any, signature: Any) -> dict[str, np.ndarray]:
        """Return arrays by the names of their tensors; shapes are not compared."""
        if len(request.inputs) != len(signature.inputs):
            raise refusals.input_count(request.inputs, signature.inputs)
        feeds = {}
        for alias, proto in request.inputs.items():
            if alias not in signature.inputs:
                raise refusals.unknown_input(alias, signature.inputs)
            info = signature.inputs[alias]
            feeds[info.name] = read_tensor(alias, proto)
            rank = len(info.tensor_shape.dim)
            if self._abort_on_wrong_rank and feeds[info.name].ndim != rank:
                suffer([Fault("die")])
        return feeds

    def _respond(
        self,
        version: Version,
        signature: str,
        outputs: Mapping[str, np.ndarray],
        befallen: Sequence[Fault],
    ) -> Any:
        response = predict_pb2.PredictResponse()
        response.model_spec.name = version.name
        response.model_spec.version.value = version.number
        response.model_spec.signature_name = signature
        for output, array in outputs.items():
            spoilt = fault_kinds.spoil(output, array, befallen)
            if spoilt is not None:
                write_tensor(response.outputs[output], spoilt, self._tensor_content)
                fault_kinds.spoil_message(response.outputs[output], output, befallen)
        for fault in befallen:
            if fault.kind == "version":
                response.model_spec.version.value = fault.number
        return _unless_unparsable(response, befallen)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest.

    Args:
        servables: what to ask and change.
        faults: what to do wrong.
        calls: where to note what was asked.
    """

    def __init__(self, servables: Servables, faults: FaultBook, calls: CallLog) -> None:
        self._servables = servables
        self._faults = faults
        self._calls = calls

    def GetModelStatus(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Tell the states of versions; OK whatever they are."""
        if not request.HasField("model_spec"):
            raise refusals.no_model_spec()
        occasion = Occasion("GetModelStatus", request.model_spec.name)
        befallen = self._faults.befall(occasion)
        self._calls.note(occasion, befallen=befallen)
        suffer(befallen, context)
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in self._servables.matching(request.model_spec):
            state = self._servables.state(version.name, version.number)
            status = response.model_version_status.add()
            status.version = version.number
            status.state = STATES[state or "END"]
            status.status.error_code = version.error_code
            status.status.error_message = version.error_message
        return _unless_unparsable(response, befallen)

    def HandleReloadConfigRequest(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Serve other models, or the same under other labels."""
        occasion = Occasion("HandleReloadConfigRequest")
        befallen = self._faults.befall(occasion)
        self._calls.note(occasion, befallen=befallen)
        suffer(befallen, context)
        if request.config.WhichOneof("config") != "model_config_list":
            raise refusals.no_model_config_list()
        self._servables.configure(read_config(request.config))
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        return response


def _wanted(output_filter: Sequence[str], signature: Any) -> list[str]:
    for position, alias in enumerate(output_filter):
        if alias not in signature.outputs:
            raise refusals.unknown_output(alias, signature.outputs)
        if alias in output_filter[:position]:
            raise refusals.output_twice(alias)
    return list(output_filter) or sorted(signature.outputs)


def _occasion(request: Any, name: str, signature: Any, feeds: Mapping[str, np.ndarray]) -> Occasion:
    images = feeds[signature.inputs["images"].name] if "images" in signature.inputs else None
    if images is None or images.ndim == 0 or images.size == 0:
        return Occasion("Predict", request.model_spec.name, name)
    first_pixels = frozenset(images.reshape(len(images), -1)[:, 0].tolist())
    return Occasion("Predict", request.model_spec.name, name, len(images), first_pixels)


def _unless_unparsable(response: Any, befallen: Sequence[Fault]) -> Any:
    unparsable = any(fault.kind == "unparsable" for fault in befallen)
    return b"\xff\xff\xff no message" if unparsable else response


def _spoil_signatures(signatures: Any, fault: Fault) -> None:
    if fault.kind != "metadata":
        return
    for name, signature in signatures.signature_def.items():
        if fault.signature not in (None, name):
            continue
        for tensors in (signature.inputs, signature.outputs):
            if fault.output not in tensors:
                continue
            if fault.shape is None and not fault.number:
                del tensors[fault.output]
                continue
            info = tensors[fault.output]
            info.dtype = fault.number or info.dtype
            if fault.shape is not None:
                del info.tensor_shape.dim[:]
                for size in fault.shape:
                    info.tensor_shape.dim.add(size=size)
