"""TensorFlow Serving over gRPC, behind the same interface as the embedded backend.

The only module that speaks gRPC. What the server reports becomes our errors in one table.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from service import wire
from service.backend import Arrays, Call, SignatureSpec, VersionStatus
from service.errors import (
    BatchRejected,
    ContractBroken,
    DeadlineExceeded,
    ModelServerError,
    ModelServerUnavailable,
    Overloaded,
    ServiceError,
    Unavailable,
    UnknownLabel,
    UnknownModel,
    UnknownVersion,
)

Response = TypeVar("Response", bound=Message)

# gRPC code of the server -> our error. A test walks all codes that there are.
ERROR_OF: Mapping[grpc.StatusCode, type[ServiceError]] = {
    grpc.StatusCode.NOT_FOUND: UnknownVersion,
    grpc.StatusCode.INVALID_ARGUMENT: BatchRejected,
    grpc.StatusCode.FAILED_PRECONDITION: BatchRejected,
    grpc.StatusCode.OUT_OF_RANGE: BatchRejected,
    grpc.StatusCode.UNAVAILABLE: ModelServerUnavailable,
    grpc.StatusCode.ABORTED: ModelServerUnavailable,
    grpc.StatusCode.CANCELLED: ModelServerUnavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.ALREADY_EXISTS: ModelServerError,
    grpc.StatusCode.DATA_LOSS: ModelServerError,
    grpc.StatusCode.INTERNAL: ModelServerError,
    grpc.StatusCode.OK: ModelServerError,
    grpc.StatusCode.PERMISSION_DENIED: ModelServerError,
    grpc.StatusCode.UNAUTHENTICATED: ModelServerError,
    grpc.StatusCode.UNIMPLEMENTED: ModelServerError,
    grpc.StatusCode.UNKNOWN: ModelServerError,
}

_STATE_NAMES = {
    state.number: state.name for state in wire.ModelVersionStatus.State.DESCRIPTOR.values
}
_ASK_SECONDS = 5.0
_NO_HEADERS: Mapping[str, str] = {}
# Headers, tensor names and shapes around the numbers of an answer.
_MESSAGE_OVERHEAD = 1024 * 1024
# A channel counts bytes in 32 bits.
_LARGEST_MESSAGE = 2**31 - 1


@dataclass(frozen=True)
class ModelServerAddress:
    """Where the model server is, and how it is trusted.

    Attributes:
        target: `host:port`, resolved by DNS, calls spread over all addresses in turn; or any gRPC
            target with a scheme (`unix:/path`, `dns:///host:port`, `ipv4:...`).
        tls: whether to encrypt and verify.
        ca: file of root certificates; the system's when left out.
    """

    target: str
    tls: bool = False
    ca: Path | None = None

    def uri(self) -> str:
        """Return the target with its scheme."""
        schemes = ("dns:", "unix:", "unix-abstract:", "ipv4:", "ipv6:")
        return self.target if self.target.startswith(schemes) else f"dns:///{self.target}"


class ModelServerBackend:
    """Runs signatures on a TensorFlow Serving.

    Args:
        address: where it is.
        max_elements: most numbers in one tensor of an answer; larger ones are refused.
        on_call: told the method, the code by name, and the seconds of each call that ends.
    """

    name = "model server"
    is_remote = True
    # While one call computes, the next is on its way; more only fills the server's queue. Past four
    # calls for each of its processors, the health checks included, it refuses ("Threadpool").
    max_predict_calls = 2
    max_warp_calls = 2

    def __init__(
        self,
        address: ModelServerAddress,
        max_elements: int,
        on_call: Callable[[str, str, float], None] = lambda *_: None,
    ) -> None:
        self._address = address
        self._max_elements = max_elements
        self._on_call = on_call
        self._channel: grpc.aio.Channel | None = None
        self._methods: dict[str, Callable[..., Any]] = {}

    async def start(self) -> None:
        """Open the channel; it connects, and connects again, by itself."""
        # Numbers above 127 take two bytes each in the server's default encoding of uint8.
        largest = max(2 * self._max_elements, 4 * 1024 * 1024) + _MESSAGE_OVERHEAD
        options = [
            ("grpc.max_receive_message_length", min(largest, _LARGEST_MESSAGE)),
            ("grpc.max_send_message_length", -1),
            ("grpc.keepalive_time_ms", 10_000),
            ("grpc.keepalive_timeout_ms", 5_000),
            # A server that comes back, at an address of its own choice, is to be found in a second.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 500),
            ("grpc.dns_min_time_between_resolutions_ms", 500),
            ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
            # An internal address is not for the proxy that the environment may name.
            ("grpc.enable_http_proxy", 0),
            # Retries are decided above, where the other requests are known.
            ("grpc.enable_retries", 0),
        ]
        if self._address.tls:
            roots = self._address.ca.read_bytes() if self._address.ca else None
            credentials = grpc.ssl_channel_credentials(roots)
            self._channel = grpc.aio.secure_channel(self._address.uri(), credentials, options)
        else:
            self._channel = grpc.aio.insecure_channel(self._address.uri(), options)
        # Bytes in and out: what does not parse must be our error, not a gRPC status.
        self._methods = {
            path: self._channel.unary_unary(path)
            for path in (wire.PREDICT, wire.GET_MODEL_METADATA, wire.GET_MODEL_STATUS)
        }

    async def close(self) -> None:
        """Close the channel; calls in flight are cancelled."""
        if self._channel is not None:
            await self._channel.close()

    async def versions(self, servable: str) -> Sequence[VersionStatus]:
        """Return the versions that the server knows."""
        request = wire.GetModelStatusRequest(model_spec=wire.ModelSpec(name=servable))
        try:
            answer = await self._call(
                wire.GET_MODEL_STATUS, request, _soon(), wire.GetModelStatusResponse
            )
        except UnknownVersion as error:
            raise UnknownModel(f"the model server has no servable {servable!r}") from error
        return [
            VersionStatus(
                version=status.version,
                state=_STATE_NAMES.get(status.state, "UNKNOWN"),
                message=status.status.error_message,
            )
            for status in sorted(answer.model_version_status, key=lambda s: s.version)
        ]

    async def resolve(self, servable: str, label: str) -> int:
        """Return the version that a label points to."""
        spec = wire.ModelSpec(name=servable, version_label=label)
        request = wire.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        try:
            answer = await self._call(
                wire.GET_MODEL_METADATA, request, _soon(), wire.GetModelMetadataResponse
            )
        except (BatchRejected, UnknownVersion) as error:
            raise UnknownLabel(f"{servable} has no such label") from error
        return answer.model_spec.version.value

    async def signatures(self, servable: str, version: int) -> Mapping[str, SignatureSpec]:
        """Return the signatures of a version."""
        request = wire.GetModelMetadataRequest(
            model_spec=_spec(servable, version), metadata_field=["signature_def"]
        )
        answer = await self._call(
            wire.GET_MODEL_METADATA, request, _soon(), wire.GetModelMetadataResponse
        )
        return wire.read_signatures(answer)

    async def run(self, call: Call, deadline: float) -> Arrays:
        """Run a signature on the server."""
        request = wire.PredictRequest(
            model_spec=_spec(call.servable, call.version, call.signature),
            inputs={name: wire.encode_tensor(value) for name, value in call.inputs.items()},
            output_filter=call.outputs,
        )
        answer = await self._call(
            wire.PREDICT, request, deadline, wire.PredictResponse, call.headers
        )
        answered = answer.model_spec.version.value
        if answered != call.version:
            raise ContractBroken(
                f"{call.servable} version {answered} answered for version {call.version}"
            )
        return {
            name: wire.decode_tensor(tensor, self._max_elements, name)
            for name, tensor in answer.outputs.items()
        }

    async def _call(
        self,
        path: str,
        request: Message,
        deadline: float,
        answer: type[Response],
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Response:
        start = asyncio.get_running_loop().time()
        if deadline <= start:
            raise DeadlineExceeded("the request's time ran out before the model was asked")
        code = grpc.StatusCode.CANCELLED  # by us, unless we hear otherwise
        try:
            content = await self._methods[path](
                request.SerializeToString(),
                timeout=deadline - start,
                metadata=tuple(headers.items()) or None,
            )
            code = grpc.StatusCode.OK
        except grpc.aio.AioRpcError as error:
            code = error.code()
            raise translate(code, error.details() or "") from error
        finally:
            self._on_call(path, code.name, asyncio.get_running_loop().time() - start)
        return wire.parse(answer, content)


def translate(code: grpc.StatusCode, details: str) -> ServiceError:
    """Return our error for what the server reported.

    The server's own words go to the log only: they may quote the request.
    """
    kind = ERROR_OF[code]
    if code is grpc.StatusCode.UNAVAILABLE and _QUEUE_FULL in details:
        kind = Overloaded
    log_detail = f"{code.name}: {details[:500]}"
    if issubclass(kind, Unavailable):
        return kind(_SENTENCES[kind], log_detail=log_detail, is_transient=code in _TRANSIENT)
    return kind(_SENTENCES[kind], log_detail=log_detail)


_TRANSIENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
# A server that batches says so with the code of one that is not there.
_QUEUE_FULL = "batch scheduling queue"


_SENTENCES: Mapping[type[ServiceError], str] = {
    UnknownVersion: "the model server no longer has the version that was asked for",
    BatchRejected: "the model server refused this input",
    ModelServerUnavailable: "the model server cannot be reached; it may be restarting",
    Overloaded: "the model server has more work than it takes at once",
    DeadlineExceeded: "the model server did not answer in time",
    ModelServerError: "the model server failed",
}


def _soon() -> float:
    return asyncio.get_running_loop().time() + _ASK_SECONDS


def _spec(servable: str, version: int, signature: str = "") -> wire.ModelSpec:
    spec = wire.ModelSpec(name=servable, signature_name=signature)
    spec.version.value = version
    return spec
