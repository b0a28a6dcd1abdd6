"""Callers that ask again and again, and what comes of it."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx

from tests.service.digits import Digits
from tests.service.pictures import encoded

# More than any answer takes, however slow the machine that runs the tests is.
PATIENT_MS = 120_000
_CALLERS = 6
_PICTURES = 8


@dataclass
class Outcomes:
    """What callers saw.

    Attributes:
        statuses: how often each HTTP status came.
        wrong: answers of 200 that are not what the picture gets without any trouble.
        livez: statuses of /livez meanwhile.
        readyz: statuses of /readyz, as they changed.
        versions: which versions answered.
        problems: how often each sentence came.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    livez: set[int] = field(default_factory=set)
    readyz: list[int] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)
    problems: Counter[str] = field(default_factory=Counter)

    async def answered(self, count: int = 20, status: int = 200) -> None:
        """Wait until so many more were answered with this status."""
        goal = self.statuses[status] + count
        async with asyncio.timeout(120):
            while self.statuses[status] < goal:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def until_readyz(self, status: int) -> None:
        """Wait until /readyz answers so."""
        async with asyncio.timeout(120):
            while not self.readyz or self.readyz[-1] != status:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def load(
    client: httpx.AsyncClient, digits: Digits, timeout_ms: int = PATIENT_MS
) -> AsyncIterator[Outcomes]:
    """Ask with several callers until left; each compares with answers from before."""
    pictures = [encoded(digits.images[index]) for index in range(_PICTURES)]
    right = [await _ask(client, picture, PATIENT_MS) for picture in pictures]
    assert all(answer.status_code == 200 for answer in right)
    outcomes, stop = Outcomes(), asyncio.Event()

    async def call(first: int) -> None:
        index = first
        while not stop.is_set():
            index = (index + 1) % _PICTURES
            answer = await _ask(client, pictures[index], timeout_ms)
            outcomes.statuses[answer.status_code] += 1
            if answer.status_code == 200:
                outcomes.versions.add(answer.headers["x-model-version"])
                if not _same(answer, right[index]):
                    outcomes.wrong.append(answer.text)
            else:
                outcomes.problems[answer.json()["detail"]] += 1
                await asyncio.sleep(0.02)

    async def probe() -> None:
        while not stop.is_set():
            outcomes.livez.add((await client.get("/livez")).status_code)
            ready = (await client.get("/readyz")).status_code
            if outcomes.readyz[-1:] != [ready]:
                outcomes.readyz.append(ready)
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        for first in range(_CALLERS):
            group.create_task(call(first))
        group.create_task(probe())
        try:
            yield outcomes
        finally:
            stop.set()


async def _ask(client: httpx.AsyncClient, picture: bytes, timeout_ms: int) -> httpx.Response:
    headers = {"x-request-timeout-ms": str(timeout_ms)}
    return await client.post("/predict", content=picture, headers=headers)


def _same(answer: httpx.Response, right: httpx.Response) -> bool:
    got, expected = answer.json(), right.json()
    pairs = zip(got["probabilities"], expected["probabilities"], strict=True)
    return got["label"] == expected["label"] and all(abs(a - b) < 1e-4 for a, b in pairs)
