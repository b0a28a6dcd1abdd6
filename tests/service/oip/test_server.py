"""What the protocol tells of the server and its models, and what holds for every request."""

import asyncio
import gzip
import zlib
from typing import Any

import httpx
import numpy as np
import pytest

from service.context import RequestContext
from service.errors import ModelServerUnavailable, NotFound, Overloaded
from service.oip.requests import MAX_JSON_VALUES
from tests.service.fakes import FakeBackend, gateway_on, until_ready
from tests.service.oip.examples import HEADER_LENGTH, output_of, tensor, warp_inputs
from tests.service.served import Wire, served

IMAGES = np.zeros((1, 4, 6, 1), np.uint8)
REQUEST = {"inputs": [tensor("images", IMAGES)]}
INFER = "/v2/models/stn/infer"


def get(path: str, backend: FakeBackend | None = None) -> httpx.Response:
    async def run() -> httpx.Response:
        async with gateway_on(backend or FakeBackend(), poll_seconds=60) as (client, _):
            return await client.get(path)

    return asyncio.run(run())


def test_the_server_names_itself_and_its_extensions() -> None:
    document = get("/v2").json()

    assert document["name"] == "stn-serving"
    assert document["extensions"] == ["binary_tensor_data", "classification"]


def test_the_metadata_of_the_classifier_are_those_of_the_running_model() -> None:
    document = get("/v2/models/stn").json()
    images = document["inputs"][0]

    assert document["platform"] == "tensorflow_savedmodel"
    assert document["versions"] == ["1"]
    assert (images["name"], images["datatype"], images["shape"]) == (
        "images",
        "UINT8",
        [-1, 4, 6, 1],
    )
    assert images["parameters"]["datatypes"][:2] == ["UINT8", "BYTES"]
    assert document["outputs"] == [
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
        {"name": "theta", "datatype": "FP32", "shape": [-1, 6]},
        {"name": "warped", "datatype": "FP32", "shape": [-1, 2, 3, 1]},
    ]


def test_the_metadata_of_the_transformer_leave_sizes_open() -> None:
    document = get("/v2/models/warp").json()

    described = [(i["name"], i["datatype"], i["shape"]) for i in document["inputs"]]
    assert described == [
        ("images", "UINT8", [-1, -1, -1, -1]),
        ("theta", "FP32", [-1, 6]),
        ("output_size", "INT32", [2]),
    ]
    assert document["outputs"][0]["shape"] == [-1, -1, -1, -1]


@pytest.mark.parametrize("version", ["1", "stable", "01"])
def test_a_version_is_named_by_number_or_label(version: str) -> None:
    async def run() -> None:
        async with gateway_on(FakeBackend(), poll_seconds=60) as (client, _):
            path = f"/v2/models/stn/versions/{version}"
            assert (await client.get(path)).json()["name"] == "stn"
            assert (await client.get(f"{path}/ready")).json() == {"name": "stn", "ready": True}
            answer = await client.post(f"{path}/infer", json=REQUEST)
            assert answer.json()["model_version"] == "1"
            assert answer.headers["x-model-version"] == "1"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v2/models/nobody", "unknown_model"),
        ("/v2/models/nobody/ready", "unknown_model"),
        ("/v2/models/stn/versions/2", "unknown_version"),
        ("/v2/models/stn/versions/0", "unknown_version"),
        ("/v2/models/stn/versions/99999999999999999999/ready", "unknown_version"),
        ("/v2/models/stn/versions/%D9%A3", "unknown_version"),
        ("/v2/models/stn/versions/%00", "unknown_version"),
        (f"/v2/models/stn/versions/{'x' * 101}", "unknown_version"),
        ("/v2/models/stn/versions/nobody", "unknown_label"),
        ("/v2/models/stn/versions/-1", "unknown_label"),
        ("/v2/nothing", "not_found"),
        ("/v2/models", "not_found"),
        ("/v2/", "not_found"),
    ],
)
def test_what_is_not_there_is_said_as_both_kinds_of_client_read_it(path: str, code: str) -> None:
    answer = get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["code"] == code
    assert answer.json()["error"] == answer.json()["detail"]


def test_another_method_is_refused_in_the_same_form() -> None:
    answer = get(INFER)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.json()["error"]


def test_outside_the_protocol_errors_stay_as_they_were() -> None:
    answer = get("/v2x")

    assert answer.headers["content-type"] == "application/problem+json"
    assert "error" not in answer.json()


def test_health_in_the_words_of_both_kinds_of_client() -> None:
    """Status for tritonclient, body for KServe's; and a sentence where something is wrong."""

    async def run() -> None:
        backend = FakeBackend()
        async with gateway_on(backend) as (client, _):
            assert (await client.get("/v2/health/live")).json() == {"live": True}
            assert (await client.get("/v2/health/ready")).json() == {"ready": True}
            backend.away = ModelServerUnavailable("it is away")
            await until_ready(client, 503)
            live, ready, model = [
                await client.get(f"/v2/{path}")
                for path in ("health/live", "health/ready", "models/stn/ready")
            ]
            assert (live.status_code, live.json()) == (200, {"live": True})
            assert (ready.status_code, ready.json()["ready"]) == (503, False)
            assert "it is away" in ready.json()["error"]
            assert model.status_code == 503
            assert "it is away" in model.json()["error"]

    asyncio.run(run())


