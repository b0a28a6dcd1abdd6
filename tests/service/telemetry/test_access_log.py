"""The access log: one line for each request, with all that helps and nothing of a picture."""

import asyncio
import base64
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import numpy as np
import pytest

from service.backend import VersionStatus
from service.context import RequestContext
from service.errors import ModelServerUnavailable
from service.telemetry.access_log import AccessLog
from tests.service.fakes import FakeBackend, Fault, gateway_on
from tests.service.pictures import encoded

PICTURE = encoded(np.full((4, 6), 255, np.uint8))
TRACE = "0af7651916cd43dd8448eb211c80319c"
Lines = list[dict[str, Any]]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], Lines]:
    """Return the fields of the access lines so far, with their level."""
    caplog.set_level(logging.INFO, "stn_serving.access")
    return lambda: [
        {**vars(record)["fields"], "level": record.levelname}
        for record in caplog.records
        if record.name == "stn_serving.access"
    ]


def asked(
    work: Callable[[httpx.AsyncClient], Awaitable[Any]],
    backend: FakeBackend | None = None,
    **settings: Any,
) -> None:
    async def run() -> None:
        async with gateway_on(backend or FakeBackend(), **settings) as (client, _):
            await work(client)

    asyncio.run(run())


def test_a_line_says_who_asked_what_and_what_became_of_it(lines: Callable[[], Lines]) -> None:
    headers = {"x-request-id": "me", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    asked(lambda client: client.post("/predict", content=PICTURE, headers=headers))

    (line,) = lines()
    assert set(line.pop("stages_ms")) == {"decode", "queue", "model", "encode"}
    assert line.pop("duration_ms") > 0
    assert line.pop("response_bytes") > 0
    assert line == {
        "level": "INFO",
        "request_id": "me",
        "trace_id": TRACE,
        "client": "127.0.0.1",
        "method": "POST",
        "route": "/predict",
        "status": 200,
        "request_bytes": len(PICTURE),
        "model_version": 1,
    }


def test_a_caller_with_a_key_is_named_and_the_key_is_not(lines: Callable[[], Lines]) -> None:
    key = "stn_secret"
    keys = f"alice:{hashlib.sha256(key.encode()).hexdigest()}"
    asked(lambda client: client.get("/models", headers={"x-api-key": key}), api_keys=keys)

    (line,) = lines()
    assert line["caller"] == "alice"
    assert key not in str(line)


def test_what_is_wrong_has_its_code(lines: Callable[[], Lines]) -> None:
    asked(lambda client: client.post("/predict", content=b"no picture"))

    (line,) = lines()
    assert (line["status"], line["code"]) == (415, "unsupported_image_format")
    assert line["level"] == "INFO"
    assert "error" not in line


def test_what_is_not_the_caller_s_fault_is_a_warning_and_says_why(
    lines: Callable[[], Lines],
) -> None:
    backend = FakeBackend()

    async def work(client: httpx.AsyncClient) -> None:
        backend.fault = Fault(error=ModelServerUnavailable("no", log_detail="UNAVAILABLE: refused"))
        await client.post("/predict", content=PICTURE)

    asked(work, backend, poll_seconds=60)

    (line,) = lines()
    assert line["level"] == "WARNING"
    assert line["code"] == "model_server_unavailable"
    assert line["error"] == "no UNAVAILABLE: refused"


def test_no_line_holds_a_picture_or_an_option(caplog: pytest.LogCaptureFixture) -> None:
    """However they were sent, and whatever was wrong with them."""
    text = base64.b64encode(PICTURE).decode()
    caplog.set_level(logging.DEBUG, "stn_serving")

    async def work(client: httpx.AsyncClient) -> None:
        await client.post("/predict", json={"image": text})
        await client.post("/predict", json={"image": "#" + text})
        await client.post(f"/predict?image={text}")
        await client.post("/predict", content=PICTURE, params={"top_k": text})
        await client.post("/predict", content=PICTURE, params={text: "1"})
        await client.post("/predict", content=PICTURE, headers={"x-request-id": text + "!"})
        await client.get(f"/models/{text.replace('/', '-')}?label={text}")
        await client.get(f"/somewhere/else/{'-' * 90}{text}")

    asked(work)

    said = " ".join(str(vars(record)) for record in caplog.records)
    assert caplog.records
    assert text[:24] not in said
    assert text[-24:] not in said


def test_a_path_without_a_route_is_cut_short_and_cannot_end_the_line(
    lines: Callable[[], Lines],
) -> None:
    asked(lambda client: client.get("/no%0asuch/" + "x" * 1000))

    (line,) = lines()
    assert line["path"] == "/no\nsuch/" + "x" * 91
    assert line["code"] == "not_found"
    assert "route" not in line


@pytest.mark.parametrize(("sample", "expected"), [(0.0, 0), (0.25, 5), (0.3, 6), (1.0, 20)])
def test_the_share_of_good_requests_asked_for_is_logged(
    lines: Callable[[], Lines], sample: float, expected: int
) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        for _ in range(20):
            await client.get("/models")

    asked(work, access_log_sample=sample)

    assert len(lines()) == expected


def test_what_goes_wrong_is_logged_whatever_the_share(lines: Callable[[], Lines]) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        await client.get("/models")
        await client.get("/nowhere")

    asked(work, access_log_sample=0.0)

    assert [line["status"] for line in lines()] == [404]


def test_probes_are_not_logged_ready_or_not(lines: Callable[[], Lines]) -> None:
    backend = FakeBackend()
    backend.away = ModelServerUnavailable("away")

    async def work(client: httpx.AsyncClient) -> None:
        for path in ("/livez", "/metrics", "/readyz"):
            await client.get(path)

    asked(work, backend)

    assert lines() == []


class CountingBackend(FakeBackend):
    """Counts how often it is asked for versions."""

    asked = 0

    async def versions(self, servable: str) -> Sequence[VersionStatus]:
        self.asked += 1
        return await super().versions(servable)


def test_a_change_of_readiness_is_logged_once_with_its_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """However often the backend is asked meanwhile."""
    backend = CountingBackend()
    caplog.set_level(logging.INFO, "stn_serving")

    def said() -> list[str]:
        return [m for m in caplog.messages if m.startswith(("ready", "not ready"))]

    async def work(client: httpx.AsyncClient) -> None:
        await _until(lambda: len(said()) == 1)
        backend.away = ModelServerUnavailable("gone for a walk")
        await _until(lambda: len(said()) == 2)
        asked = backend.asked
        await _until(lambda: backend.asked > asked + 6)
        backend.away = None
        await _until(lambda: len(said()) == 3)

    asked(work, backend)

    assert said()[0] == said()[2] == "ready"
    assert said()[1].startswith("not ready: stn: gone for a walk")


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while True:
            if holds():
                return
            await asyncio.sleep(0.005)


def test_of_a_flood_turned_away_twenty_lines_a_second_are_written_and_the_rest_counted(
    lines: Callable[[], Lines],
) -> None:
    """What was left out stands in the next line; other answers keep theirs."""
    now = [100.0]
    access = AccessLog(clock=lambda: now[0])

    def finish(status: int, times: int) -> None:
        for _ in range(times):
            context = RequestContext(request_id="me", traceparent="", deadline=0.0)
            context.status = status
            access.finished({"method": "POST", "path": "/predict"}, context)

    finish(503, 50)
    finish(400, 3)
    now[0] += 1.0
    finish(429, 5)
    now[0] += 1.0
    finish(503, 1)

    statuses = [line["status"] for line in lines()]
    assert statuses == [503] * 20 + [400] * 3 + [429] * 5 + [503]
    assert [line.get("left_out") for line in lines()] == [None] * 23 + [30] + [None] * 5
