"""Who takes part: how each server is started and asked."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving import messages
from benchmarks.serving.messages import Asking

ROOT = Path(__file__).parents[2]
PEERS = Path(__file__).parent / "peers"
MODELS = ROOT / "models"
MODEL = MODELS / "stn" / "2"
# Filled in when a server is started: its port and two more, a folder that goes when it ends, and
# the model server before which a gateway stands.
PORT, SPARE, OTHER_SPARE = "{port}", "{spare}", "{other_spare}"
SCRATCH, MODEL_SERVER = "{scratch}", "{model_server}"


@dataclass(frozen=True)
class Candidate:
    """A server that takes part.

    Attributes:
        name: of the software, in the table.
        form: `documented`, `tuned`, or how the gateway stands.
        environment: in which it runs; empty for the one that runs the benchmark.
        command: a program of the environment, and its arguments.
        asking: makes the request for a prediction of a picture.
        folder: where it is started.
        variables: added to its environment.
    """

    name: str
    form: str
    environment: str
    command: tuple[str, ...]
    asking: Asking = messages.raw
    folder: Path = ROOT
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """How it is called on the command line and in the CSV."""
        form = self.form.replace(",", "").replace(" ", "-")
        return f"{self.environment or 'gateway'}-{form}"

    def argv(self, environments: Path) -> list[str]:
        """Return the command line, its port still to be filled in."""
        program, *arguments = self.command
        if not self.environment:
            return [sys.executable, *arguments]
        return [str(environments / self.environment / "bin" / program), *arguments]


def candidates(model_server: str | None = None) -> list[Candidate]:
    """Return all servers.

    Args:
        model_server: `host:port` of a TensorFlow Serving with the same models, if there is one; the
            gateway is then measured in front of it too.
    """
    gateway = ("python", "-m", "service", "--port", PORT)
    alone = (*gateway, "--model-server", MODEL_SERVER)
    found = [
        Candidate("stn-serve, embedded", "as shipped", "", (*gateway, "--models", str(MODELS))),
        Candidate("stn-serve, gRPC", "alone", "", alone),
    ]
    if model_server:
        in_front = (*gateway, "--model-server", model_server)
        found.append(Candidate("stn-serve, gRPC", "before TensorFlow Serving", "", in_front))
    return [
        *found,
        _script("FastAPI", "documented", "fastapi", messages.upload),
        _script("FastAPI", "tuned", "fastapi", messages.raw),
        _bento("documented", "documented", messages.uploads),
        _bento("tuned", "tuned", messages.member),
        _bento("tuned, batched", "batched", messages.members),
        _script("LitServe", "documented", "litserve", messages.member),
        _script("LitServe", "tuned", "litserve", messages.member),
        _mlserver("documented"),
        _mlserver("tuned"),
        _script("Ray Serve", "documented", "ray", messages.raw, _RAY),
        _script("Ray Serve", "tuned", "ray", messages.raw, {**_RAY, **_RAY_FAST}),
    ]


# Its own files go where ours go; nobody is told that it runs.
_RAY = {"RAY_TMPDIR": SCRATCH, "RAY_USAGE_STATS_ENABLED": "0"}
_RAY_FAST = {
    # Its documented high-throughput mode. The only replica listens itself, without a proxy before.
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": PORT,
    "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": "65535",
}


def _script(
    name: str,
    form: str,
    environment: str,
    asking: Asking,
    variables: Mapping[str, str] | None = None,
) -> Candidate:
    command, folder = ("python", f"{form}.py"), PEERS / environment
    return Candidate(name, form, environment, command, asking, folder, variables or {})


def _bento(form: str, module: str, asking: Asking) -> Candidate:
    command = ("bentoml", "serve", f"{module}:STN", "--host", "127.0.0.1", "--port", PORT)
    variables = {"BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": SCRATCH}
    return Candidate("BentoML", form, "bentoml", command, asking, PEERS / "bentoml", variables)


def _mlserver(form: str) -> Candidate:
    variables = {
        "MLSERVER_HOST": "127.0.0.1",
        "MLSERVER_HTTP_PORT": PORT,
        "MLSERVER_GRPC_PORT": SPARE,
        "MLSERVER_METRICS_PORT": OTHER_SPARE,
        # Its metrics are files, by default in the folder where it is started.
        "MLSERVER_METRICS_DIR": SCRATCH,
    }
    command, folder = ("mlserver", "start", "."), PEERS / "mlserver" / form
    return Candidate("MLServer", form, "mlserver", command, messages.tensors, folder, variables)
