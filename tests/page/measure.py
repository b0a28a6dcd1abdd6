"""Measures the page of a running gateway: its weight, its first paint, and a photo's way.

python -m tests.page.measure http://127.0.0.1:8000
"""

import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.page.conftest import CHROMIUM, FLAGS
from tests.page.film import phone_photo

RUNS = 11
_DROP = """() => new Promise((done) => {
    const file = document.getElementById("file").files[0];
    const data = new DataTransfer();
    data.items.add(file);
    const start = performance.now();
    const label = document.getElementById("answered");
    new MutationObserver(() => label.textContent && done(performance.now() - start))
        .observe(label, { childList: true });
    label.textContent = "";
    document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
})"""


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main(url: str) -> None:
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        weight(browser, url)
        paints = sorted(first_paint(browser, url) for _ in range(RUNS))
        say(f"first paint: median {statistics.median(paints):.0f} ms, {paints}")
        photo = Path(folder) / "photo.jpg"
        photo.write_bytes(phone_photo())
        say(f"photo: {photo.stat().st_size / 1e6:.2f} MB, 4032 x 3024")
        ways = drops(browser, url, photo)
        say(f"from drop to answer: median {statistics.median(ways):.0f} ms, {ways}")


def weight(browser: Browser, url: str) -> None:
    page = browser.new_page()
    page.goto(url, wait_until="networkidle")
    entries = page.evaluate(
        """["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
            .filter((one) => one.name.includes("/page/") || one.entryType === "navigation")
            .map((one) => [one.encodedBodySize, one.decodedBodySize])"""
    )
    sent, plain = (sum(sizes) for sizes in zip(*entries, strict=True))
    say(f"weight: {len(entries)} files, {plain} bytes, {sent} bytes as sent")
    page.close()


def first_paint(browser: Browser, url: str) -> int:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(url, wait_until="load")
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    context.close()
    return round(paint)


def drops(browser: Browser, url: str, photo: Path) -> list[int]:
    page = browser.new_page(reduced_motion="reduce")
    page.goto(url, wait_until="networkidle")
    page.evaluate("document.getElementById('file').onchange = null")
    page.set_input_files("#file", photo)
    page.wait_for_timeout(3000)
    ways = []
    for _ in range(RUNS):
        ways.append(round(page.evaluate(_DROP)))
        say(page.locator("#times").inner_text().replace("\n", " "))
        page.wait_for_timeout(1000)
    return sorted(ways)


if __name__ == "__main__":
    main(*sys.argv[1:])
