"""The services of the compose files on a real engine, under a project name of their own."""

import json
import os
import subprocess
import time
from pathlib import Path
from socket import create_server
from typing import Any

import httpx

from tests.compose.model import CPU, ROOT

PROJECT = "stn-serving-test"
GATEWAY_IMAGE = f"{PROJECT}/gateway"
# Stands in for TensorFlow Serving under a name of its own: taking the real name would leave the
# stand-in behind where somebody expects the server.
MODEL_SERVER_IMAGE = f"{PROJECT}/model-server"


class Stack:
    """A project of Compose.

    Args:
        models: folder of the servables.

    Attributes:
        port: where the gateway is published.
        url: likewise.
    """

    def __init__(self, models: Path) -> None:
        with create_server(("127.0.0.1", 0)) as socket:
            self.port: int = socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._began = time.time()
        # What the caller has set for stacks of his own is not for this one.
        ours = ("STN_", "COMPOSE_")
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)} | {
            "STN_GATEWAY_IMAGE": GATEWAY_IMAGE,
            "STN_TENSORFLOW_SERVING_IMAGE": MODEL_SERVER_IMAGE,
            "STN_PUBLISH_PORT": str(self.port),
            "STN_MODELS": str(models),
        }

    def say(self, sentence: str) -> None:
        """Add a line to the transcript."""
        print(f"[{time.time() - self._began:6.1f} s] {sentence}", flush=True)  # noqa: T201

    def build(self) -> None:
        """Build the gateway's image, and the stand-in's."""
        self.run("docker", "build", "--tag", GATEWAY_IMAGE, ".")
        self.say("built the gateway's image")
        double = "tests/serving_double/Dockerfile"
        self.run("docker", "build", "--tag", MODEL_SERVER_IMAGE, "--file", double, ".")
        self.say("built the image that stands in for TensorFlow Serving")

    def remove(self) -> None:
        """Take away containers, networks, volumes and both images."""
        self.compose("down", "--volumes", "--remove-orphans", "--rmi", "all", "--timeout", "5")

    def compose(self, *arguments: str) -> str:
        """Run a command of Compose and return what it printed."""
        files = [word for name in CPU for word in ("--file", str(ROOT / name))]
        # Not the .env of whoever runs this.
        place = ["--project-name", PROJECT, "--env-file", os.devnull]
        return self.run("docker", "compose", *place, *files, *arguments)

    def run(self, *command: str) -> str:
        """Run a command and return what it printed; if it fails, raise with all that it said."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )
        if done.returncode:
            said = f"{done.stdout}\n{done.stderr}"
            raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}\n{said}")
        return done.stdout

    def inside(self, service: str, *command: str, index: int = 1) -> str:
        """Run a command in a service's container."""
        return self.compose("exec", "-T", "--index", str(index), service, *command)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """Return what the engine knows of a service's containers, stopped ones too."""
        names = self.compose("ps", "--all", "--quiet", service).split()
        found: list[dict[str, Any]] = json.loads(self.run("docker", "inspect", *names))
        return found

    def get(self, path: str) -> httpx.Response:
        """Ask the gateway."""
        return httpx.get(f"{self.url}{path}", timeout=30)

    def when_the_model_server_is_back(self, spec: dict[str, Any]) -> tuple[float, float]:
        """Ask the model server past the gateway; return when it listens, and when it predicts.

        Args:
            spec: of the classifier's input, as `/models/stn` tells it.
        """
        sides = (str(spec[side]) for side in ("height", "width", "channels"))
        program = ("python", "-c", _ASK_THE_MODEL_SERVER)
        listens, predicts = self.inside("gateway", *program, *sides).split()
        return float(listens), float(predicts)

    def until_ready(self, patience_seconds: float = 60) -> None:
        """Wait until /readyz says so."""
        ends = time.time() + patience_seconds
        while self.get("/readyz").status_code != 200:
            assert time.time() < ends, self.get("/readyz").text
            time.sleep(0.1)

    def num_predictions(self, index: int) -> int:
        """Return how many calls for the classifier one model server had since last asked."""
        calls = self._steer(index, "TakeCalls", {})
        return sum(c["method"] == "Predict" and c["servable"] == "stn" for c in calls)

    def slow_down(self, index: int, milliseconds: int) -> None:
        """Let one model server answer each prediction later."""
        self._steer(index, "AddFault", {"fault": {"kind": "slow", "milliseconds": milliseconds}})

    def _steer(self, index: int, method: str, request: dict[str, Any]) -> Any:
        """Make one of the calls that the stand-in has for tests."""
        program = ("python", "-c", _STEER, method, json.dumps(request))
        return json.loads(self.inside("model-server", *program, index=index))


_ASK_THE_MODEL_SERVER = """
import sys, time
import grpc, numpy
from service import wire
images = numpy.zeros([1, *map(int, sys.argv[1:])], numpy.uint8)
request = wire.PredictRequest(
    model_spec=wire.ModelSpec(name="stn", signature_name="predict"),
    inputs={"images": wire.encode_tensor(images)},
)
kinds = ("initial", "min", "max")
again_soon = [(f"grpc.{kind}_reconnect_backoff_ms", 100) for kind in kinds]
channel = grpc.insecure_channel("model-server:8500", again_soon)
grpc.channel_ready_future(channel).result(timeout=120)
print(time.time())
channel.unary_unary(wire.PREDICT)(request.SerializeToString(), timeout=120)
print(time.time())
"""

_STEER = """
import sys
import grpc
call = grpc.insecure_channel("127.0.0.1:8500").unary_unary(f"/stn.double.Control/{sys.argv[1]}")
print(call(sys.argv[2].encode(), timeout=10).decode())
"""