def test_a_version_that_breaks_the_contract_is_not_ready() -> None:
    backend = FakeBackend()
    del backend.known["stn"]["predict"]

    for path in ("ready", "versions/1/ready"):
        answer = get(f"/v2/models/stn/{path}", backend)
        assert answer.status_code in (502, 503)
        assert "predict" in answer.json()["error"]


def post(body: Any, headers: dict[str, str], path: str = INFER) -> httpx.Response:
    async def run() -> httpx.Response:
        async with gateway_on(FakeBackend(), poll_seconds=60) as (client, _):
            return await client.post(path, content=body, headers=headers)

    return asyncio.run(run())


def body_of(document: Any) -> bytes:
    return httpx.Request("POST", "http://x", json=document).read()


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "application/octet-stream", "text/plain", "image/png"]
)
def test_the_content_type_does_not_matter(content_type: str) -> None:
    """tritonclient sends none, KServe's client and others their own."""
    headers = {"content-type": content_type} if content_type else {}

    assert post(body_of(REQUEST), headers).status_code == 200


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_both_ways(coding: str, pack: Any) -> None:
    """The lengths in headers are those of what was packed."""
    request = warp_inputs(np.zeros((1, 40, 40, 1), np.uint8), (40, 40))
    request["parameters"] = {"binary_data_output": True}
    body = body_of(request)
    headers = {
        "content-encoding": coding,
        "accept-encoding": coding,
        HEADER_LENGTH: str(len(body)),
    }

    answer = post(pack(body), headers, "/v2/models/warp/infer")

    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == coding
    assert answer.headers["vary"] == "accept-encoding"
    assert int(answer.headers["content-length"]) < 1600
    length = int(answer.headers[HEADER_LENGTH])
    assert answer.content[length:] == bytes(1600)


def test_without_accept_encoding_nothing_is_compressed() -> None:
    request = warp_inputs(np.zeros((1, 40, 40, 1), np.uint8), (40, 40))

    answer = post(body_of(request), {"accept-encoding": "identity"}, "/v2/models/warp/infer")

    assert "content-encoding" not in answer.headers
    assert not output_of(answer.json(), "warped").any()


def test_a_bomb_is_refused() -> None:
    bomb = gzip.compress(bytes(40 * 1024 * 1024))

    answer = post(bomb, {"content-encoding": "gzip"})

    assert answer.status_code == 413
    assert "unpacks" in answer.json()["error"]


def test_65536_chunks_are_harmless() -> None:
    """Chunks of one byte each once crashed a well-known server of this protocol."""
    body = body_of(REQUEST).ljust(65536)
    with served() as port, Wire(port) as wire:
        wire.send(b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: x\r\n")
        wire.send(b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        wire.send(b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
        answer = wire.until_closed()
        assert httpx.get(f"http://127.0.0.1:{port}/v2/health/live", timeout=60).json() == {
            "live": True
        }

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"model_name":"stn"' in answer


def test_a_body_too_large_for_json_is_refused_at_once() -> None:
    body = b'{"inputs": [' + b"0," * MAX_JSON_VALUES + b"0]}"

    assert post(body, {}).status_code == 400


class CountingAdmission:
    """Admits everyone while it has room, and counts."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.entered: list[str] = []
        self.left: list[str] = []

    def check(self, scope: Any, context: RequestContext) -> None:
        """Nothing to say before the body is in."""

    async def enter(self, scope: Any, context: RequestContext) -> None:
        if len(self.entered) >= self.room:
            raise Overloaded("too much", retry_after_seconds=7)
        self.entered.append(context.route)

    def leave(self, scope: Any, context: RequestContext) -> None:
        self.left.append(context.route)


def test_inference_takes_a_place_and_health_does_not() -> None:
    """And who gets none is told so in the protocol's form."""

    async def run() -> None:
        async with gateway_on(FakeBackend(), poll_seconds=60) as (client, app):
            admission = CountingAdmission(room=1)
            app.edge.admission = admission
            assert (await client.post(INFER, json=REQUEST)).status_code == 200
            refused = await client.post(INFER, json=REQUEST)
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "7"
            assert refused.json()["error"] == "too much"
            for path in ("live", "ready"):
                assert (await client.get(f"/v2/health/{path}")).status_code == 200
            assert admission.entered == admission.left == ["/v2/models/{name}/infer"]

    asyncio.run(run())


def test_only_health_is_open_to_everyone() -> None:
    """A guard that lets nobody in, as one that asks for keys does with strangers."""

    def refuse(scope: Any, context: RequestContext) -> None:
        raise NotFound("no entry")

    async def run() -> None:
        async with gateway_on(FakeBackend(), poll_seconds=60) as (client, app):
            app.edge.guards.append(refuse)
            for path in ("live", "ready"):
                assert (await client.get(f"/v2/health/{path}")).status_code == 200
            for path in ("/v2", "/v2/models/stn", "/v2/models/stn/ready"):
                assert (await client.get(path)).json()["error"] == "no entry"
            assert (await client.post(INFER, json=REQUEST)).json()["error"] == "no entry"

    asyncio.run(run())
