"""What is counted, on a small backend that misbehaves when told."""

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import httpx
import numpy as np
import pytest

from service import problems
from service.context import RequestContext
from service.errors import ModelServerUnavailable
from service.telemetry.metrics import REJECTIONS, Metrics
from tests.service.fakes import FakeBackend, Fault, gateway_on, until_ready
from tests.service.pictures import encoded
from tests.service.served import Held, Wire, served, until
from tests.service.telemetry.scrapes import Growth, Scrape, scrape, scrape_async

PICTURE = encoded(np.full((4, 6), 255, np.uint8))


def asked(
    work: Callable[[httpx.AsyncClient], Awaitable[None]], backend: FakeBackend, **settings: Any
) -> None:
    async def run() -> None:
        async with gateway_on(backend, **settings) as (client, _):
            await work(client)

    asyncio.run(run())


def test_paths_that_callers_make_up_make_no_series() -> None:
    """Nor do methods, versions or labels; the number of series does not grow with them."""

    async def work(client: httpx.AsyncClient) -> None:
        for name in ("a", "b"):
            await client.get(f"/{name}")
            await client.get(f"/models/{name}")
            await client.request(name.upper(), "/models")
            await client.post("/predict", content=PICTURE, params={"version": f"{ord(name)}"})
            await client.post("/predict", content=PICTURE, params={"label": name})
            if name == "a":
                before = await scrape_async(client)
        after = await scrape_async(client)

        for family in after.families:
            if not family.startswith(("process", "python")):
                for suffix in ("", "_total", "_count", "_bucket"):
                    # The looks themselves are requests.
                    old, new = (
                        [s for s in seen.series(family + suffix) if s.get("route") != "/metrics"]
                        for seen in (before, after)
                    )
                    assert old == new

    asked(work, FakeBackend())


def test_one_who_hangs_up_is_counted_and_no_longer_in_flight() -> None:
    """As 499, which nginx made usual."""
    backend = FakeBackend()
    with (
        served(backend) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        held = Held(backend)
        with Wire(port) as wire:
            head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(PICTURE)}\r\n\r\n"
            wire.send(head.encode() + PICTURE)
            held.wait_for(1)
            # This one and the look itself.
            assert scrape(client).total("http_requests_in_flight") == 2
        until(lambda: scrape(client).total("http_requests_total", status="499") == 1, "a 499")
        assert scrape(client).total("http_requests_in_flight") == 1
        held.release()


def test_what_is_refused_before_it_is_a_request_is_counted() -> None:
    with served() as port, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        with Wire(port) as wire:
            wire.send(b"this is no HTTP\r\n\r\n")
            assert wire.until_closed().startswith(b"HTTP/1.1 400")
        seen = scrape(client)

        labels = {"route": "other", "status": "400", "code": "malformed_request"}
        assert seen.total("http_requests_total", **labels) == 1
        assert seen.total("http_requests_in_flight") == 1


def test_readiness_follows_the_model_server() -> None:
    backend = FakeBackend()

    async def work(client: httpx.AsyncClient) -> None:
        await until_ready(client)
        assert (await scrape_async(client)).total("stn_ready") == 1
        backend.away = ModelServerUnavailable("away")
        await until_ready(client, status=503)
        assert (await scrape_async(client)).total("stn_ready") == 0

    asked(work, backend)


def test_versions_labels_and_refusals_are_told_as_they_change() -> None:
    """A version that is taken away leaves no series behind."""
    backend = FakeBackend()

    def versions(seen: Scrape) -> set[str]:
        return {s["version"] for s in seen.series("stn_model_info") if s["servable"] == "stn"}

    async def work(client: httpx.AsyncClient) -> None:
        await until_ready(client)
        assert versions(await scrape_async(client)) == {"1"}
        assert (await scrape_async(client)).series("stn_model_label_info") == [
            {"servable": "stn", "label": "stable", "version": "1"}
        ]

        backend.states["stn"] = {2: "AVAILABLE", 3: "LOADING"}
        backend.labels = {"stable": 2}
        await _until_seen(client, lambda seen: versions(seen) == {"2"})

        backend.known["stn"] = {}
        backend.states["stn"] = {2: "AVAILABLE", 4: "AVAILABLE"}
        await _until_seen(
            client, lambda seen: seen.total("stn_model_versions", state="refused") == 1
        )
        assert versions(await scrape_async(client)) == {"2"}

    asked(work, backend)


