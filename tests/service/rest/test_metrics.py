"""`GET /metrics`: exact counts after known requests, whichever backend computes."""

from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.service.digits import Digits
from tests.service.pictures import encoded, photo
from tests.service.served import until
from tests.service.telemetry.scrapes import Growth, scrape
from tests.versions import SHIPPED

IDENTITY = {"theta": "1,0,0,0,1,0"}


def test_requests_are_counted_by_route_status_and_code(
    client: httpx.Client, digits: Digits
) -> None:
    picture = encoded(digits.images[0])
    before = scrape(client)
    for _ in range(3):
        client.post("/predict", content=picture)
    client.post("/predict", content=picture, params={"version": "999"})
    client.post("/predict", content=b"no picture")
    client.post("/warp", content=picture, params=IDENTITY)
    client.get("/models/stn")
    client.get("/no/such/route")
    grown = Growth(before, scrape(client))

    def count(route: str, status: int, code: str = "ok") -> float:
        labels = {"route": route, "status": str(status), "code": code}
        return grown.total("http_requests_total", **labels)

    assert count("/predict", 200) == 3
    assert count("/predict", 404, "unknown_version") == 1
    assert count("/predict", 415, "unsupported_image_format") == 1
    assert count("/warp", 200) == 1
    assert count("/models/{name}", 200) == 1
    assert count("other", 404, "not_found") == 1
    # The first look at the metrics was over when the second was taken.
    assert count("/metrics", 200) == 1
    assert grown.total("http_requests_total") == 9
    assert grown.total("http_request_duration_seconds_count") == 9
    assert grown.total("http_request_duration_seconds_count", route="/predict", status="200") == 3


def test_each_picture_passes_each_stage_once(client: httpx.Client, digits: Digits) -> None:
    """One of /predict, one of /warp, and three that come together."""
    picture = encoded(digits.images[0])
    before = scrape(client)
    client.post("/predict", content=picture)
    client.post("/warp", content=encoded(photo(300, 200)), params=IDENTITY)
    client.post("/predict/batch", files=[("image", ("a.png", picture))] * 3)
    grown = Growth(before, scrape(client))

    stages = grown.by("stage", "stn_stage_duration_seconds_count")
    # What is made of three pictures is encoded once.
    assert stages == {"decode": 5, "queue": 5, "model": 5, "encode": 3}
    assert grown.total("stn_image_pixels_count") == 5
    assert grown.total("stn_image_pixels_sum") == 4 * 28 * 28 + 300 * 200
    assert grown.total("stn_image_pixels_bucket", le="1024.0") == 4
    assert grown.total("stn_batch_size_sum") == 4
    # The three share a call when none of them finds the model idle; at most one does.
    assert grown.total("stn_batch_size_count") in (2, 3)


def test_stages_take_no_longer_than_their_request(client: httpx.Client, digits: Digits) -> None:
    before = scrape(client)
    client.post("/predict", content=encoded(digits.images[0]))
    grown = Growth(before, scrape(client))

    total = grown.total("http_request_duration_seconds_sum", route="/predict")
    stages = grown.by("stage", "stn_stage_duration_seconds_sum")
    assert all(seconds > 0 for seconds in stages.values())
    assert sum(stages.values()) <= total


def test_bytes_are_counted_as_they_came_and_went(client: httpx.Client, digits: Digits) -> None:
    picture = encoded(digits.images[0])
    before = scrape(client)
    answer = client.post("/predict", content=picture)
    head = client.head("/models")
    grown = Growth(before, scrape(client))

    assert head.status_code == 200
    received = grown.by("route", "http_request_body_bytes_total")
    sent = grown.by("route", "http_response_body_bytes_total")
    assert received == {"/predict": len(picture)}
    assert sent["/predict"] == len(answer.content)
    assert "/models" not in sent


def test_calls_of_the_model_server_are_counted_by_grpc_code(
    client: httpx.Client, digits: Digits, gateway: str
) -> None:
    """The embedded backend makes none."""
    before = scrape(client)
    client.post("/predict", content=encoded(digits.images[0]))
    after = scrape(client)
    (build,) = after.series("stn_build_info")

    labels = {
        "grpc_service": "tensorflow.serving.PredictionService",
        "grpc_method": "Predict",
        "grpc_code": "OK",
    }
    calls = Growth(before, after).total("grpc_client_handled_total", **labels)
    if build["backend"] == "embedded":
        assert calls == 0
    else:
        # Canaries are calls as well.
        assert calls >= 1
        del labels["grpc_code"]
        assert after.total("grpc_client_handling_seconds_count", **labels) >= calls


def test_readiness_and_models_are_told(client: httpx.Client) -> None:
    client.post("/predict", content=b"x", params={"label": "stable"})
    until(lambda: scrape(client).total("stn_ready") == 1, "ready")
    seen = scrape(client)

    assert seen.total("stn_model_versions", state="in_use", servable="stn") == 1
    assert seen.total("stn_model_versions", state="refused") == 0
    assert {"servable": "stn", "version": str(SHIPPED)} in seen.series("stn_model_info")
    assert {"servable": "warp", "version": "1"} in seen.series("stn_model_info")


def test_the_process_is_told_of(client: httpx.Client) -> None:
    seen = scrape(client)

    assert seen.total("process_resident_memory_bytes") > 2**24
    assert seen.total("process_cpu_seconds_total") > 0
    assert 0 < seen.total("process_open_fds") < seen.total("process_max_fds")
    assert seen.total("http_requests_in_flight") == 1


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "text/plain;version=abc,application/openmetrics;version=x",
            "text/plain; version=0.0.4; charset=utf-8",
        ),
        (
            "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
    ],
    ids=["nothing", "anything", "what Prometheus sends"],
)
def test_the_format_is_the_one_asked_for(
    client: httpx.Client, accept: str, media_type: str
) -> None:
    answer = client.get("/metrics", headers={"accept": accept})

    assert answer.headers["content-type"] == media_type
    assert ("# EOF" in answer.text) == media_type.startswith("application")
    if media_type.startswith("application"):
        read: Any = text_string_to_metric_families
        assert "http_requests" in {family.name for family in read(answer.text)}
