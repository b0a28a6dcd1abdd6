"""Many callers at once, each gets its own right answer."""

import asyncio
import json
import random
from typing import Any

import httpx
import numpy as np

from tests.numpy_reference import affine_warp
from tests.service.digits import Digits
from tests.service.pictures import decoded, encoded, noise
from tests.versions import SHIPPED

AWAY = [1.2973, -0.6131, 0.2117, 0.5237, 1.5831, -0.3179]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"fit": "crop"},
    {"include": "warped"},
    {"version": SHIPPED, "top_k": 5},
    {"invert": "true"},
]


def test_64_mixed_requests_one_in_ten_malformed(
    async_client: httpx.AsyncClient, client: httpx.Client, digits: Digits
) -> None:
    """Digits with all options, warps of all sizes, broken files: none gets another's answer."""
    alone = {}
    for index in range(64):
        params = OPTIONS[index % len(OPTIONS)]
        content = encoded(digits.images[index])
        alone[index] = client.post("/predict", content=content, params=params).json()

    async def predict(index: int) -> None:
        params = OPTIONS[index % len(OPTIONS)]
        content = encoded(digits.images[index])
        answer = await async_client.post("/predict", content=content, params=params)
        assert answer.status_code == 200, answer.text
        document, expected = answer.json(), alone[index]
        assert document["label"] == expected["label"]
        np.testing.assert_allclose(document["theta"], expected["theta"], atol=1e-4)
        assert len(document["top"]) == len(expected["top"])
        assert ("warped" in document) == ("warped" in expected)

    async def warp(index: int) -> None:
        picture = noise(5 + index % 7, 4 + index % 11, seed=index)
        size = (3 + index % 5, 6 + index % 3)
        params: dict[str, Any] = {"theta": json.dumps(AWAY), "height": size[0], "width": size[1]}
        answer = await async_client.post("/warp", content=encoded(picture), params=params)
        assert answer.status_code == 200, answer.text
        expected = affine_warp(picture, AWAY, size)
        np.testing.assert_allclose(decoded(answer.content), expected, atol=1)

    async def malformed(index: int) -> None:
        content = encoded(digits.images[index])[: 60 + index]
        answer = await async_client.post("/predict", content=content)
        assert answer.status_code == 422, answer.text

    async def all_at_once() -> None:
        work = [
            malformed(n) if n % 10 == 3 else warp(n) if n % 4 == 1 else predict(n)
            for n in range(64)
        ]
        random.Random(0).shuffle(work)  # noqa: S311
        async with async_client:
            await asyncio.gather(*work)

    asyncio.run(all_at_once())
