"""The examples of errors are what the gateway says, word for word."""

import asyncio
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service import problems
from service.examples import error_examples
from service.keys import line_for, new_key
from tests.service.fakes import FakeBackend, gateway_on
from tests.service.pictures import encoded

PICTURE = encoded(np.zeros((4, 6), np.uint8))
_FRAMES = [Image.new("L", (6, 4), shade) for shade in (0, 255)]
TWO_FRAMES = encoded(_FRAMES[0], save_all=True, append_images=_FRAMES[1:])
WARP = {"theta": "1,0,0,0,1,0"}

# What provokes each: method, path, and what else httpx sends.
PROVOKED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "malformed_request": ("POST", "/predict", {"params": [("top_k", "1"), ("top_k", "2")]}),
    "missing_image": ("POST", "/predict", {"content": b""}),
    "unknown_option": ("POST", "/predict", {"params": {"topk": "5"}}),
    "not_found": ("GET", "/predictions", {}),
    "unknown_model": ("GET", "/models/nobody", {}),
    "unknown_version": ("POST", "/predict", {"params": {"version": "7"}}),
    "method_not_allowed": ("GET", "/predict", {}),
    "not_acceptable": ("POST", "/warp", {"params": WARP, "headers": {"accept": "image/webp"}}),
    "body_too_large": ("POST", "/predict", {"headers": {"content-length": "52428800"}}),
    "too_many_pixels": (
        "POST",
        "/warp",
        {"params": {**WARP, "width": "10000", "height": "10000"}},
    ),
    "too_many_images": ("POST", "/predict/batch", {"files": [("image", PICTURE)] * 65}),
    "unsupported_media_type": (
        "POST",
        "/predict",
        {"headers": {"content-type": "image/tiff"}},
    ),
    "unsupported_image_format": ("POST", "/predict", {"content": b"# A text, by its first bytes"}),
    "invalid_option": ("POST", "/warp", {"params": {"theta": "1,0,0,0,1"}}),
    "undecodable_image": ("POST", "/predict", {"content": PICTURE[:20]}),
    "animated_image": (
        "POST",
        "/predict",
        {"content": TWO_FRAMES},
    ),
    "unauthorized": ("POST", "/predict", {}),
    "rate_limited": ("POST", "/predict", {}),
    "not_ready": ("POST", "/predict", {}),
}

# What the gateway is started with, where that matters.
SETTINGS: dict[str, dict[str, Any]] = {
    "unauthorized": {"api_keys": line_for("anyone", new_key())},
    "rate_limited": {"rate_limit_per_second": 1.0, "rate_limit_burst": 1},
}
NOT_PROVOKED = {
    *("body_too_slow", "head_too_slow", "head_too_large", "internal_error", "deadline_exceeded"),
    *("model_server_error", "contract_broken", "rejected_by_model_server", "unavailable"),
    *("overloaded", "model_server_unavailable", "unknown_label", "invalid_tensor"),
}


def said(code: str) -> dict[str, Any]:
    """Return the problem document that the gateway answers with."""

    async def ask() -> dict[str, Any]:
        method, path, sent = PROVOKED[code]
        if method == "POST" and not sent.keys() & {"content", "files"}:
            sent = {"content": PICTURE, **sent}
        backend = FakeBackend()
        if code == "not_ready":
            backend.states["stn"] = {1: "LOADING"}
        async with gateway_on(backend, **SETTINGS.get(code, {})) as (client, _):
            answer: httpx.Response = await client.request(method, path, **sent)
            # Refused as soon as two come within a second, however slow the machine is now and then.
            while code == "rate_limited" and answer.status_code == 200:
                answer = await client.request(method, path, **sent)
            document: dict[str, Any] = answer.json()
            return document

    return asyncio.run(ask())


@pytest.mark.parametrize("code", PROVOKED)
def test_an_example_is_what_the_gateway_says(code: str) -> None:
    document, example = said(code), error_examples()[code]["value"]

    for one in (document, example):
        assert len(one.pop("request_id")) == 32
    assert document == example


def test_what_is_not_provoked_here_needs_time_or_a_broken_model() -> None:
    """A new error gets an example of its own, or is added to these."""
    assert {kind.code for kind in problems.STATUS_OF} - PROVOKED.keys() == NOT_PROVOKED
