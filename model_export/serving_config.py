"""TensorFlow Serving's own configuration, made from a folder of servables."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from model_export.labels import read_labels, replace_text
from model_export.version_folder import versions

MODELS_CONFIG = "models.config"
MONITORING_CONFIG = "monitoring.config"

_HEADER = """\
# What TensorFlow Serving hosts (ModelServerConfig), written by `stn-model`. Requests name a version
# by number or by label, and get the highest otherwise.

"""
_MONITORING = """\
# TensorFlow Serving's own metrics (MonitoringConfig), on its REST port.

prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""


def find_servables(models: Path) -> list[Path]:
    """Return the folders with versions in a folder, ordered by name."""
    return sorted(p for p in models.glob("*") if not p.name.startswith(".") and versions(p))


def build_config(
    models: Path, base_path: str, labels: Mapping[str, Mapping[str, int]] | None = None
) -> ModelServerConfig:
    """Return the configuration for all servables in a folder, ordered by name.

    Args:
        models: the folder of servables, as this machine sees it.
        base_path: the same folder, as the model server sees it.
        labels: more labels by servable, which win over those in `labels.json`.

    Raises:
        FileNotFoundError: the folder holds no version of anything.
        ValueError: a label names a version that is not there.
    """
    more = labels or {}
    servables = find_servables(models)
    if not servables:
        raise FileNotFoundError(f"{models} holds no servables; 'stn-model export' makes them")
    if unknown := set(more) - {servable.name for servable in servables}:
        raise ValueError(f"{models} holds no servable {', '.join(sorted(unknown))}")
    config = ModelServerConfig()
    for servable in servables:
        named = read_labels(servable) | dict(more.get(servable.name, {}))
        _check_labels(servable, named)
        entry = config.model_config_list.config.add()
        entry.name = servable.name
        entry.base_path = f"{base_path.rstrip('/')}/{servable.name}"
        entry.model_platform = "tensorflow"
        entry.model_version_policy.all.SetInParent()
        entry.version_labels.update(named)
    return config


def read_config(path: Path) -> ModelServerConfig:
    """Read a models.config.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is not a ModelServerConfig, or has no list of models.
    """
    config = ModelServerConfig()
    try:
        text_format.Parse(path.read_text(encoding="utf-8"), config)
    except text_format.ParseError as error:
        raise ValueError(f"{path} is no ModelServerConfig: {error}") from error
    if config.WhichOneof("config") != "model_config_list":
        raise ValueError(f"{path} must hold a model_config_list")
    return config


def labels_in(config: ModelServerConfig, servable: str) -> Any:
    """Return the labels of a servable, from label to version, to read and to change.

    Raises:
        ValueError: the configuration does not have the servable.
    """
    for entry in config.model_config_list.config:
        if entry.name == servable:
            return entry.version_labels
    names = ", ".join(entry.name for entry in config.model_config_list.config) or "nothing"
    raise ValueError(
        f"the model server's configuration has no servable {servable!r}; it has {names}. "
        "'stn-model serving-config' writes one for all; the server reads it when it starts."
    )


def render_config(config: ModelServerConfig) -> str:
    """Return a configuration as text; the same one gives the same text."""
    return _HEADER + text_format.MessageToString(config)


def write_config(out: Path, config: ModelServerConfig) -> None:
    """Write `models.config` and `monitoring.config` to a folder, made if it is missing."""
    out.mkdir(parents=True, exist_ok=True)
    replace_text(out / MODELS_CONFIG, render_config(config))
    replace_text(out / MONITORING_CONFIG, _MONITORING)


def server_flags(out: Path) -> Sequence[str]:
    """Return the flags of tensorflow_model_server that go with the files in a folder."""
    return (
        "--port=8500",
        "--rest_api_port=8501",
        f"--model_config_file={out / MODELS_CONFIG}",
        "--model_config_file_poll_wait_seconds=30",
        "--allow_version_labels_for_unavailable_models=true",
        "--file_system_poll_wait_seconds=1",
        f"--monitoring_config_file={out / MONITORING_CONFIG}",
        "--enable_batching=true",
        "--enable_per_model_batching_parameters=true",
        "--enable_serialization_as_tensor_content=true",
        "--enable_profiler=false",
    )


def _check_labels(servable: Path, labels: Mapping[str, int]) -> None:
    there = versions(servable)
    for label, version in sorted(labels.items()):
        if version not in there:
            raise ValueError(
                f"the label {label!r} names version {version} of {servable}, which has "
                f"{', '.join(map(str, there))}"
            )
