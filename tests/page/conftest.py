"""A browser, and the page of a gateway with the shipped models in it."""

import base64
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.page.film import write_film
from tests.service.gateway_process import start_gateway

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("STN_TEST_CHROMIUM", "/usr/bin/chromium")
TIMEOUT_MS = 30_000
NOTHING = "\u2013"  # a dash, where a label would be
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


@pytest.fixture(scope="session")
def gateway() -> Iterator[str]:
    """The address of the gateway."""
    with start_gateway(ROOT / "models") as running:
        running.wait_until_ready()
        yield running.url


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, whose camera sees a five in ink on paper, in uneven light."""
    with tempfile.NamedTemporaryFile(suffix=".y4m") as film:
        write_film(Path(film.name))
        running = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*FLAGS, f"--use-file-for-fake-video-capture={film.name}"],
        )
        yield running
        running.close()


@dataclass
class Visit:
    """The page, opened by somebody.

    Attributes:
        page: it.
        elsewhere: addresses asked for that are not the gateway's.
        faults: what the page's own scripts did wrong, and what its policy forbade.
    """

    page: Page
    elsewhere: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def read(self, label: str) -> None:
        """Wait until the page says that the network reads this."""
        expect(self.page.locator("#label")).to_have_text(label)

    def pixels(self, canvas: str) -> np.ndarray:
        """Return what is on a canvas, uint8 `(height, width, 4)`."""
        height, width, values = self.page.evaluate(
            """(id) => {
                const canvas = document.getElementById(id);
                const { width, height } = canvas;
                const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
                const letters = Array.from(data, (value) => String.fromCharCode(value));
                return [height, width, btoa(letters.join(""))];
            }""",
            canvas,
        )
        return np.frombuffer(base64.b64decode(values), np.uint8).reshape(height, width, 4)


class Door:
    """Opens the page."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self.url = url
        self.visits: list[Visit] = []

    def open(self, path: str = "/", wait: bool = True, **options: Any) -> Visit:
        """Open a path in a browser that remembers nothing; options are those of its context."""
        options = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | options
        context = self._browser.new_context(**options)
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        visit = Visit(page)
        host = urlsplit(self.url).netloc
        page.on(
            "request",
            lambda request: (
                visit.elsewhere.append(request.url)
                if urlsplit(request.url).netloc not in (host, "")
                else None
            ),
        )
        page.on("pageerror", lambda error: visit.faults.append(f"{error}\n{error.stack}"))
        page.on(
            "console",
            lambda message: (
                visit.faults.append(message.text)
                if message.type == "error" and "Failed to load resource" not in message.text
                else None
            ),
        )
        self.visits.append(visit)
        page.goto(self.url + path)
        if wait:
            visit.read("7")
        return visit


@pytest.fixture
def door(browser: Browser, gateway: str) -> Iterator[Door]:
    """Opens the page, and sees to it that nothing it did was wrong or went elsewhere."""
    expect.set_options(timeout=TIMEOUT_MS)
    opens = Door(browser, gateway)
    yield opens
    for visit in opens.visits:
        visit.page.context.close()
    assert [visit.elsewhere for visit in opens.visits] == [[] for _ in opens.visits]
    assert [visit.faults for visit in opens.visits] == [[] for _ in opens.visits]


@pytest.fixture
def visit(door: Door) -> Visit:
    """The page as it is when its first example has been read."""
    return door.open()
