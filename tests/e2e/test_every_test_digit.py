"""All 10,000 test digits through HTTP: the figures of the model card are what callers get.

Needs the complete MNIST: STN_TEST_MNIST names the folder with its idx files.
"""

import asyncio
import io
import os
from collections.abc import Sequence

import httpx
import numpy as np
import pytest
from PIL import Image

from model_export.data import load_digits
from model_export.distortion import fixed_set

pytestmark = [pytest.mark.mnist, pytest.mark.slow, pytest.mark.timeout(1800)]

_IN_FLIGHT = 32


@pytest.fixture(scope="module")
def test_digits() -> tuple[np.ndarray, np.ndarray]:
    folder = os.environ.get("STN_TEST_MNIST")
    assert folder, "set STN_TEST_MNIST to the folder with MNIST's four idx files"
    digits = load_digits(folder)
    return digits.test_images, digits.test_labels


@pytest.fixture(scope="module")
def errors_of_card(embedded_gateway: str) -> dict[str, float]:
    card = httpx.get(f"{embedded_gateway}/models/stn", timeout=60).json()["card"]
    return {test["name"]: test["error_percent"] for test in card["test_errors"]}


def test_rts_digits_are_misread_exactly_as_often_as_the_card_says(
    embedded_gateway: str,
    test_digits: tuple[np.ndarray, np.ndarray],
    errors_of_card: dict[str, float],
) -> None:
    images, labels = test_digits
    pictures, _ = fixed_set(images)

    error = error_percent(embedded_gateway, pictures, labels)

    assert error == pytest.approx(errors_of_card["rts"], abs=1e-9)
    assert error <= 0.60


@pytest.mark.parametrize("side", [28, 280])
def test_digits_as_people_have_them_are_read(
    embedded_gateway: str, test_digits: tuple[np.ndarray, np.ndarray], side: int
) -> None:
    images, labels = test_digits
    size = (side, side)
    pictures = [
        Image.fromarray(image).resize(size, Image.Resampling.BICUBIC) if side != 28 else image
        for image in images
    ]

    error = error_percent(embedded_gateway, [np.asarray(p) for p in pictures], labels)

    assert error <= 1.5


def error_percent(
    url: str, pictures: Sequence[np.ndarray] | np.ndarray, labels: np.ndarray
) -> float:
    """Post every picture as PNG, raw, and count the wrong answers."""
    answers = asyncio.run(_classify(url, pictures))
    return 100 * float(np.mean(np.array(answers) != labels))


async def _classify(url: str, pictures: Sequence[np.ndarray] | np.ndarray) -> list[int]:
    turns = asyncio.Semaphore(_IN_FLIGHT)
    limits = httpx.Limits(max_connections=_IN_FLIGHT)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:

        async def classify(picture: np.ndarray) -> int:
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "PNG")
            while True:
                async with turns:
                    answer = await client.post(
                        "/predict", content=file.getvalue(), headers={"content-type": "image/png"}
                    )
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    break
                # On a crowded machine it may be too much at once; then callers are to come again.
                await asyncio.sleep(int(answer.headers["retry-after"]))
            answer.raise_for_status()
            return int(answer.json()["index"])

        return list(await asyncio.gather(*(classify(picture) for picture in pictures)))
