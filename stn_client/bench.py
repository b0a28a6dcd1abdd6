"""How much a gateway bears, found by asking more and more at a time."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from stn_client import calls
from stn_client.aio import AsyncClient
from stn_client.errors import GatewayError

# More throughput than this, and it is worth the longer wait.
_WORTH = 1.05
# Batches that cost this much more for each picture than the best are still as good.
_NEARLY_BEST = 1.1
_REPEATS = 3


@dataclass
class Step:
    """So many requests under way at a time, for a while.

    Attributes:
        concurrency: requests under way at a time.
        seconds: how long it took.
        latencies: of the good answers, in milliseconds, from the smallest.
        errors: how often each code came.
        client_load: share of one processor that this client used itself.
    """

    concurrency: int
    seconds: float
    latencies: list[float]
    errors: Counter[str] = field(default_factory=Counter)
    client_load: float = 0.0

    @property
    def rate(self) -> float:
        """Good answers for each second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        """Return the latency that so many percent stay within; not a number without any."""
        if not self.latencies:
            return math.nan
        return self.latencies[max(0, math.ceil(percent / 100 * len(self.latencies)) - 1)]


@dataclass(frozen=True)
class BatchCost:
    """What one request with several pictures costs, in milliseconds for each of them."""

    size: int
    ms_per_image: float


def sustainable(steps: Sequence[Step], max_latency_ms: float) -> Step | None:
    """Return the step to stay at: no errors, 99 % within the limit, and then the highest rate.

    Of steps that are about as fast, the one with the fewest at a time: more only wait longer.
    """
    good = [s for s in steps if not s.errors and s.percentile(99) <= max_latency_ms]
    best = max((step.rate for step in good), default=0.0)
    return next((step for step in good if step.rate * _WORTH >= best), None)


def batch_size(costs: Sequence[BatchCost]) -> int:
    """Return the smallest size whose cost for each picture is about the least."""
    least = min(cost.ms_per_image for cost in costs)
    return next(cost.size for cost in costs if cost.ms_per_image <= least * _NEARLY_BEST)


def batching_parameters(size: int) -> str:
    """Return the text of a model server's `batching_params.pbtxt` with batches up to a size."""
    sizes = [1 << power for power in range(size.bit_length()) if 1 << power < size] + [size]
    return "\n".join(
        [
            f"max_batch_size {{ value: {size} }}",
            *(f"allowed_batch_sizes: {allowed}" for allowed in sizes),
            "# The gateway has batched already: waiting for more would only take time.",
            "batch_timeout_micros { value: 0 }",
        ]
    )


async def measure_step(
    client: AsyncClient, images: Sequence[bytes], concurrency: int, seconds: float
) -> Step:
    """Keep so many requests under way for so long; each of them asks at least once."""
    latencies: list[float] = []
    errors: Counter[str] = Counter()
    start, cpu = time.perf_counter(), time.process_time()

    async def ask(number: int) -> None:
        while True:
            began = time.perf_counter()
            try:
                await client.send(calls.predict(images[number % len(images)]))
            except GatewayError as error:
                errors[error.code] += 1
            else:
                latencies.append((time.perf_counter() - began) * 1000)
            number += concurrency
            if time.perf_counter() - start >= seconds:
                return

    async with asyncio.TaskGroup() as group:
        for number in range(concurrency):
            group.create_task(ask(number))
    took = time.perf_counter() - start
    load = (time.process_time() - cpu) / took
    return Step(concurrency, took, sorted(latencies), errors, load)


async def measure_batches(
    client: AsyncClient, image: bytes, sizes: Sequence[int], said: Callable[[BatchCost], None]
) -> list[BatchCost]:
    """Measure requests of several pictures each, alone; of a few tries the quickest counts."""
    costs = []
    for size in sizes:
        times = []
        try:
            for _ in range(_REPEATS):
                began = time.perf_counter()
                await client.send(calls.predict_batch([image] * size))
                times.append(time.perf_counter() - began)
        except GatewayError as error:
            if error.code == "too_many_images":
                break
            raise
        costs.append(BatchCost(size, min(times) * 1000 / size))
        said(costs[-1])
    return costs
