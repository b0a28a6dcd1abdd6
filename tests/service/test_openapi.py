"""The OpenAPI document is true: every route is in it, and answers are as it says."""

import asyncio
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from service import schemas
from service.app import create_app
from service.http import Answer
from service.keys import line_for, new_key
from service.oip import schemas as protocol
from service.settings import Settings
from service.static import prepare
from tests.service.fakes import FakeBackend, gateway_on
from tests.service.pictures import encoded

ROOT = Path(__file__).parents[2]
PICTURE = encoded(np.full((4, 6), 255, np.uint8))
ROUTES = {
    ("post", "/predict"),
    ("post", "/predict/batch"),
    ("post", "/warp"),
    ("get", "/models"),
    ("get", "/models/{name}"),
    ("get", "/livez"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/v2"),
    ("get", "/v2/health/live"),
    ("get", "/v2/health/ready"),
    *(
        (method, f"/v2/models/{{name}}{version}{what}")
        for version in ("", "/versions/{version}")
        for method, what in (("get", ""), ("get", "/ready"), ("post", "/infer"))
    ),
}

READINESS = {("/readyz", "503"), ("/v2/health/ready", "503")}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings()).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Return every object in a JSON document."""
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from nodes(child)
    elif isinstance(value, list):
        for child in value:
            yield from nodes(child)


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "stn-serving"
    assert document["info"]["version"]


def test_every_route_is_there_with_a_sentence(document: dict[str, Any]) -> None:
    assert {(method, path) for method, path, _ in operations(document)} == ROUTES
    for _, _, operation in operations(document):
        assert operation["summary"] or operation["description"]
        assert operation["responses"]["200"]
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = {node["$ref"] for node in nodes(document) if "$ref" in node}

    assert references
    for reference in references:
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def test_every_parameter_is_whole(document: dict[str, Any]) -> None:
    """Name, place and schema; each name in braces of a path is a parameter of it."""
    for _, path, operation in operations(document):
        parameters = operation.get("parameters", [])
        for parameter in parameters:
            assert parameter["name"]
            assert parameter["in"] in ("query", "path", "header")
            assert parameter["schema"]
        in_path = {p["name"] for p in parameters if p["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/warp"])
def test_the_options_are_documented_as_query_form_and_json_alike(
    document: dict[str, Any], path: str
) -> None:
    operation = document["paths"][path]["post"]
    options = {p["name"] for p in operation["parameters"] if p["in"] == "query"}
    content = operation["requestBody"]["content"]
    image = "images" if path == "/predict/batch" else "image"

    form = set(content["multipart/form-data"]["schema"]["properties"])
    body = set(content["application/json"]["schema"]["properties"])

    assert body == options | {image}
    assert form == options | {"image"}
    raw = {"image/png", "image/jpeg", "image/webp"}
    assert raw <= set(content) or path == "/predict/batch"


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_the_options_of_predict_are_those_that_are_read(
    document: dict[str, Any], path: str
) -> None:
    """As the error for an unknown one lists them."""
    names = [p["name"] for p in document["paths"][path]["post"]["parameters"]]

    assert sorted(names) == sorted(listed_by("/predict"))


def test_the_options_of_warp_are_those_that_are_read(document: dict[str, Any]) -> None:
    names = [p["name"] for p in document["paths"]["/warp"]["post"]["parameters"]]

    assert sorted(names) == sorted(listed_by("/warp"))


def listed_by(path: str) -> list[str]:
    async def ask() -> list[str]:
        async with gateway_on(FakeBackend()) as (client, _):
            answer = await client.post(path, content=PICTURE, params={"no-such": "1"})
            listed: str = answer.json()["errors"][0]["expected"]
            return listed.split(", ")

    return asyncio.run(ask())


def test_errors_are_documented_as_problem_documents(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) < 400 or (path, status) in READINESS:
                continue
            media_type, name = "application/problem+json", "/Problem"
            if path.startswith("/v2"):
                media_type, name = "application/json", "/InferenceProblem"
            assert response["content"][media_type]["schema"]["$ref"].endswith(name)


THETA = {"theta": "1,0,0,0,1,0"}
SAMPLES: list[tuple[str, str, dict[str, Any], type[BaseModel]]] = [
    ("POST", "/predict", {}, schemas.Prediction),
    ("POST", "/predict", {"include": "warped", "top_k": "1"}, schemas.Prediction),
    ("POST", "/predict/batch", {}, schemas.PredictionBatch),
    ("POST", "/warp", THETA, schemas.WarpedImage),
    ("GET", "/models", {}, schemas.ModelList),
    ("GET", "/models/stn", {}, schemas.ModelDetails),
    ("GET", "/models/warp", {}, schemas.ModelDetails),
    ("GET", "/livez", {}, schemas.Status),
    ("GET", "/readyz", {}, schemas.Status),
    ("POST", "/predict", {"fit": "zoom"}, schemas.Problem),
    ("POST", "/predict", {"zoom": "1"}, schemas.Problem),
    ("GET", "/models/nobody", {}, schemas.Problem),
    ("GET", "/v2", {}, protocol.ServerMetadata),
    ("GET", "/v2/health/live", {}, protocol.Live),
    ("GET", "/v2/health/ready", {}, protocol.Ready),
    ("GET", "/v2/models/stn", {}, protocol.ModelMetadata),
    ("GET", "/v2/models/warp/versions/1", {}, protocol.ModelMetadata),
    ("GET", "/v2/models/stn/ready", {}, protocol.ModelReady),
    ("POST", "/v2/models/stn/infer", {}, protocol.InferenceProblem),
    ("GET", "/v2/nothing", {}, protocol.InferenceProblem),
]


@pytest.mark.parametrize(
    ("method", "path", "params", "schema"), SAMPLES, ids=[f"{m} {p} {q}" for m, p, q, _ in SAMPLES]
)
def test_an_answer_is_as_its_schema_says(
    method: str, path: str, params: dict[str, str], schema: type[BaseModel]
) -> None:
    """Nothing is missing, nothing is left undocumented, and nothing is of another type."""

    async def ask() -> None:
        async with gateway_on(FakeBackend()) as (client, _):
            answer = await client.request(
                method,
                path,
                params=params,
                content=PICTURE if method == "POST" else None,
                headers={"accept": "application/json"},
            )
            parsed = schema.model_validate_json(answer.content, strict=True, extra="forbid")
            assert parsed.model_dump(exclude_unset=True) == answer.json()

    asyncio.run(ask())


def test_an_answer_that_is_not_ready_is_as_its_schema_says() -> None:
    async def ask() -> None:
        backend = FakeBackend()
        del backend.known["stn"]["predict"]
        async with gateway_on(backend) as (client, _):
            schemas.Status.model_validate_json((await client.get("/readyz")).content)
            models = await client.get("/models")
            schemas.ModelList.model_validate_json(models.content, strict=True, extra="forbid")

    asyncio.run(ask())


def test_it_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes milliseconds to put together and to encode; anyone may ask for it without a key."""
    made = []

    def counting(content: bytes, media_type: str) -> tuple[Answer, Answer]:
        made.append(content)
        return prepare(content, media_type)

    monkeypatch.setattr("service.app.prepare", counting)

    async def ask() -> list[bytes]:
        async with gateway_on(FakeBackend()) as (client, _):
            return [(await client.get("/openapi.json")).content for _ in range(2)]

    first, second = asyncio.run(ask())

    assert first == second
    assert len(made) == 1


