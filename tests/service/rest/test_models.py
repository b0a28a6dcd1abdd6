"""What the gateway says of its models and of itself."""

import httpx
import pytest

from tests.service.served import until
from tests.versions import SHIPPED


def test_the_models_are_listed_with_their_versions(client: httpx.Client) -> None:
    models = client.get("/models").json()["models"]

    assert [model["name"] for model in models] == ["stn", "warp"]
    for model, version in zip(models, (SHIPPED, 1), strict=True):
        assert model["default_version"] == version
        assert [v["version"] for v in model["versions"]] == [version]
        assert model["versions"][0]["state"] == "AVAILABLE"
        assert model["versions"][0]["ready"] is True


def test_the_classifier_tells_what_it_takes_and_what_it_knows(client: httpx.Client) -> None:
    model = client.get("/models/stn").json()

    assert model["labels"] == [str(digit) for digit in range(10)]
    assert model["input"] == {"height": 42, "width": 42, "channels": 1, "background": 0}
    assert model["output_size"] == [28, 28]
    assert model["card"]["test_errors"]
    assert client.get("/models/stn", params={"version": SHIPPED}).json() == model


def test_the_transformer_has_a_card(client: httpx.Client) -> None:
    model = client.get("/models/warp").json()

    assert model["card"]["name"] == "warp"
    assert "input" not in model


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/models/nobody", 404, "unknown_model"),
        ("/models/stn?version=99", 404, "unknown_version"),
        ("/models/stn?label=nobody", 404, "unknown_label"),
        ("/models/stn?version=x", 422, "invalid_option"),
        ("/models/stn?top_k=3", 400, "unknown_option"),
        ("/models/stn?version=1&version=2", 400, "malformed_request"),
        ("/models/stn%2f1", 404, "not_found"),
        ("/models/%2e%2e", 404, "unknown_model"),
    ],
)
def test_what_is_not_there_gets_its_code(
    client: httpx.Client, path: str, status: int, code: str
) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_it_lives_and_is_ready(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    closed = {"stn": "closed", "warp": "closed"}
    ready = {"status": "ready", "breakers": closed}
    until(lambda: client.get("/readyz").json() == ready, "ready")


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_it_documents_itself(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200
