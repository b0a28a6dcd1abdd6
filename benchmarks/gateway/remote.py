"""What the gateway adds to a call of a model server, beside a bare client of the same server."""

import asyncio
import socket
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import numpy as np
from tqdm import tqdm

from benchmarks.gateway.wire import http_request
from benchmarks.serving.messages import raw
from benchmarks.serving.picture import read_picture
from benchmarks.serving.processes import cpu_seconds
from service import wire
from tests.service.gateway_process import Gateway, start_gateway
from tests.serving_double.process import ServingDoubleProcess

CLIENTS = 32


def measure(models: Path, rounds: int, server: str | None = None) -> dict[str, float]:
    """Return medians over rounds in which both clients take turns.

    Args:
        models: folder of the SavedModels, for the stand-in for TensorFlow Serving.
        rounds: turns of each client.
        server: `host:port` of a real TensorFlow Serving with the same models; the stand-in, which
            is Python and slower, when left out.

    Returns:
        Milliseconds with one client (`bare p50`, `gateway p50`), pictures a second with 32 (`bare
        rate`, `gateway rate`), and CPU milliseconds that a gateway of one worker and of two spends
        on a picture then (`one worker`, `two workers`).
    """
    if server is not None:
        return _beside(server, rounds)
    # More than a bare client keeps busy: without spare ones, calls are refused.
    with ServingDoubleProcess(models, ["--max-calls", str(2 * CLIENTS)]) as double:
        return _beside(double.address, rounds)


def _beside(server: str, rounds: int) -> dict[str, float]:
    flags = ("--model-server", server, "--access-log-sample", "0")
    with (
        start_gateway(None, *flags, patient=False) as one,
        start_gateway(None, *flags, "--workers", "2", patient=False) as two,
    ):
        one.wait_until_ready()
        two.wait_until_ready()
        return asyncio.run(_measure(server, one, two, rounds))


async def _measure(server: str, one: Gateway, two: Gateway, rounds: int) -> dict[str, float]:
    figures: dict[str, list[float]] = {}
    async with grpc.aio.insecure_channel(server) as channel:
        bare = _bare_caller(channel)
        callers = [await _http_caller(one) for _ in range(CLIENTS)]
        of_two = [await _http_caller(two) for _ in range(CLIENTS)]
        for turn in tqdm(range(rounds + 1), "rounds beside a bare client"):
            found = {
                "bare p50": 1e3 * await _latency(bare),
                "gateway p50": 1e3 * await _latency(callers[0]),
                "bare rate": await _rate([bare] * CLIENTS),
                "gateway rate": await _rate(callers),
                "one worker": 1e3 * await _cpu(one, callers),
                "two workers": 1e3 * await _cpu(two, of_two),
            }
            for name, value in found.items() if turn else ():  # the first one warms up
                figures.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in figures.items()}


Caller = Callable[[], Awaitable[None]]


def _bare_caller(channel: grpc.aio.Channel) -> Caller:
    """Return a function that sends the ready tensor, and looks at nothing that comes back."""
    request = wire.PredictRequest(
        model_spec=wire.ModelSpec(name="stn", signature_name="predict"),
        inputs={"images": wire.encode_tensor(np.zeros((1, 42, 42, 1), np.uint8))},
        output_filter=["probabilities", "theta"],
    ).SerializeToString()
    predict = channel.unary_unary(wire.PREDICT)

    async def call() -> None:
        await predict(request, timeout=30)

    return call


async def _http_caller(gateway: Gateway) -> Caller:
    """Return a function that posts a picture over a connection of its own."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = http_request(raw(read_picture(), with_image=False))

    async def call() -> None:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)

    return call


async def _latency(call: Caller, calls: int = 100) -> float:
    """Return the median seconds of a call, one after the other."""
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        await call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


async def _cpu(gateway: Gateway, callers: list[Caller], calls: int = 640) -> float:
    """Return the CPU seconds that all workers of a gateway spend on a call."""
    before = cpu_seconds(gateway.process.pid)
    await _rate(callers, calls)
    return (cpu_seconds(gateway.process.pid) - before) / calls


async def _rate(callers: list[Caller], calls: int = 640) -> float:
    """Return the calls a second of all callers, each of whom waits for its answer."""
    left = iter(range(calls))

    async def caller(call: Caller) -> None:
        for _ in left:
            await call()

    start = time.perf_counter()
    await asyncio.gather(*map(caller, callers))
    return calls / (time.perf_counter() - start)
