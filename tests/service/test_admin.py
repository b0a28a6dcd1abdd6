"""The port for those who run the gateway: what is there, and what is not."""

import os
import re
import signal
import sys
from collections.abc import Iterator

import httpx
import pytest

from service.keys import line_for, new_key
from tests.service.gateway_process import Gateway, children_of, start_gateway
from tests.service.served import until
from tests.service.telemetry.scrapes import Scrape, scrape

ELSEWHERE = ["/", "/docs", "/openapi.json", "/models", "/predict", "/v2"]


def admin_of(gateway: Gateway) -> httpx.Client:
    found = re.search(r"metrics and health at (\S+)", "\n".join(gateway.said))
    assert found, gateway.said
    return httpx.Client(base_url=found[1], timeout=120)


@pytest.fixture(scope="module", params=["1", "2"], ids=["one process", "workers"])
def gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """One with keys, of one process or several."""
    keys = line_for("alice", new_key())
    flags = ("--admin-port", "0", "--workers", request.param, "--api-keys", keys)
    with start_gateway(None, *flags) as started:
        yield started


@pytest.fixture
def admin(gateway: Gateway) -> Iterator[httpx.Client]:
    with admin_of(gateway) as client:
        yield client


def test_it_shows_metrics_without_a_key(admin: httpx.Client) -> None:
    assert scrape(admin).total("stn_build_info") >= 1


def test_it_speaks_openmetrics_too(admin: httpx.Client) -> None:
    answer = admin.get("/metrics", headers={"accept": "application/openmetrics-text"})

    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_it_tells_that_the_process_answers(admin: httpx.Client) -> None:
    assert admin.get("/livez").json() == {"status": "alive"}


def test_it_tells_whether_predictions_are_answered(admin: httpx.Client) -> None:
    answer = admin.get("/readyz")

    assert answer.status_code == 503
    assert "cannot be reached" in answer.text


@pytest.mark.parametrize("path", ELSEWHERE)
def test_nothing_else_is_there(admin: httpx.Client, path: str) -> None:
    assert admin.get(path).status_code == 404


def test_the_metrics_are_nowhere_else(gateway: Gateway) -> None:
    """Not even for those with a key, who may see what others do."""
    assert "/metrics" not in httpx.get(f"{gateway.url}/openapi.json", timeout=60).json()["paths"]


def test_health_stays_where_callers_are(gateway: Gateway) -> None:
    assert httpx.get(f"{gateway.url}/livez", timeout=60).status_code == 200


@pytest.mark.skipif(sys.platform != "linux", reason="stops a worker by its number")
def test_one_scrape_counts_what_all_workers_did() -> None:
    with (
        start_gateway(None, "--admin-port", "0", "--workers", "2") as gateway,
        admin_of(gateway) as admin,
    ):
        until(lambda: all(up(scrape(admin)).values()), "both workers")
        workers = children_of(gateway.process.pid)
        # Each in turn must answer, because the other is stopped.
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
            for _ in range(3):
                httpx.get(f"{gateway.url}/models", timeout=120)
            os.kill(worker, signal.SIGCONT)
        seen = scrape(admin)

        by_worker = seen.by("worker", "http_requests_total", route="/models")
        assert by_worker == {"0": 3, "1": 3}
        assert seen.total("http_request_duration_seconds_count", route="/models") == 6
        assert len(seen.series("process_resident_memory_bytes")) == 2

        # One that does not tell is left out, and its successor begins anew.
        os.kill(min(workers), signal.SIGKILL)
        until(lambda: scrape(admin).total("http_requests_total", route="/models") == 3, "the other")
        until(lambda: all(up(scrape(admin)).values()), "its successor")
        assert scrape(admin).total("http_requests_total", route="/models") == 3


def up(seen: Scrape) -> dict[str, float]:
    return {s.labels["worker"]: s.value for s in seen.families["stn_worker_up"].samples}