def test_whoever_knows_it_is_not_sent_it_again() -> None:
    async def ask() -> tuple[int, bytes]:
        async with gateway_on(FakeBackend()) as (client, _):
            tag = (await client.get("/openapi.json")).headers["etag"]
            answer = await client.get("/openapi.json", headers={"if-none-match": tag})
            return answer.status_code, answer.content

    assert asyncio.run(ask()) == (304, b"")


def test_the_committed_document_is_the_running_one(document: dict[str, Any]) -> None:
    """Whoever changes a route sees in the diff what changes for callers: run `scripts/openapi`."""
    committed = json.loads((ROOT / "docs" / "openapi.json").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert committed["info"]["version"] == project["version"]
    running = {**document["info"], "version": project["version"]}
    assert committed == {**document, "info": running}


def test_what_needs_a_key_says_so_and_what_does_not_too(document: dict[str, Any]) -> None:
    """As the gateway does: open are the routes that answer with keys set and none sent."""

    async def ask(method: str, path: str) -> int:
        async with gateway_on(FakeBackend(), api_keys=line_for("anyone", new_key())) as (client, _):
            return (await client.request(method, path.format(name="stn", version=1))).status_code

    assert document["security"] == [{}, {"bearer": []}, {"header": []}]
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    for method, path, operation in operations(document):
        is_open = asyncio.run(ask(method, path)) != 401
        assert (operation.get("security") == []) == is_open, path
