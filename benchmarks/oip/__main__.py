"""Load a running gateway through tritonclient, in each form that the protocol offers.

Prints, for each form, requests per second, latencies, and the CPU time that the gateway spent on a
request, which is the figure to go by: rates suffer from whatever else the machine does.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.http.aio as triton

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "digit-7.png"


@dataclass(frozen=True)
class Form:
    """One way of asking.

    Attributes:
        name: what to call it.
        inputs: of each request.
        outputs: of each request.
        coding: how bodies are compressed, both ways.
    """

    name: str
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    coding: str | None = None


def forms(shape: Sequence[int], rows: int) -> list[Form]:
    """Return all forms, for a classifier of images `(height, width, channels)`."""
    pixels = np.random.default_rng(0).integers(0, 256, (rows, *shape), np.uint8)
    pictures = np.array([PICTURE.read_bytes()] * rows, object)

    def given(array: np.ndarray, datatype: str, binary: bool) -> list[Any]:
        tensor = triton.InferInput("images", list(array.shape), datatype)
        return [tensor.set_data_from_numpy(array, binary_data=binary)]

    def wanted(binary: bool, *names: str) -> list[Any]:
        return [triton.InferRequestedOutput(name, binary_data=binary) for name in names]

    small, large = ("probabilities", "theta"), ("probabilities", "theta", "warped")
    binary, numbers = given(pixels, "UINT8", True), given(pixels, "UINT8", False)
    return [
        Form("binary in, binary out", binary, wanted(True, *small)),
        Form("JSON in, JSON out", numbers, wanted(False, *small)),
        Form("PNG in, binary out", given(pictures, "BYTES", True), wanted(True, *small)),
        Form("binary in, binary out with warped", binary, wanted(True, *large)),
        Form("JSON in, JSON out with warped", numbers, wanted(False, *large)),
        Form("the same, gzip both ways", numbers, wanted(False, *large), "gzip"),
    ]


async def load(ask: Callable[[], Any], clients: int, requests: int) -> list[float]:
    """Ask a number of times from several clients at once; return each latency in seconds."""
    seconds: list[float] = []
    left = requests

    async def client() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            start = time.perf_counter()
            await ask()
            seconds.append(time.perf_counter() - start)

    await asyncio.gather(*(client() for _ in range(clients)))
    return seconds


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has spent; Linux alone tells."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def main() -> None:
    """Measure every form in turn."""
    parser = argparse.ArgumentParser("python -m benchmarks.oip", description=__doc__)
    parser.add_argument("--url", default="127.0.0.1:8000", help="of the gateway, without http://")
    parser.add_argument("--pid", type=int, required=True, help="process of the gateway")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--requests", type=int, default=2000, help="for each form")
    parser.add_argument("--rows", type=int, default=1, help="images in a request")
    options = parser.parse_args()
    print("| form | requests/s | p50 ms | p99 ms | gateway CPU ms |")
    print("|---|---|---|---|---|")
    async with triton.InferenceServerClient(options.url, conn_limit=options.clients) as server:
        images = (await server.get_model_metadata("stn"))["inputs"][0]
        for form in forms(images["shape"][1:], options.rows):

            async def ask(form: Form = form) -> None:
                await server.infer(
                    "stn",
                    form.inputs,
                    outputs=form.outputs,
                    request_compression_algorithm=form.coding,
                    response_compression_algorithm=form.coding,
                )

            await load(ask, options.clients, options.requests // 10)
            start, before = time.perf_counter(), cpu_seconds(options.pid)
            seconds = await load(ask, options.clients, options.requests)
            cpu = (cpu_seconds(options.pid) - before) / len(seconds) * 1000
            rate = len(seconds) / (time.perf_counter() - start)
            p50, p99 = np.percentile(seconds, [50, 99]) * 1000
            print(f"| {form.name} | {rate:.0f} | {p50:.1f} | {p99:.1f} | {cpu:.2f} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
