"""What each feature of the gateway costs a request: with it, without it, in turns."""

import asyncio
import hashlib
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.gateway.instant import InstantBackend
from benchmarks.gateway.wire import AS_CURL, Wire, connect, http_request
from benchmarks.serving import messages
from benchmarks.serving.picture import read_picture
from service import inference
from service.app import Gateway, create_app
from service.embedded import EmbeddedBackend
from service.settings import Settings
from tests.torture.client import get

_KEY = "benchmark-key-0123456789abcdef"


@dataclass(frozen=True)
class Variant:
    """A gateway, and what it is asked.

    Attributes:
        name: what is special about it.
        request: what it is asked.
        settings: that differ from how it comes.
        change: what is taken out of it.
        unchecked: whether the model's answers go unchecked.
        status: of its answers.
    """

    name: str
    request: bytes
    settings: dict[str, Any]
    change: Callable[[Gateway], None] = lambda _: None
    unchecked: bool = False
    status: int = 200


def variants() -> list[Variant]:
    """Return all of them, the gateway as it comes first."""
    picture = read_picture()
    as_body = messages.raw(picture, with_image=False)
    raw = http_request(as_body)
    with_key = http_request(as_body, f"Authorization: Bearer {_KEY}")
    with_id = http_request(as_body, "X-Request-Id: 0123456789abcdef")
    key = {"api_keys": f"bench:{hashlib.sha256(_KEY.encode()).hexdigest()}"}
    return [
        Variant("as it comes, a PNG as the body", raw, {}),
        Variant("without the access log", raw, {"access_log_sample": 0.0}),
        Variant("without metrics", raw, {}, _without_metrics),
        Variant("without admission", raw, {}, _without_admission),
        Variant("without checks of the model's answer", raw, {}, unchecked=True),
        Variant("with the caller's request id", with_id, {}),
        Variant(
            "with a rate limit", raw, {"rate_limit_per_second": 1e9, "rate_limit_burst": 10**9}
        ),
        Variant("with API keys", with_key, key),
        Variant("as multipart", http_request(messages.upload(picture, with_image=False)), {}),
        Variant("as base64 in JSON", http_request(messages.member(picture, with_image=False)), {}),
        Variant("with the warped image", http_request(messages.raw(picture, with_image=True)), {}),
        Variant(
            "refused: not a picture", http_request(messages.raw(b"text", False)), {}, status=415
        ),
        Variant("refused: overloaded", raw, {}, _overloaded, status=503),
        Variant("GET /livez", get("/livez", *AS_CURL), {}),
    ]


async def measure(models: Path, rounds: int, connections: int, asks: int) -> dict[str, float]:
    """Return the median CPU microseconds of a request to each variant, all taking turns.

    Args:
        models: folder of the SavedModels.
        rounds: turns of each.
        connections: that ask at the same time.
        asks: requests of each connection in a turn.
    """
    backend = InstantBackend(EmbeddedBackend(models, ("stn", "warp")))
    times: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        ready = []
        for variant in variants():
            settings = Settings(models=models, poll_seconds=3600, **variant.settings)
            app = create_app(settings, backend)
            await stack.enter_async_context(app.router.lifespan_context(app))
            variant.change(app)
            wires = connect(app, settings, connections)
            answer = await wires[0].ask(variant.request)
            if not answer.startswith(b"HTTP/1.1 %d " % variant.status):
                raise RuntimeError(f"{variant.name}: {answer.decode()}")
            ready.append((variant, wires))
        for turn in tqdm(range(rounds + 1), "rounds"):
            for variant, wires in ready if turn % 2 else reversed(ready):
                seconds = await _turn(variant, wires, asks)
                if turn:  # the first one warms up
                    times.setdefault(variant.name, []).append(seconds)
    return {v.name: 1e6 * statistics.median(times[v.name]) for v, _ in ready}


async def _turn(variant: Variant, wires: list[Wire], asks: int) -> float:
    async def caller(wire: Wire) -> None:
        for _ in range(asks):
            await wire.ask(variant.request)

    check = inference.check_prediction
    if variant.unchecked:
        inference.check_prediction = lambda *_: None
    try:
        start = time.process_time()
        await asyncio.gather(*map(caller, wires))
        return (time.process_time() - start) / asks / len(wires)
    finally:
        inference.check_prediction = check


def _without_metrics(app: Gateway) -> None:
    app.edge.openers.clear()
    del app.edge.observers[0]


def _without_admission(app: Gateway) -> None:
    app.edge.admission = None


def _overloaded(app: Gateway) -> None:
    app.state.admission.traffics["stn"].lane.enter(10**6)
