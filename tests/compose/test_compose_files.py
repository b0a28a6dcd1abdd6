"""What the compose files promise, held without an engine."""

import re
import tomllib
from typing import Any

import pytest

from service.settings import Settings
from tests.compose.model import CPU, FILES, GPU, ROOT, compose_model, seconds, unclear_variables

SERVING = ("gateway", "model-server")
MONITORING = ("prometheus", "grafana")
SERVICES = (*SERVING, *MONITORING)

# Settings that are not for the users of Compose: they follow from how the containers are wired.
WIRED = {
    "host",
    "port",
    "admin_host",
    "admin_port",
    "published_address",
    "models",
    "model_server",
    "model_server_tls",
    "model_server_ca",
    "predict_servable",
    "warp_servable",
}


@pytest.fixture(params=FILES)
def model(request: pytest.FixtureRequest) -> dict[str, Any]:
    return compose_model(FILES[request.param])


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest, model: dict[str, Any]) -> dict[str, Any]:
    chosen: dict[str, Any] = model["services"][request.param]
    return chosen


def flags(model: dict[str, Any]) -> dict[str, str]:
    """Return the flags of TensorFlow Serving."""
    pairs = [flag.partition("=") for flag in model["services"]["model-server"]["command"]]
    return {name.removeprefix("--"): value for name, _, value in pairs}


def test_there_is_a_gateway_and_a_model_server(model: dict[str, Any]) -> None:
    """No service escapes the tests below; those that watch come only when asked for."""
    assert set(model["services"]) == set(SERVICES)
    profiles = {name: s.get("profiles") for name, s in model["services"].items()}
    assert profiles == dict.fromkeys(SERVING) | {key: ["monitoring"] for key in MONITORING}


