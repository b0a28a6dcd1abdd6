"""A backend for tests: a small thing that works, and misbehaves on request."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from service.app import Gateway, create_app
from service.backend import Arrays, Backend, Call, SignatureSpec, TensorSpec, VersionStatus
from service.errors import UnknownLabel, UnknownModel, UnknownVersion
from service.options import INTERPOLATIONS, PADDINGS
from service.settings import Settings
from service.telemetry.tracer import Spans

HEIGHT, WIDTH = 4, 6
LABELS = ("dark", "middle", "light")
CLASSIFIER_CARD: dict[str, Any] = {
    "name": "shades",
    "input": {"height": HEIGHT, "width": WIDTH, "channels": 1, "polarity": "light_on_dark"},
}
WARPER_CARD: dict[str, Any] = {"name": "warp"}


def classifier_signatures() -> dict[str, SignatureSpec]:
    return {
        "predict": SignatureSpec(
            inputs={"images": TensorSpec("uint8", (-1, HEIGHT, WIDTH, 1))},
            outputs={
                "probabilities": TensorSpec("float32", (-1, 3)),
                "theta": TensorSpec("float32", (-1, 6)),
                "warped": TensorSpec("float32", (-1, 2, 3, 1)),
            },
        ),
        "describe": SignatureSpec(
            inputs={},
            outputs={"labels": TensorSpec("string", (3,)), "card": TensorSpec("string", ())},
        ),
    }


def warper_signatures() -> dict[str, SignatureSpec]:
    signatures = {"describe": SignatureSpec(inputs={}, outputs={"card": TensorSpec("string", ())})}
    for prefix, dtype in (("warp", "float32"), ("warp_uint8", "uint8")):
        for padding in PADDINGS:
            for interpolation in INTERPOLATIONS:
                signatures[f"{prefix}_{padding}_{interpolation}"] = SignatureSpec(
                    inputs={
                        "images": TensorSpec(dtype, (-1, -1, -1, -1)),
                        "theta": TensorSpec("float32", (-1, 6)),
                        "output_size": TensorSpec("int32", (2,)),
                    },
                    outputs={"warped": TensorSpec(dtype, (-1, -1, -1, -1))},
                )
    return signatures


def described(card: Any = CLASSIFIER_CARD, labels: Sequence[str] = LABELS) -> Arrays:
    return {
        "labels": np.array([label.encode() for label in labels], object),
        "card": np.array(json.dumps(card).encode(), object),
    }


@dataclass
class Fault:
    """What goes wrong: an error to raise, a wait, or a change to the outputs.

    Attributes:
        held_until: calls wait until it is set.
    """

    error: Exception | None = None
    seconds: float = 0.0
    held_until: threading.Event | None = None
    change: Callable[[Call, dict[str, np.ndarray]], dict[str, np.ndarray]] | None = None


class FakeBackend:
    """Tells how light a picture is, and warps by repeating its first pixel unless told identity.

    Attributes:
        fault: what goes wrong with the next calls; None when all is well.
        away: the error with which it cannot be reached; None when it can.
        calls: what it was asked to run.
    """

    name = "fake"
    is_remote = True
    max_predict_calls = 1
    max_warp_calls = 1

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.away: Exception | None = None
        self.labels = {"stable": 1}
        self.states = {"stn": {1: "AVAILABLE"}, "warp": {1: "AVAILABLE"}}
        self.known: dict[str, dict[str, SignatureSpec]] = {
            "stn": classifier_signatures(),
            "warp": warper_signatures(),
        }
        self.calls: list[Call] = []

    async def start(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def versions(self, servable: str) -> Sequence[VersionStatus]:
        if self.away is not None:
            raise self.away
        if servable not in self.states:
            raise UnknownModel(servable)
        labels = {v: n for n, v in self.labels.items()} if servable == "stn" else {}
        return [
            VersionStatus(version, state, (labels[version],) if version in labels else ())
            for version, state in self.states[servable].items()
        ]

    async def resolve(self, servable: str, label: str) -> int:
        if servable != "stn" or label not in self.labels:
            raise UnknownLabel(f"{servable} has no such label")
        return self.labels[label]

    async def signatures(self, servable: str, version: int) -> Mapping[str, SignatureSpec]:
        if version not in self.states[servable]:
            raise UnknownVersion(str(version))
        return self.known[servable]

    async def run(self, call: Call, deadline: float) -> Arrays:
        # Who sees the call may change the fault, from another thread too: for the next call.
        fault = self.fault
        self.calls.append(call)
        if self.away is not None:
            raise self.away
        if call.version not in self.states[call.servable]:
            raise UnknownVersion(f"{call.servable} has no version {call.version}")
        outputs = _answer(call)
        if fault is not None and call.signature != "describe":
            await asyncio.sleep(fault.seconds)
            # Set by another thread, which cannot set an event of this loop.
            while fault.held_until is not None and not fault.held_until.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            if fault.error is not None:
                raise fault.error
            if fault.change is not None:
                outputs = fault.change(call, outputs)
        return {name: outputs[name] for name in call.outputs if name in outputs}


def _answer(call: Call) -> dict[str, np.ndarray]:
    if call.signature == "describe":
        card = CLASSIFIER_CARD if call.servable == "stn" else WARPER_CARD
        return dict(described(card))
    images = call.inputs["images"]
    count = len(images)
    if call.signature == "predict":
        light = images.reshape(count, -1).mean(axis=1) / 255
        middle = 1 - np.abs(2 * light - 1)
        probabilities = np.stack([(1 - light) - middle / 2, middle, light - middle / 2], axis=1)
        theta = np.tile(np.array([1, 0, 0.25, 0, 0.5, -0.5], np.float32), (count, 1))
        warped = np.full((count, 2, 3, 1), 0.5, np.float32)
        return {"probabilities": probabilities.astype(np.float32), "theta": theta, "warped": warped}
    height, width = (int(side) for side in call.inputs["output_size"])
    if np.array_equal(call.inputs["theta"], [[1, 0, 0, 0, 1, 0]] * count):
        warped = images
        if images.shape[1:3] == (height, width):
            return {"warped": warped}
    return {"warped": np.tile(images[:, :1, :1], (1, height, width, 1))}


@asynccontextmanager
async def gateway_on(
    backend: Backend, spans: Spans | None = None, **settings: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Gateway]]:
    """Run the gateway in this event loop, on any backend, and give a client for it."""
    settings = {"poll_seconds": 0.01, **settings}
    app = create_app(Settings(**settings), backend, spans)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client, app


async def until(
    client: httpx.AsyncClient, path: str, holds: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Ask a route again and again until its answer satisfies; return the answer."""
    async with asyncio.timeout(60):
        while True:
            document: dict[str, Any] = (await client.get(path)).json()
            if holds(document):
                return document
            await asyncio.sleep(0.005)


async def until_ready(client: httpx.AsyncClient, status: int = 200) -> dict[str, Any]:
    """Wait until /readyz answers with a status; return what it says."""
    wanted = "ready" if status == 200 else "not ready"
    return await until(client, "/readyz", lambda document: document["status"] == wanted)
