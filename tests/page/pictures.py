"""Takes a picture of each state of the pages: `scripts/make-page-pictures`."""

import io
import sys
from collections.abc import Callable
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.page.conftest import CHROMIUM, FLAGS, ROOT, TIMEOUT_MS
from tests.page.gestures import bring, drag
from tests.service.gateway_process import start_gateway

FOLDER = ROOT / "docs" / "pictures" / "page"
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
}


def nothing(page: Page) -> None:
    """Leave the page as it comes."""


def four(page: Page) -> None:
    page.click("[aria-label^='A four']")
    expect(page.locator("#label")).to_have_text("4")


def paper(page: Page) -> None:
    page.click("[aria-label='A two, on paper']")
    expect(page.locator("#label")).to_have_text("2")


def cat(page: Page) -> None:
    page.click("[aria-label^='A cat']")
    expect(page.locator("#answered")).to_have_text("Answered by warp, version 1.")
    drag(page, page.locator("[data-place='1 1']"), (-30, -70))
    drag(page, page.locator("[data-place='0 0']"), (12, 8))
    expect(page.locator("#live")).to_contain_text("turned the picture")


def hand(page: Page) -> None:
    page.locator(".modes label").nth(1).click()
    expect(page.locator("#answered")).to_have_text("Answered by warp, version 1.")


def broken(page: Page) -> None:
    picture = (ROOT / "docs" / "pictures" / "digit-4.png").read_bytes()
    bring(page, "drop", picture[:200], "digit-4.png", "image/png")
    expect(page.locator("#problem")).to_be_visible()


STATES: dict[str, tuple[str, Callable[[Page], None], dict[str, Any]]] = {
    "looking": ("/", nothing, {}),
    "looking-dark": ("/", four, {"color_scheme": "dark"}),
    "paper": ("/", paper, {}),
    "steering": ("/", cat, {}),
    "problem": ("/", broken, {"color_scheme": "dark"}),
    "phone": ("/", nothing, PHONE),
    "phone-steering": ("/", hand, {**PHONE, "color_scheme": "dark"}),
    "docs": ("/docs", nothing, {}),
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    expect.set_options(timeout=TIMEOUT_MS)
    with start_gateway(ROOT / "models") as gateway, sync_playwright() as playwright:
        gateway.wait_until_ready()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for name, (path, act, options) in STATES.items():
            content = picture_of(browser, gateway.url + path, act, options)
            (FOLDER / f"{name}.webp").write_bytes(content)
            sys.stdout.write(f"{name}.webp: {len(content)} bytes\n")


def picture_of(
    browser: Browser, url: str, act: Callable[[Page], None], options: dict[str, Any]
) -> bytes:
    """Return a WebP of a state, once what was asked has been answered and said."""
    options = {
        "viewport": {"width": 1280, "height": 860},
        "reduced_motion": "reduce",
        "color_scheme": "light",
    } | options
    context = browser.new_context(**options)
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto(url)
    if url.endswith("/docs"):
        expect(page.locator("#get-readyz")).to_be_visible()
    else:
        expect(page.locator("#live")).to_contain_text("It reads 7")
    act(page)
    page.mouse.move(0, 0)
    picture = Image.open(io.BytesIO(page.screenshot()))
    context.close()
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=82, method=6)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
