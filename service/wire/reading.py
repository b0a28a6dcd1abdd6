"""Answers of the model server, read with suspicion: what does not parse is a broken contract."""

from collections.abc import Mapping
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from service.backend import SignatureSpec, TensorSpec
from service.errors import ContractBroken
from service.wire.serving_pb2 import GetModelMetadataResponse, SignatureDefMap, TensorInfo
from service.wire.tensors import dtype_name

M = TypeVar("M", bound=Message)

_SIGNATURES = "signature_def"
_SIGNATURE_MAP = "tensorflow.serving.SignatureDefMap"


def parse(message_type: type[M], data: bytes) -> M:
    """Return a message read from its bytes.

    Raises:
        ContractBroken: the bytes are no such message.
    """
    try:
        return message_type.FromString(data)
    except DecodeError as error:
        raise ContractBroken(
            f"the model server sent {len(data)} bytes that are no {message_type.__name__}"
        ) from error


def read_signatures(response: GetModelMetadataResponse) -> Mapping[str, SignatureSpec]:
    """Return the signatures in an answer to GetModelMetadata.

    Signatures whose names begin with `__` are TensorFlow's own, and are left out.

    Raises:
        ContractBroken: the answer holds no signatures, or they do not parse.
    """
    # Any.Unpack compares names, and ours are private: the bytes are read as what the type URL says.
    packed = response.metadata.get(_SIGNATURES)
    if packed is None or packed.type_url.rpartition("/")[2] != _SIGNATURE_MAP:
        raise ContractBroken(
            f"the model server's metadata holds {sorted(response.metadata)}; "
            f"it must hold {_SIGNATURES!r}, a {_SIGNATURE_MAP}"
        )
    signatures = parse(SignatureDefMap, packed.value).signature_def
    return {
        name: SignatureSpec(_specs(signature.inputs), _specs(signature.outputs))
        for name, signature in sorted(signatures.items())
        if not name.startswith("__")
    }


def _specs(tensors: Mapping[str, TensorInfo]) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(
            dtype_name(info.dtype), tuple(dimension.size for dimension in info.tensor_shape.dim)
        )
        for name, info in sorted(tensors.items())
    }
