"""What it costs to have the gateway in a process, and that its channel is opened late."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving_double.process import ServingDoubleProcess

ROOT = Path(__file__).parents[3]
_MOST_MEGABYTES = 110

_PROGRAM = """
import pathlib, re, sys
import service.app, service.model_server
print(*sorted({name.partition(".")[0] for name in sys.modules}))
status = pathlib.Path("/proc/self/status")
print(re.search(r"VmHWM:\\s*(\\d+)", status.read_text())[1] if status.exists() else 0)
"""

_FORKING = """
import asyncio, os, sys, threading
from service.app import create_app
from service.settings import Settings
app = create_app(Settings(model_server=sys.argv[1], poll_seconds=60))
assert threading.active_count() == 1, threading.enumerate()
async def reasons():
    async with app.router.lifespan_context(app):
        return app.state.catalogue.not_ready_because()
for _ in range(2):
    if not os.fork():
        os._exit(bool(asyncio.run(reasons())))
sys.exit(any(os.wait()[1] for _ in range(2)))
"""


def run(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {n: v for n, v in os.environ.items() if not n.startswith("STN_")}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_gateway_is_small_and_brings_no_tensorflow() -> None:
    done = run(_PROGRAM)
    assert done.returncode == 0, done.stderr
    modules, kilobytes = done.stdout.splitlines()

    assert {"grpc", "service"} <= set(modules.split())
    assert not {"tensorflow", "keras", "tensorflow_serving"} & set(modules.split())
    if kilobytes == "0":
        pytest.skip("this system does not tell the memory of a process in /proc")
    print(f"{int(kilobytes) / 1024:.0f} MB")  # noqa: T201
    assert int(kilobytes) / 1024 < _MOST_MEGABYTES


def test_an_application_made_before_a_fork_works_after_it(
    double: ServingDoubleProcess,
) -> None:
    """Each process opens a channel of its own."""
    done = run(_FORKING, double.address)

    assert done.returncode == 0, done.stderr