async def _until_seen(client: httpx.AsyncClient, holds: Callable[[Scrape], bool]) -> None:
    async with asyncio.timeout(30):
        while True:
            if holds(await scrape_async(client)):
                return
            await asyncio.sleep(0.005)


def test_the_pictures_of_a_batch_share_calls() -> None:
    """The first goes alone to an idle model, or all go together; none goes twice."""

    async def work(client: httpx.AsyncClient) -> None:
        before = await scrape_async(client)
        files = [("image", ("a.png", PICTURE))] * 40
        assert (await client.post("/predict/batch", files=files)).status_code == 200
        grown = Growth(before, await scrape_async(client))

        assert grown.total("stn_batch_size_sum") == 40
        assert grown.total("stn_batch_size_bucket", le="32.0") == grown.total(
            "stn_batch_size_count"
        )

    asked(work, FakeBackend())


def finished(**attributes: Any) -> RequestContext:
    context = RequestContext("id", "", 0.0)
    for name, value in attributes.items():
        setattr(context, name, value)
    return context


def test_what_the_breaker_does_is_told() -> None:
    """Three failures open it; the next request is not let through; a trial closes it."""
    backend = FakeBackend()
    backend.is_remote = True

    def states(seen: Scrape, servable: str) -> set[str]:
        return set(seen.by("state", "stn_breaker_state", servable=servable))

    async def work(client: httpx.AsyncClient) -> None:
        await until_ready(client)
        assert states(await scrape_async(client), "stn") == {"closed"}
        backend.away = ModelServerUnavailable("away")
        for _ in range(4):
            assert (await client.post("/predict", content=PICTURE)).status_code == 503
        seen = await scrape_async(client)
        assert states(seen, "stn") <= {"open", "half_open"}
        assert states(seen, "warp") == {"closed"}
        assert seen.total("stn_breaker_opened_total", servable="stn") == 1
        assert seen.total("stn_rejections_total", reason="breaker_open") == 1

        backend.away = None
        await _until_seen(client, lambda seen: states(seen, "stn") == {"closed"})

    asked(work, backend, poll_seconds=60)


def test_retries_are_told() -> None:
    """A call sent once more costs one of the ten retries saved up."""
    backend = FakeBackend()
    backend.is_remote = True

    async def work(client: httpx.AsyncClient) -> None:
        await until_ready(client)
        before = await scrape_async(client)
        backend.fault = Fault(error=ModelServerUnavailable("away", is_transient=True))
        await client.post("/predict", content=PICTURE)
        after = await scrape_async(client)

        assert before.total("stn_retries_total") == 0
        assert after.total("stn_retries_total") == 1
        assert before.total("stn_retry_budget") == 10
        assert after.total("stn_retry_budget") == 9

    asked(work, backend, poll_seconds=60)


def test_requests_turned_away_are_counted_by_reason() -> None:
    async def work(client: httpx.AsyncClient) -> None:
        before = await scrape_async(client)
        assert before.by("reason", "stn_rejections_total") == {}
        reasons = {labels["reason"] for labels in before.series("stn_rejections_total")}
        assert reasons == {
            *("rate_limited", "unauthorized", "not_ready"),
            *("full", "deadline", "pictures", "breaker_open"),
        }
        await client.post("/predict", content=PICTURE)
        after = await scrape_async(client)
        assert after.by("reason", "stn_rejections_total") == {"not_ready": 1}

    backend = FakeBackend()
    backend.states["stn"] = {1: "LOADING"}
    asked(work, backend)


