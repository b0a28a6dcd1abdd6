"""What TensorFlow Serving is told to host, read with its own messages."""

import json
from collections.abc import Sequence

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from service.settings import Settings
from tests.compose.model import ROOT

FOLDER = ROOT / "deploy" / "tensorflow-serving"
CONFIG = text_format.Parse(
    (FOLDER / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
)
MODELS: Sequence[model_server_config_pb2.ModelConfig] = CONFIG.model_config_list.config


def test_it_hosts_what_the_gateway_asks_for() -> None:
    asked = [Settings.model_fields[f"{route}_servable"].default for route in ("predict", "warp")]

    assert [model.name for model in MODELS] == asked


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_model_lies_in_the_folder_of_its_name(
    model: model_server_config_pb2.ModelConfig,
) -> None:
    assert model.base_path == f"/models/{model.name}"
    assert model.model_platform == "tensorflow"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_version_is_served(model: model_server_config_pb2.ModelConfig) -> None:
    """So that requests can choose, and a rollback finds the old one loaded."""
    assert model.model_version_policy.WhichOneof("policy_choice") == "all"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_model_has_a_stable_version(model: model_server_config_pb2.ModelConfig) -> None:
    """The one that the shipped models' own file of labels names."""
    labels = json.loads((ROOT / "models" / model.name / "labels.json").read_text())

    assert dict(model.version_labels) == labels
    assert (ROOT / "models" / model.name / str(labels["stable"])).is_dir()


def test_metrics_are_on() -> None:
    """The official package lacks this message, so the text is compared."""
    lines = (FOLDER / "monitoring.config").read_text().splitlines()

    assert " ".join(line.strip() for line in lines if not line.startswith("#")).strip() == (
        'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }'
    )
