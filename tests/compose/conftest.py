"""One stack for all end-to-end checks."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.model import ROOT
from tests.compose.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Build the images and bring everything up; take all of it away again, whatever happens."""
    stack = Stack(Path(os.environ.get("STN_TEST_MODELS", ROOT / "models")).resolve())
    # To be told to end is a reason to clean up as well.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        stack.remove()  # What a run that was killed has left.
        stack.build()
        stack.compose("up", "--detach", "--wait", "--no-build")
        stack.say(f"up, and ready at {stack.url}")
        yield stack
    finally:
        stack.remove()
        stack.say("removed containers, networks, volumes and both images")
        signal.signal(signal.SIGTERM, before)