def test_what_admission_does_is_told() -> None:
    """Held calls fill the lane; one request more is turned away, and those held still answered."""
    backend = FakeBackend()
    address = "http://127.0.0.1"
    with served(backend) as port, httpx.Client(base_url=f"{address}:{port}", timeout=60) as client:
        # As long as no pace is known: a number of rounds.
        limit = math.ceil(scrape(client).total("stn_work_limit", servable="stn"))
        assert limit > 0
        held = Held(backend)
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(PICTURE)}\r\n\r\n"
        with ExitStack() as stack:
            for _ in range(limit):
                stack.enter_context(Wire(port)).send(head.encode() + PICTURE)
            until(lambda: scrape(client).total("stn_work_load") == limit, "a full lane")
            assert client.post("/predict", content=PICTURE).status_code == 503
            seen = scrape(client)
            assert seen.by("reason", "stn_rejections_total") == {"full": 1}
            held.release()
            until(lambda: scrape(client).total("stn_work_load") == 0, "an empty lane")


def test_callers_are_known_by_their_keys_and_nobody_else_sees_the_metrics() -> None:
    """Names come from the configuration, never from a request."""
    key = "stn_secret"
    keys = f"alice:{hashlib.sha256(key.encode()).hexdigest()}"

    async def work(client: httpx.AsyncClient) -> None:
        assert (await client.get("/metrics")).status_code == 401
        await client.get("/models", headers={"x-api-key": "stn_mallory"})
        client.headers["x-api-key"] = key
        await client.post("/predict", content=PICTURE)
        await client.get("/nowhere")
        seen = await scrape_async(client)

        assert seen.by("status", "stn_caller_requests_total", caller="alice") == {
            "200": 1,
            "404": 1,
        }
        assert {s["caller"] for s in seen.series("stn_caller_requests_total")} == {"alice"}
        assert seen.total("stn_rejections_total", reason="unauthorized") == 2

    asked(work, FakeBackend(), api_keys=keys)


def test_every_reason_for_turning_away_is_the_code_of_an_error() -> None:
    assert set(REJECTIONS) <= {kind.code for kind in problems.STATUS_OF}


def test_callers_are_counted_by_name_and_status() -> None:
    metrics = Metrics()
    for caller, status in (("alice", 200), ("alice", 200), ("alice", 429), ("", 200)):
        metrics.finished({}, finished(caller=caller, status=status))
    seen = Scrape(metrics.exposition("")[0].decode())

    counts = {
        (s["caller"], s["status"]): seen.total("stn_caller_requests_total", **s)
        for s in seen.series("stn_caller_requests_total")
    }
    assert counts == {("alice", "200"): 2, ("alice", "429"): 1}


@pytest.mark.parametrize("code", ["OK", "UNAVAILABLE"])
def test_a_call_is_counted_by_service_method_and_code(code: str) -> None:
    metrics = Metrics()
    metrics.rpc("/tensorflow.serving.ModelService/GetModelStatus", code, 0.25)
    metrics.rpc("/tensorflow.serving.ModelService/GetModelStatus", code, 0.25)
    seen = Scrape(metrics.exposition("")[0].decode())

    labels = {"grpc_service": "tensorflow.serving.ModelService", "grpc_method": "GetModelStatus"}
    assert seen.total("grpc_client_handled_total", **labels, grpc_code=code) == 2
    assert seen.total("grpc_client_handling_seconds_sum", **labels) == 0.5


def test_every_request_has_its_own_place_in_each_histogram() -> None:
    """Two routes, two statuses; durations land in the bucket that holds them."""
    metrics = Metrics()
    for route, status in (("/predict", 200), ("/predict", 503), ("/warp", 200)):
        context = finished(route=route, status=status)
        metrics.started({}, context)
        metrics.finished({}, context)
    seen = Scrape(metrics.exposition("")[0].decode())

    assert seen.by("route", "http_request_duration_seconds_count", status="200") == {
        "/predict": 1,
        "/warp": 1,
    }
    assert seen.total("http_request_duration_seconds_bucket", le="+Inf") == 3
    assert seen.total("http_requests_in_flight") == 0