def test_the_model_server_is_not_published_and_all_else_only_to_this_machine(
    model: dict[str, Any],
) -> None:
    """Reaching the model server from outside would be reaching its reload call."""
    published = {name: s["ports"] for name, s in model["services"].items() if "ports" in s}

    assert published == {
        "gateway": ["127.0.0.1:8000:8000"],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


def test_the_model_server_is_on_the_internal_network_alone(model: dict[str, Any]) -> None:
    networks = {name: s["networks"] for name, s in model["services"].items()}

    assert networks == {
        "gateway": ["front", "model", "metrics"],
        "model-server": ["model"],
        "prometheus": ["metrics", "monitoring"],
        "grafana": ["monitoring"],
    }
    assert model["networks"]["model"] == {"internal": True}


def test_only_prometheus_reaches_the_port_for_metrics(model: dict[str, Any]) -> None:
    """It asks for no key, so it is neither published nor on a network that leads anywhere."""
    port = model["services"]["gateway"]["environment"]["STN_ADMIN_PORT"]
    beside = {name for name, s in model["services"].items() if "metrics" in s["networks"]}

    assert model["networks"]["metrics"] == {"internal": True}
    assert beside == {"gateway", "prometheus"}
    assert all(f":{port}" not in place for place in model["services"]["gateway"]["ports"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("init", True),
        ("read_only", True),
        ("cap_drop", ["ALL"]),
        ("security_opt", ["no-new-privileges:true"]),
        ("restart", "unless-stopped"),
    ],
)
def test_a_service_is_confined(service: dict[str, Any], key: str, value: object) -> None:
    assert service[key] == value


def test_a_service_has_limits_of_memory_and_processes(service: dict[str, Any]) -> None:
    limits = service["deploy"]["resources"]["limits"]

    assert re.fullmatch(r"\d+g", limits["memory"])
    assert limits["pids"] > 0


def test_a_service_asks_for_nothing_that_an_ordinary_machine_refuses(
    service: dict[str, Any],
) -> None:
    """Raising limits needs privileges; the rest would undo the confinement."""
    refused = {
        "cap_add",
        "devices",
        "ipc",
        "network_mode",
        "oom_score_adj",
        "pid",
        "privileged",
        "sysctls",
        "ulimits",
        "userns_mode",
    }

    assert not refused & set(service)


def test_what_is_writable_is_memory_or_the_cache(model: dict[str, Any]) -> None:
    """Each service has a /tmp in memory of bounded size, and bind mounts are read-only."""
    for service in model["services"].values():
        assert service["tmpfs"][0].startswith("/tmp:")  # noqa: S108 - the claim
        assert all(re.fullmatch(r"[/a-z]+:size=\d+m", place) for place in service["tmpfs"])
    mounts = [m for s in model["services"].values() for m in s.get("volumes", ())]
    binds = [mount for mount in mounts if isinstance(mount, dict)]

    assert {mount["target"] for mount in binds} == {
        "/models",
        "/etc/tensorflow-serving",
        "/etc/stn-serving/keys",
        "/etc/prometheus",
        "/etc/grafana/provisioning",
        "/etc/grafana/dashboards",
    }
    assert {mount for mount in mounts if isinstance(mount, str)} == {
        "cuda-cache:/var/tmp",
        "metrics:/prometheus",
    }
    assert all(mount["read_only"] for mount in binds)
    # A folder that is missing is an error, not an empty folder that root owns.
    assert all(mount["bind"] == {"create_host_path": False} for mount in binds)


def test_the_gateway_stops_first_and_starts_without_the_model_server(
    model: dict[str, Any],
) -> None:
    """Compose stops in the reverse of this order; `service_healthy` would hold the gateway back."""
    depends = model["services"]["gateway"]["depends_on"]

    assert depends == {"model-server": {"condition": "service_started"}}


def test_no_grace_ends_before_what_it_waits_for(model: dict[str, Any]) -> None:
    """The longest request, then the gateway's own grace, then Docker's."""
    gateway = model["services"]["gateway"]
    longest = gateway["environment"]["STN_MAX_REQUEST_TIMEOUT_MS"] / 1000
    grace = gateway["environment"]["STN_SHUTDOWN_GRACE_SECONDS"]

    assert longest < grace < seconds(gateway["stop_grace_period"])


def test_images_are_pinned_by_version(service: dict[str, Any]) -> None:
    """A version, not `latest`; and no digest, which would name one platform's image."""
    assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+(-gpu)?", service["image"])


def test_the_image_that_is_built_is_tagged_with_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    gateway = compose_model(GPU)["services"]["gateway"]

    assert gateway["image"] == f"stn-serving/gateway:{project['version']}"
    assert gateway["build"] == "."


def test_a_gpu_is_reserved() -> None:
    model_server = compose_model(GPU)["services"]["model-server"]

    assert model_server["image"].endswith("-gpu")
    assert model_server["deploy"]["resources"]["reservations"] == {
        "devices": [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    }


def test_without_a_gpu_none_is_reserved_and_the_limits_stay() -> None:
    model_server = compose_model(CPU)["services"]["model-server"]

    assert not model_server["image"].endswith("-gpu")
    assert set(model_server["deploy"]["resources"]) == {"limits"}


def test_compiled_kernels_outlive_the_container(model: dict[str, Any]) -> None:
    """CUDA's cache is on a named volume, and not under the /tmp that is memory."""
    model_server = model["services"]["model-server"]
    volumes = [mount for mount in model_server["volumes"] if isinstance(mount, str)]
    name, _, folder = volumes[0].partition(":")

    assert name in model["volumes"]
    assert model_server["environment"]["CUDA_CACHE_PATH"].startswith(folder + "/")
    assert len(volumes) == 1


def test_a_gpu_computes_as_the_tests_do_and_shares_its_memory(model: dict[str, Any]) -> None:
    environment = model["services"]["model-server"]["environment"]

    assert environment["NVIDIA_TF32_OVERRIDE"] == "0"
    assert environment["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


def test_there_is_time_to_compile_kernels_on_the_first_load() -> None:
    for name in SERVING:
        service = compose_model(GPU)["services"][name]
        assert seconds(service["healthcheck"]["start_period"]) >= 10 * 60


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("port", "8500"),
        ("enable_profiler", "false"),
        ("allow_version_labels_for_unavailable_models", "true"),
        # The second is ignored without the first; the first alone would batch pictures of any size.
        ("enable_batching", "true"),
        ("enable_per_model_batching_parameters", "true"),
        ("enable_serialization_as_tensor_content", "true"),
        ("file_system_poll_wait_seconds", "1"),
    ],
)
def test_the_model_server_is_told(model: dict[str, Any], flag: str, value: str) -> None:
    assert flags(model)[flag] == value


def test_connections_to_the_model_server_are_renewed(model: dict[str, Any]) -> None:
    """Else a gateway that is content with one server never finds a second."""
    arguments = flags(model)["grpc_channel_arguments"]

    age = re.fullmatch(r"grpc\.max_connection_age_ms=(\d+)", arguments)
    assert age is not None
    assert 1_000 <= int(age[1]) <= 60_000


def test_the_model_server_is_no_shell_and_no_root(model: dict[str, Any]) -> None:
    """The image's own entrypoint is a shell, as root, that keeps signals to itself."""
    model_server = model["services"]["model-server"]

    assert model_server["entrypoint"] == ["tensorflow_model_server"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", model_server["user"])


def test_the_gateway_asks_the_model_server_where_it_listens(model: dict[str, Any]) -> None:
    address = model["services"]["gateway"]["environment"]["STN_MODEL_SERVER"]

    assert address == f"model-server:{flags(model)['port']}"


def test_health_of_the_gateway_means_that_predictions_come_out(model: dict[str, Any]) -> None:
    """`up --wait` returns no earlier."""
    assert model["services"]["gateway"]["healthcheck"]["test"][-1] == "/readyz"


def test_health_of_the_model_server_needs_no_tool_that_its_image_lacks(
    model: dict[str, Any],
) -> None:
    test = model["services"]["model-server"]["healthcheck"]["test"]

    assert test == ["CMD", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{flags(model)['port']}"]


def test_every_setting_of_the_gateway_can_be_set(model: dict[str, Any]) -> None:
    environment = model["services"]["gateway"]["environment"]

    settable = {name.removeprefix("STN_").lower() for name in environment} - WIRED
    assert settable == set(Settings.model_fields) - WIRED


def test_unset_a_setting_is_what_the_gateway_has_by_default(model: dict[str, Any]) -> None:
    """Except for the grace, here fitted to the longest request, and logs, here for machines."""
    environment = model["services"]["gateway"]["environment"]
    fields = {
        name: field
        for name, field in Settings.model_fields.items()
        if name not in WIRED | {"shutdown_grace_seconds", "log_format"}
    }

    different = {
        name: (environment[f"STN_{name.upper()}"], field.default)
        for name, field in fields.items()
        # An empty variable counts as not set.
        if (environment[f"STN_{name.upper()}"] or None) != (field.default or None)
    }
    assert different == {}


def test_every_variable_has_a_default() -> None:
    """Nothing has to be set, and nothing unset turns into an empty word."""
    assert unclear_variables(CPU) == []
