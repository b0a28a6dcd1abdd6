"""The stack on a real engine, in the order of these tests; `scripts/test-compose` runs them.

A stand-in takes TensorFlow Serving's place, everything else is what users run.
"""

import io
import json
import re
import time
from collections import Counter
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.compose.load import Exchange, Load
from tests.compose.model import ROOT
from tests.compose.stack import GATEWAY_IMAGE, Stack
from tests.service.digits import load_digits
from tests.versions import SHIPPED

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1800)]

# With a margin for a machine that does other things as well.
SLACK_SECONDS = 0.25
NUM_CLIENTS = 8


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def digit() -> bytes:
    return png(np.kron(load_digits().images[0], np.ones((4, 4), np.uint8)))


@pytest.fixture(scope="module")
def prediction(stack: Stack, digit: bytes) -> dict[str, Any]:
    """What the gateway answers when all is well."""
    answer = send(stack, digit)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def send(stack: Stack, picture: bytes, path: str = "/predict", **options: str) -> httpx.Response:
    headers = {"content-type": "image/png", "x-request-id": "from-the-test"}
    return httpx.post(
        f"{stack.url}{path}", content=picture, headers=headers, params=options, timeout=30
    )


def load(stack: Stack, digit: bytes) -> Load:
    return Load(stack.port, "/predict", digit, "image/png", NUM_CLIENTS)


def is_right(exchange: Exchange, prediction: dict[str, Any]) -> bool:
    """Return whether an answer of 200 says what it should, to the last digits of float32."""
    got = json.loads(exchange.body)
    close = np.allclose(got["probabilities"], prediction["probabilities"], rtol=0, atol=1e-5)
    return bool(close) and got["model"] == prediction["model"]


def test_a_digit_is_read(stack: Stack, prediction: dict[str, Any]) -> None:
    assert prediction["label"] == str(load_digits().labels[0])
    assert prediction["model"] == {"name": "stn", "version": SHIPPED}
    stack.say(f"/predict: {prediction['label']}, confidence {prediction['confidence']}")


def test_headers_say_who_answered(stack: Stack, digit: bytes) -> None:
    answer = send(stack, digit)

    assert answer.headers["x-request-id"] == "from-the-test"
    assert answer.headers["x-model-version"] == str(SHIPPED)
    assert "model" in answer.headers["server-timing"]
    stack.say(f"/predict: Server-Timing {answer.headers['server-timing']}")


def test_a_label_chooses_a_version(stack: Stack, digit: bytes) -> None:
    """models.config is read, and its labels hold."""
    assert send(stack, digit, label="stable").status_code == 200
    assert send(stack, digit, label="nightly").json()["code"] == "unknown_label"


def test_the_identity_returns_the_picture(stack: Stack) -> None:
    pixels = np.random.default_rng(7).integers(0, 256, (48, 64, 3), np.uint8)

    answer = send(stack, png(pixels), "/warp", theta="1,0,0,0,1,0")

    assert answer.headers["content-type"] == "image/png"
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(answer.content))), pixels)
    stack.say("/warp: the identity returned the picture, bit for bit")


def test_both_models_are_available(stack: Stack) -> None:
    models = stack.get("/models").json()["models"]

    states = {m["name"]: {v["version"]: v["state"] for v in m["versions"]} for m in models}
    assert states == {"stn": {SHIPPED: "AVAILABLE"}, "warp": {1: "AVAILABLE"}}


def test_what_is_no_picture_gets_a_problem_document(stack: Stack) -> None:
    answer = send(stack, b"not a picture")

    assert answer.status_code == 415
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unsupported_image_format"
    assert answer.json()["request_id"] == "from-the-test"


def test_the_model_server_is_not_published(stack: Stack) -> None:
    """Neither by us nor through what its image exposes; the gateway is, to this machine alone."""
    ports = {
        service: [
            (port, bound["HostIp"])
            for container in stack.containers(service)
            for port, bindings in container["NetworkSettings"]["Ports"].items()
            for bound in bindings or ()
        ]
        for service in ("gateway", "model-server")
    }

    assert ports == {"gateway": [("8000/tcp", "127.0.0.1")], "model-server": []}
    stack.say(f"published: {ports}")


