"""Whoever runs the model, in this process or on a server, the answers are the same."""

import asyncio
import base64
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from model_export.data import load_digits
from tests.service.digits import Digits
from tests.service.gateway_process import Gateway, start_gateway
from tests.service.pictures import decoded, encoded, noise

_TOLERANCE = 1e-5
_IN_FLIGHT = 16
AWAY = "1.2973,-0.6131,0.2117,0.5237,1.5831,-0.3179"


@pytest.fixture(scope="module")
def embedded(models_folder: Path) -> Iterator[str]:
    with start_gateway(models_folder) as running:
        running.wait_until_ready()
        yield running.url


def test_200_digits(embedded: str, gateway: Gateway, digits: Digits) -> None:
    """Probabilities, theta, region and the picture that the classifier saw."""
    pictures = digits.images[:200]
    here = asyncio.run(_classify(embedded, pictures, include="warped"))
    there = asyncio.run(_classify(gateway.url, pictures, include="warped"))

    assert_same(here, there)
    for mine, its in zip(here, there, strict=True):
        # Who shared a batch shows in the last bits, and so at times in a level of grey.
        np.testing.assert_allclose(seen_in(mine), seen_in(its), atol=1)


@pytest.mark.slow
@pytest.mark.mnist
@pytest.mark.timeout(1800)
def test_all_10000_test_digits(embedded: str, gateway: Gateway) -> None:
    folder = os.environ.get("STN_TEST_MNIST")
    assert folder, "set STN_TEST_MNIST to the folder with MNIST's four idx files"
    pictures = load_digits(folder).test_images.reshape(-1, 28, 28)
    assert len(pictures) == 10_000

    here = asyncio.run(_classify(embedded, pictures))
    there = asyncio.run(_classify(gateway.url, pictures))

    assert_same(here, there)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_every_way_to_warp(
    embedded: str, gateway: Gateway, padding: str, interpolation: str
) -> None:
    """8 and 16 bit, grey, colour and with alpha."""
    deep = noise(9, 13, None).astype(np.uint16) * 257
    for picture in (noise(9, 13, None), noise(9, 13, 3), noise(9, 13, 4), deep):
        params = {"theta": AWAY, "padding": padding, "interpolation": interpolation}
        answers = [
            httpx.post(f"{url}/warp", content=encoded(picture), params=params, timeout=60)
            for url in (embedded, gateway.url)
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        here, there = (decoded(answer.content) for answer in answers)
        np.testing.assert_array_equal(here, there)


def assert_same(here: Sequence[dict[str, Any]], there: Sequence[dict[str, Any]]) -> None:
    for name in ("probabilities", "theta"):
        np.testing.assert_allclose(
            [answer[name] for answer in here], [answer[name] for answer in there], atol=_TOLERANCE
        )
    assert [answer["label"] for answer in here] == [answer["label"] for answer in there]


def seen_in(answer: dict[str, Any]) -> np.ndarray:
    """Return the picture that the classifier saw, in grey levels."""
    return decoded(base64.b64decode(answer["warped"]["base64"])).astype(int)


async def _classify(
    url: str, pictures: Sequence[np.ndarray] | np.ndarray, **params: str
) -> list[dict[str, Any]]:
    turns = asyncio.Semaphore(_IN_FLIGHT)
    limits = httpx.Limits(max_connections=_IN_FLIGHT)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:

        async def classify(picture: np.ndarray) -> dict[str, Any]:
            async with turns:
                answer = await client.post("/predict", content=encoded(picture), params=params)
            answer.raise_for_status()
            document: dict[str, Any] = answer.json()
            return document

        return list(await asyncio.gather(*(classify(picture) for picture in pictures)))
