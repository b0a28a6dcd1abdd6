"""The server put together."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import text_format
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from tests.serving_double import refusals
from tests.serving_double.batching import BatchingParameters, read_batching_parameters
from tests.serving_double.calls import CallLog
from tests.serving_double.configuration import ServableConfig, read_config_file
from tests.serving_double.control import SERVICE as CONTROL
from tests.serving_double.control import control_handler
from tests.serving_double.faults import FaultBook
from tests.serving_double.refusals import Refusal
from tests.serving_double.servables import Servables
from tests.serving_double.services import ModelService, PredictionService

_LARGEST_MESSAGE = 2**31 - 1
_PORT_SECONDS = 60.0
_MORE_THREADS = 32  # To say that there are too many calls, and for the control service.


@dataclass(frozen=True)
class Options:
    """How to serve.

    Attributes:
        configs: which servables.
        address: `host:port`; port 0 for any that is free.
        wait: listen only when told where, by a line on the standard input.
        socket: path of a Unix socket to listen on as well.
        certificate: `(private key, chain)` in PEM, to speak TLS.
        max_calls: most calls at the same time.
        poll_seconds: between looks into the folders; 0 looks once.
        config_file: where the servables are named.
        config_poll_seconds: between looks into that file; 0 looks once.
        channel_arguments: of gRPC.
        batching: the parameters for all models, None for no batching.
        batching_per_model: batch only versions that bring their own parameters.
        tensor_content: answer raw bytes instead of typed fields.
        abort_on_wrong_rank: as builds with oneDNN may.
        labels_before_available: whether labels may point to versions not served yet.
    """

    configs: list[ServableConfig] = field(default_factory=list)
    address: str = "127.0.0.1:0"
    wait: bool = False
    socket: str = ""
    certificate: tuple[bytes, bytes] | None = None
    max_calls: int = 8
    poll_seconds: float = 0.5
    config_file: Path | None = None
    config_poll_seconds: float = 0.0
    channel_arguments: tuple[tuple[str, int | str], ...] = ()
    batching: BatchingParameters | None = None
    batching_per_model: bool = False
    tensor_content: bool = False
    abort_on_wrong_rank: bool = False
    labels_before_available: bool = True

    def batching_for(self, folder: Path) -> BatchingParameters | None:
        """Return the batching parameters of the version in a folder."""
        if self.batching is None or not self.batching_per_model:
            return self.batching
        file = folder / "batching_params.pbtxt"
        return read_batching_parameters(file) if file.is_file() else None


class ServingDouble:
    """A server, its models loaded, that listens from `start` to `stop`.

    Args:
        options: how to serve.

    Attributes:
        faults: what it is to do wrong.
        calls: what it was asked.
        servables: what it serves.

    Raises:
        Refusal: a label points to a version that is not available.
    """

    def __init__(self, options: Options) -> None:
        self.servables = Servables(
            options.configs, options.batching_for, options.labels_before_available
        )
        self._repeating: list[threading.Thread] = []
        self.faults = FaultBook()
        self.calls = CallLog()
        self._options = options
        self._stopping = threading.Event()
        threads = ThreadPoolExecutor(options.max_calls + _MORE_THREADS, "call")
        self._server = grpc.server(
            threads,
            interceptors=[_Gate(options.max_calls)],
            options=[
                ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
                ("grpc.max_send_message_length", _LARGEST_MESSAGE),
                ("grpc.so_reuseport", 0),
                *options.channel_arguments,
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(
                self.servables,
                self.faults,
                self.calls,
                options.tensor_content,
                options.abort_on_wrong_rank,
            ),
            self._server,
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(self.servables, self.faults, self.calls), self._server
        )
        control = control_handler(self.servables, self.faults, self.calls)
        self._server.add_generic_rpc_handlers((control,))

    def start(self, address: str | None = None) -> int:
        """Listen, and follow the folders; return the port."""
        port = self._listen(self._options, address or self._options.address)
        self._server.start()
        if self._options.poll_seconds:
            self._repeat(self._options.poll_seconds, self.servables.poll)
        if self._options.config_file and self._options.config_poll_seconds:
            self._repeat(self._options.config_poll_seconds, self._read_config_again)
        return port

    def stop(self, grace_seconds: float = 2.0) -> None:
        """Take no more calls, and give those in flight time to finish."""
        self._stopping.set()
        self._server.stop(grace_seconds).wait()
        # One that loads a model while the interpreter ends under it aborts the process.
        for thread in self._repeating:
            thread.join()

    def _listen(self, options: Options, address: str) -> int:
        if options.certificate is not None:
            credentials = grpc.ssl_server_credentials([options.certificate])
            return self._server.add_secure_port(address, credentials)
        if options.socket:
            self._server.add_insecure_port(f"unix:{options.socket}")
        return self._port_again(address)

    def _port_again(self, address: str) -> int:
        """Take the port; wait for it where an outgoing connection of somebody has it just now."""
        end = time.monotonic() + _PORT_SECONDS
        while True:
            try:
                return self._server.add_insecure_port(address)
            except RuntimeError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.1)

    def _read_config_again(self) -> None:
        assert self._options.config_file is not None
        # The server only logs what is wrong with the file, and goes on as before.
        with suppress(Refusal, OSError, text_format.ParseError):
            self.servables.configure(read_config_file(self._options.config_file))

    def _repeat(self, seconds: float, action: Callable[[], None]) -> None:
        def run() -> None:
            while not self._stopping.wait(seconds):
                action()

        thread = threading.Thread(target=run, name="poll", daemon=True)
        thread.start()
        self._repeating.append(thread)


class _Gate(grpc.ServerInterceptor):
    """Lets so many calls in at once, and turns refusals into statuses."""

    def __init__(self, max_calls: int) -> None:
        self._free = threading.BoundedSemaphore(max_calls)

    def intercept_service(
        self, continuation: Callable[[Any], Any], details: grpc.HandlerCallDetails
    ) -> Any:
        handler = continuation(details)
        if handler is None or handler.unary_unary is None or CONTROL in details.method:
            return handler
        return handler._replace(
            unary_unary=self._guard(handler.unary_unary),
            # A fault may want bytes that are no message.
            response_serializer=lambda answer: (
                answer if isinstance(answer, bytes) else answer.SerializeToString()
            ),
        )

    def _guard(self, call: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def guarded(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                if not self._free.acquire(blocking=False):
                    raise refusals.exhausted()
                try:
                    return call(request, context)
                finally:
                    self._free.release()
            except Refusal as refusal:
                context.abort(refusal.code, refusal.message)

        return guarded