def test_the_model_server_reaches_nobody_outside(stack: Stack) -> None:
    """Its network has no way out: no default route."""
    routes = stack.inside("model-server", "cat", "/proc/net/route").splitlines()[1:]

    assert [route for route in routes if route.split()[1] == "00000000"] == []


@pytest.mark.parametrize("service", ["gateway", "model-server"])
def test_a_service_is_nobody_and_can_change_nothing(stack: Stack, service: str) -> None:
    """Not root, no capability, no way to gain one, and a root that cannot be written."""
    status = dict(
        re.findall(r"^(\w+):\s*(.+)$", stack.inside(service, "cat", "/proc/1/status"), re.MULTILINE)
    )

    assert status["Uid"].split() == ["65532"] * 4
    assert int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    with pytest.raises(RuntimeError, match="Read-only file system"):
        stack.inside(service, "touch", "/anywhere")
    stack.say(f"{service}: user 65532, no capabilities, read-only root")


def test_the_gateway_is_small(stack: Stack) -> None:
    """At most 140 MB on top of the base image, and 110 MB of memory; and no TensorFlow."""
    (base,) = re.findall(r"^FROM (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    base = base.replace("${PYTHON_VERSION}", "3.12")
    images = (base, GATEWAY_IMAGE)
    sizes = stack.run("docker", "image", "inspect", "--format", "{{.Size}}", *images).split()
    added = (int(sizes[1]) - int(sizes[0])) / 1e6
    measure = (
        "import resource, sys, time; began = time.perf_counter(); "
        "import service.app, service.model_server; "
        "assert 'tensorflow' not in sys.modules; "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "
        "time.perf_counter() - began)"
    )
    memory, seconds = map(float, stack.inside("gateway", "python", "-c", measure).split())

    stack.say(
        f"gateway: {added:.1f} MB on top of {base}; importing it takes {seconds:.2f} s and "
        f"{memory:.0f} MiB"
    )
    assert added <= 140
    assert memory <= 110


def test_a_killed_model_server_is_missed_and_found_again(
    stack: Stack, digit: bytes, prediction: dict[str, Any]
) -> None:
    """SIGKILL under load, away for 5 seconds: 503 and never wrong; 200 within 2 s of its return."""
    spec = stack.get("/models/stn").json()["input"]
    seen: list[tuple[int, int]] = []
    with load(stack, digit) as clients:
        time.sleep(2)
        stack.compose("kill", "--signal", "SIGKILL", "model-server")
        killed = time.time()
        stack.say(f"killed the model server under the load of {NUM_CLIENTS} clients")
        while time.time() < killed + 5:
            seen.append((stack.get("/livez").status_code, stack.get("/readyz").status_code))
            time.sleep(0.1)
        stack.compose("start", "model-server")
        listens, back = stack.when_the_model_server_is_back(spec)
        time.sleep(max(0.0, back + 4 - time.time()))

    exchanges = clients.exchanges
    failed = [e for e in exchanges if e.status != 200]
    first = min(e.ended for e in exchanges if e.status == 200 and e.began > killed + 0.5)
    last = max((e.ended for e in failed), default=back)
    slowest = max(e.ended - e.began for e in exchanges)
    stack.say(f"answers: {dict(Counter(e.status for e in exchanges))}, slowest {slowest:.2f} s")
    stack.say(
        f"after {listens - killed:.1f} s it listened again; since then: its own first prediction "
        f"{back - listens:+.2f} s, first 200 {first - listens:+.2f} s, last 503 "
        f"{last - listens:+.2f} s"
    )
    assert {e.status for e in failed} == {503}
    assert all(int(e.headers["retry-after"]) >= 1 for e in failed)
    assert {e.headers["content-type"] for e in failed} == {"application/problem+json"}
    assert slowest < 10 + SLACK_SECONDS
    assert all(is_right(e, prediction) for e in exchanges if e.status == 200)
    assert {livez for livez, _ in seen} == {200}
    assert seen[-1][1] == 503
    assert first < back + 2
    assert [e for e in failed if e.began > back + 2] == []
    stack.until_ready()


def test_a_crashed_model_server_is_started_again(stack: Stack) -> None:
    """A server that dies by itself comes back without anyone doing anything."""
    script = "kill -KILL $(cat /proc/1/task/1/children)"
    before = stack.containers("model-server")[0]["RestartCount"]

    stack.inside("model-server", "bash", "-c", script)
    ends = time.time() + 10
    while stack.get("/readyz").status_code == 200:
        assert time.time() < ends
        time.sleep(0.05)
    stack.until_ready()

    assert stack.containers("model-server")[0]["RestartCount"] == before + 1
    stack.say("the model server crashed, and Docker has started it again")


def test_the_gateway_starts_without_a_model_server(stack: Stack) -> None:
    """It is alive, says what it waits for, and is ready once it is there."""
    stack.compose("stop", "model-server")
    stack.compose("restart", "--no-deps", "gateway")
    ends = time.time() + 20
    while True:
        try:
            alive = stack.get("/livez")
            break
        except httpx.TransportError:
            assert time.time() < ends
            time.sleep(0.1)

    ready = stack.get("/readyz")
    stack.say(f"without a model server: /livez {alive.status_code}, /readyz {ready.status_code}")
    assert alive.status_code == 200
    assert ready.status_code == 503
    assert len(ready.json()["reasons"]) == 2
    stack.compose("start", "model-server")
    stack.until_ready()


def test_two_model_servers_share_the_work(stack: Stack, digit: bytes) -> None:
    """The second is found without a restart, and then each gets its turn."""
    stack.compose("up", "--detach", "--wait", "--no-recreate", "--scale", "model-server=2")
    began = time.time()
    while not stack.num_predictions(2):
        assert time.time() < began + 30, "the gateway has not found the second model server"
        assert send(stack, digit).status_code == 200
    stack.say(f"scaled to two; the second had its first call after {time.time() - began:.1f} s")
    stack.num_predictions(1)

    for _ in range(200):
        assert send(stack, digit).status_code == 200

    calls = [stack.num_predictions(1), stack.num_predictions(2)]
    stack.say(f"200 predictions, canaries beside them: {calls[0]} and {calls[1]} calls")
    assert min(calls) >= 0.4 * sum(calls)


def test_stopping_loses_no_request(stack: Stack, digit: bytes, prediction: dict[str, Any]) -> None:
    """Whatever the gateway has accepted is answered; the gateway stops first, and in order."""
    for index in (1, 2):
        # So that every client has a request under way at any time.
        stack.slow_down(index, milliseconds=500)
    with load(stack, digit) as clients:
        time.sleep(3)
        began = time.time()
        stack.compose("stop")
        ended = time.time()
        time.sleep(0.5)

    accepted = [e for e in clients.exchanges if e.accepted]
    under_way = [e for e in accepted if e.began < began < e.ended]
    (gateway,) = stack.containers("gateway")
    others = [container["State"]["FinishedAt"] for container in stack.containers("model-server")]
    num_right, num_lost = sum(e.status == 200 for e in accepted), sum(e.lost for e in accepted)
    stack.say(f"stopped in {ended - began:.1f} s under load, {len(under_way)} requests under way")
    stack.say(
        f"{len(accepted)} requests accepted, {num_right} answered 200, {num_lost} lost; "
        f"{len(clients.exchanges) - len(accepted)} not accepted any more"
    )
    assert len(under_way) == NUM_CLIENTS
    assert {e.status for e in accepted} == {200}
    assert all(is_right(e, prediction) for e in accepted)
    assert gateway["State"]["ExitCode"] == 0
    assert all(gateway["State"]["FinishedAt"] < other for other in others)
