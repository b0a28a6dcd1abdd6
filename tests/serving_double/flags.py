"""The command line: short flags of our own, and those of tensorflow_model_server."""

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path

from tests.serving_double.batching import BatchingParameters, read_batching_parameters
from tests.serving_double.configuration import ServableConfig, read_config_file
from tests.serving_double.server import Options

# Known to the real server and of no consequence here.
_IGNORED = (
    "rest_api_port",
    "rest_api_num_threads",
    "rest_api_timeout_in_ms",
    "monitoring_config_file",
    "tensorflow_session_parallelism",
    "tensorflow_intra_op_parallelism",
    "tensorflow_inter_op_parallelism",
    "per_process_gpu_memory_fraction",
    "enable_model_warmup",
    "num_request_iterations_for_warmup",
    "enable_grpc_healthcheck_service",
    "enable_profiler",
    "enable_signature_method_name_check",
    "flush_filesystem_caches",
    "max_num_load_retries",
    "load_retry_interval_micros",
    "num_load_threads",
    "num_unload_threads",
    "xla_cpu_compilation_enabled",
    "thread_pool_factory_config_file",
    "enforce_session_run_timeout",
)


def read_flags(arguments: Sequence[str]) -> Options:
    """Return the options that a command line asks for."""
    parser = _parser()
    flags = parser.parse_args(arguments)
    if flags.model_config_file:
        configs = read_config_file(Path(flags.model_config_file))
    elif flags.models:
        configs = _configs_below(Path(flags.models), flags.latest, flags.labels)
    elif flags.model_base_path:
        configs = [ServableConfig(flags.model_name, Path(flags.model_base_path))]
    else:
        parser.error("name the models: --models, --model_config_file or --model_base_path")
    batching = None
    if flags.batching or flags.enable_batching:
        file = flags.batching_parameters_file
        batching = read_batching_parameters(Path(file)) if file else BatchingParameters()
    return Options(
        configs=configs,
        address=f"{flags.host}:{flags.port}",
        socket=flags.grpc_socket_path,
        certificate=_certificate(Path(flags.ssl_config_file)) if flags.ssl_config_file else None,
        max_calls=flags.max_calls,
        poll_seconds=flags.file_system_poll_wait_seconds,
        batching=batching,
        batching_per_model=flags.enable_per_model_batching_parameters,
        tensor_content=flags.tensor_content,
        abort_on_wrong_rank=flags.abort_on_wrong_rank,
        wait=flags.wait,
        config_file=Path(flags.model_config_file) if flags.model_config_file else None,
        config_poll_seconds=flags.model_config_file_poll_wait_seconds,
        channel_arguments=_channel_arguments(flags.grpc_channel_arguments),
        labels_before_available=flags.allow_version_labels_for_unavailable_models,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("serving_double", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--models", help="folder laid out as <servable>/<version>/; serves all it holds")
    add("--latest", type=int, help="with --models: only so many of the newest versions")
    add(
        "--labels",
        nargs="*",
        default=[],
        metavar="SERVABLE:LABEL=VERSION",
        help="with --models: labels at the start",
    )
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8500)
    add("--batching", action="store_true", help="batch every signature of every model")
    add("--abort-on-wrong-rank", action="store_true")
    add("--wait", action="store_true", help="load, and listen when a line `host:port` comes in")
    add(
        "--max-calls",
        "--grpc_max_threads",
        dest="max_calls",
        type=int,
        default=4 * (os.cpu_count() or 1),
    )
    add("--model_config_file", default="")
    add("--model_name", default="default")
    add("--model_base_path", default="")
    add("--grpc_socket_path", default="")
    add("--ssl_config_file", default="")
    add("--batching_parameters_file", default="")
    add("--file_system_poll_wait_seconds", type=float, default=0.5)
    add("--model_config_file_poll_wait_seconds", type=float, default=0.0)
    add("--grpc_channel_arguments", default="", help="key=value,key=value")
    _add_switch(parser, "--enable_batching")
    _add_switch(parser, "--enable_per_model_batching_parameters")
    _add_switch(parser, "--tensor-content", "--enable_serialization_as_tensor_content")
    _add_switch(parser, "--allow_version_labels_for_unavailable_models", default=True)
    for name in _IGNORED:
        add(f"--{name}", nargs="?", help=argparse.SUPPRESS)
    return parser


def _add_switch(parser: argparse.ArgumentParser, *names: str, default: bool = False) -> None:
    """Add a flag that is written `--flag`, `--flag=true` or `--flag=false`."""
    parser.add_argument(*names, nargs="?", const=True, default=default, type=_is_true)


def _is_true(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")
    return text.lower() in ("true", "1")


def _configs_below(models: Path, latest: int | None, labels: Sequence[str]) -> list[ServableConfig]:
    by_servable: dict[str, dict[str, int]] = {}
    for text in labels:
        match = re.fullmatch(r"([^:=]+):([^:=]+)=(\d+)", text)
        if match is None:
            raise SystemExit(f"--labels: expected SERVABLE:LABEL=VERSION, got {text!r}")
        by_servable.setdefault(match[1], {})[match[2]] = int(match[3])
    return [
        ServableConfig(folder.name, folder, latest, labels=by_servable.get(folder.name, {}))
        for folder in sorted(models.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    ]


def _channel_arguments(text: str) -> tuple[tuple[str, int | str], ...]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    return tuple((key, int(value) if value.isdigit() else value) for key, _, value in pairs)


def _certificate(file: Path) -> tuple[bytes, bytes]:
    """Return key and certificate out of an SSLConfig in protobuf's text format."""
    fields = dict(re.findall(r'(\w+)\s*:\s*"((?:[^"\\]|\\.)*)"', file.read_text(), re.DOTALL))
    key, chain = (
        fields[name].replace("\\n", "\n").encode() for name in ("server_key", "server_cert")
    )
    return key, chain
