"""The command line, ours and the real server's."""

from pathlib import Path

import pytest

from tests.serving_double.batching import BatchingParameters
from tests.serving_double.configuration import ServableConfig
from tests.serving_double.flags import read_flags

MODELS_CONFIG = """
# Two servables.
model_config_list {
  config {
    name: "stn"
    base_path: "/models/stn"
    model_platform: "tensorflow"
    model_version_policy { all {} }
    version_labels { key: "stable" value: 1 }
    version_labels { key: "canary" value: 2 }
  }
  config {
    name: "warp"
    base_path: "/models/warp"
    model_platform: "tensorflow"
    model_version_policy { specific { versions: 3 versions: 5 } }
  }
  config { name: "other" base_path: "/models/other" }
}
"""


def test_the_flags_of_a_compose_file_are_understood(tmp_path: Path) -> None:
    """As they are written for tensorflow_model_server."""
    models, batching = tmp_path / "models.config", tmp_path / "batching.config"
    models.write_text(MODELS_CONFIG)
    batching.write_text("max_batch_size { value: 16 }")

    options = read_flags(
        [
            "--port=8500",
            "--rest_api_port=8501",
            f"--model_config_file={models}",
            "--allow_version_labels_for_unavailable_models=true",
            "--enable_batching=true",
            f"--batching_parameters_file={batching}",
            "--enable_per_model_batching_parameters=true",
            "--enable_serialization_as_tensor_content=true",
            "--monitoring_config_file=/config/monitoring.config",
            "--file_system_poll_wait_seconds=1",
            "--grpc_max_threads=12",
            "--enable_profiler=false",
            "--model_config_file_poll_wait_seconds=30",
            "--grpc_channel_arguments=grpc.max_connection_age_ms=10000,grpc.lb=x",
        ]
    )

    assert options.configs == [
        ServableConfig("stn", Path("/models/stn"), latest=None, labels={"stable": 1, "canary": 2}),
        ServableConfig("warp", Path("/models/warp"), versions=frozenset({3, 5})),
        ServableConfig("other", Path("/models/other")),
    ]
    assert options.batching == BatchingParameters(max_batch_size=16)
    assert options.batching_per_model
    assert options.tensor_content
    assert options.max_calls == 12
    assert options.poll_seconds == 1
    assert (options.config_file, options.config_poll_seconds) == (models, 30)
    assert options.channel_arguments == (("grpc.max_connection_age_ms", 10000), ("grpc.lb", "x"))


def test_a_switch_may_be_off(servable: Path) -> None:
    """`=false` is not true, and neither is silence."""
    models = ["--models", str(servable.parent)]

    assert read_flags([*models, "--enable_batching=false"]).batching is None
    assert read_flags(models).batching is None
    assert not read_flags(models).tensor_content
    assert read_flags([*models, "--enable_batching"]).batching == BatchingParameters()


def test_labels_may_be_given_at_the_start(servable: Path) -> None:
    """All that the folder holds is served, with labels for those that have them."""
    (servable.parent / "warp").mkdir()

    options = read_flags(
        ["--models", str(servable.parent), "--labels", "tiny:stable=1", "tiny:canary=3"]
    )

    assert options.configs == [
        ServableConfig("tiny", servable, None, labels={"stable": 1, "canary": 3}),
        ServableConfig("warp", servable.parent / "warp", None),
    ]


def test_policies_choose_versions() -> None:
    folder = Path("models")

    assert ServableConfig("m", folder).choose({1, 2, 10}) == {10}
    assert ServableConfig("m", folder, latest=2).choose({1, 2, 10}) == {2, 10}
    assert ServableConfig("m", folder, latest=None).choose({1, 2, 10}) == {1, 2, 10}
    assert ServableConfig("m", folder, versions=frozenset({2, 5})).choose({1, 2}) == {2}


@pytest.mark.parametrize("flags", [["--modles", "x"], [], ["--enable_batching=maybe"]])
def test_other_flags_are_refused(flags: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        read_flags(flags)

    assert raised.value.code == 2
