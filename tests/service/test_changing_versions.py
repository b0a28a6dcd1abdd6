"""A model server that puts a version away, and goes on telling of it for a while."""

import asyncio
from collections.abc import Sequence

import httpx
import numpy as np
import pytest

from service.backend import VersionStatus
from tests.service.fakes import HEIGHT, WIDTH, FakeBackend, gateway_on
from tests.service.pictures import encoded

PICTURE = encoded(np.zeros((HEIGHT, WIDTH), np.uint8))


class SlowToTell(FakeBackend):
    """Has version 2 until it is put away.

    Attributes:
        looks: how often it is told of after that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.states["stn"][2] = "AVAILABLE"
        self.looks = 0

    async def versions(self, servable: str) -> Sequence[VersionStatus]:
        told = [*await super().versions(servable)]
        if servable == "stn" and self.looks:
            self.looks -= 1
            told.append(VersionStatus(2, "AVAILABLE", ()))
        return told


def answer_after(looks: int, path: str = "/predict") -> httpx.Response:
    """Put version 2 away, which is then told of so many times more, and ask."""

    async def ask() -> httpx.Response:
        backend = SlowToTell()
        async with gateway_on(backend, poll_seconds=3600) as (client, _):
            assert (await client.post("/predict", content=PICTURE)).headers[
                "x-model-version"
            ] == "2"
            del backend.states["stn"][2]
            backend.looks = looks
            return await client.post(path, content=PICTURE)

    return asyncio.run(ask())


@pytest.mark.parametrize("looks", [0, 1, 3])
def test_callers_get_the_version_that_is_left(looks: int) -> None:
    answer = answer_after(looks)

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-model-version"] == "1"


def test_who_asked_for_the_version_is_told_that_it_is_gone() -> None:
    answer = answer_after(1, "/predict?version=2")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_version")


def test_a_server_that_never_settles_is_not_asked_for_ever() -> None:
    answer = answer_after(1000)

    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
