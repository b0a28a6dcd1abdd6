"""The wire format of TensorFlow Serving: messages, method paths, tensors. No I/O, no TensorFlow."""

from service.wire.reading import parse, read_signatures
from service.wire.serving_pb2 import (
    DataType,
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelConfig,
    ModelConfigList,
    ModelServerConfig,
    ModelSpec,
    ModelVersionStatus,
    PredictRequest,
    PredictResponse,
    ReloadConfigRequest,
    ReloadConfigResponse,
    ServableVersionPolicy,
    SignatureDef,
    SignatureDefMap,
    StatusProto,
    TensorInfo,
    TensorProto,
    TensorShapeProto,
)
from service.wire.tensors import MAX_ELEMENTS, decode_tensor, encode_tensor

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
HANDLE_RELOAD_CONFIG = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"

__all__ = [
    "GET_MODEL_METADATA",
    "GET_MODEL_STATUS",
    "HANDLE_RELOAD_CONFIG",
    "MAX_ELEMENTS",
    "PREDICT",
    "DataType",
    "GetModelMetadataRequest",
    "GetModelMetadataResponse",
    "GetModelStatusRequest",
    "GetModelStatusResponse",
    "ModelConfig",
    "ModelConfigList",
    "ModelServerConfig",
    "ModelSpec",
    "ModelVersionStatus",
    "PredictRequest",
    "PredictResponse",
    "ReloadConfigRequest",
    "ReloadConfigResponse",
    "ServableVersionPolicy",
    "SignatureDef",
    "SignatureDefMap",
    "StatusProto",
    "TensorInfo",
    "TensorProto",
    "TensorShapeProto",
    "decode_tensor",
    "encode_tensor",
    "parse",
    "read_signatures",
]
