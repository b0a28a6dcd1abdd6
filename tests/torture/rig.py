"""A gateway to torture, with what stands behind it, and what it holds of the machine."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.service.gateway_process import Gateway, start_gateway
from tests.serving_double.process import ServingDoubleProcess
from tests.torture.client import Answer, Connection
from tests.torture.load import Address

MODULE = "tests.torture.observed_gateway"
# More than enough for a machine that does other work too.
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Holdings:
    """What a process holds.

    Attributes:
        memory: resident, in bytes.
        files: open files and sockets.
        tasks: on its event loop.
    """

    memory: int
    files: int
    tasks: int


@dataclass
class Rig:
    """A running gateway and its model server, if it has one.

    Attributes:
        gateway: as a process.
        double: stands in for TensorFlow Serving; None when the models run in the gateway.
        models: folder of both.
    """

    gateway: Gateway
    double: ServingDoubleProcess | None
    models: Path

    @property
    def backend(self) -> str:
        """How it is called in the table."""
        return "embedded" if self.double is None else "gRPC"

    @property
    def address(self) -> Address:
        """Where the gateway listens."""
        host, _, port = self.gateway.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    def is_alive(self) -> bool:
        """Tell whether the gateway still runs."""
        return self.gateway.process.poll() is None

    def memory(self) -> int:
        """Return the resident memory of the gateway, in bytes."""
        status = Path(f"/proc/{self.gateway.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    async def calm_memory(self) -> int:
        """Return the least of three seconds: what pictures leave behind is given back after one."""
        least = self.memory()
        for _ in range(30):
            await asyncio.sleep(0.1)
            least = min(least, self.memory())
        return least

    async def holdings(self) -> Holdings:
        """Return what the gateway holds."""
        said = len(self.gateway.says)
        self.gateway.signal(signal.SIGUSR1)
        line = ""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not line:
                await asyncio.sleep(0.01)
                line = next((s for s in self.gateway.says[said:] if s.startswith("holds ")), "")
        held = json.loads(line.removeprefix("holds "))
        files = len(os.listdir(f"/proc/{self.gateway.process.pid}/fd"))  # noqa: PTH208
        return Holdings(self.memory(), files, held["tasks"])

    async def settled(self, before: Holdings, patience: float = 30.0) -> Holdings:
        """Wait until no more files and tasks are held than before; give up in the end."""
        end = time.monotonic() + patience
        while True:
            now = await self.holdings()
            calm = now.files <= before.files and now.tasks <= before.tasks
            if calm or time.monotonic() > end:
                return now
            await asyncio.sleep(0.2)

    async def ask(self, request: bytes) -> Answer:
        """Ask once, on a connection of its own."""
        connection = await Connection.to(self.address)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await connection.ask(request)
        finally:
            connection.hang_up()

    async def until_ready(self, status: int = 200) -> None:
        """Wait until /readyz answers with a status."""
        request = b"GET /readyz HTTP/1.1\r\nHost: gateway\r\n\r\n"
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await self.ask(request)).status != status:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


@contextlib.contextmanager
def start_rig(
    backend: str,
    models: Path,
    *flags: str,
    patient: bool = False,
    double_flags: tuple[str, ...] = ("--max-calls", "16"),
) -> Iterator[Rig]:
    """Start a gateway, ready, and what its backend needs; stop both in the end.

    Args:
        backend: `embedded` or `gRPC`.
        models: folder laid out as `<servable>/<version>/`.
        flags: of the gateway.
        patient: with limits that no slow machine reaches, in place of the default ones.
        double_flags: of the stand-in for TensorFlow Serving.
    """
    with contextlib.ExitStack() as stack:
        double = None
        if backend == "gRPC":
            double = stack.enter_context(ServingDoubleProcess(models, double_flags))
        yield stack.enter_context(start_gateway_before(double, models, *flags, patient=patient))


@contextlib.contextmanager
def start_gateway_before(
    double: ServingDoubleProcess | None, models: Path, *flags: str, patient: bool = False
) -> Iterator[Rig]:
    """Start a gateway, ready, before a model server that runs already."""
    named: tuple[Any, ...] = ("--model-server", double.address) if double is not None else ()
    with start_gateway(models, *named, *flags, module=MODULE, patient=patient) as gateway:
        gateway.wait_until_ready()
        yield Rig(gateway, double, models)
