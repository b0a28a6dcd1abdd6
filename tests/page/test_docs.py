"""The API, explored: every route, an example of each form and each error, and all of it to try."""

import shlex
import shutil
import subprocess

import pytest
from playwright.sync_api import Page, expect

from service.problems import STATUS_OF
from tests.page.conftest import ROOT, Door
from tests.page.test_access import found_by_axe

pytestmark = pytest.mark.browser


@pytest.fixture
def docs(door: Door) -> Page:
    page = door.open("/docs", wait=False).page
    expect(page.locator("#get-readyz")).to_be_visible()
    return page


def test_every_route_has_its_place(docs: Page) -> None:
    document = docs.evaluate("fetch('openapi.json').then((answer) => answer.json())")
    routes = [f"{m.upper()} {path}" for path, ms in document["paths"].items() for m in ms]

    shown = docs.locator(".route").evaluate_all("all => all.map((one) => one.ariaLabel)")

    assert shown == routes
    for link in docs.locator("#contents a").all():
        target = (link.get_attribute("href") or "").removeprefix("docs#")
        assert docs.locator(f"#{target}").count() == 1


def test_every_error_has_an_example(docs: Page) -> None:
    shown = set(docs.locator("#post-predict details details summary code").all_text_contents())

    known = {kind.code for kind in STATUS_OF}
    assert shown <= known
    assert {"undecodable_image", "invalid_option", "overloaded", "deadline_exceeded"} <= shown
    text = docs.locator("#post-predict details details pre").first.text_content() or ""
    assert '"request_id"' in text


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize("route", ["post-predict", "post-predict-batch", "post-warp"])
def test_every_form_works_as_it_stands(docs: Page, route: str) -> None:
    """Run beside the README's pictures, of which none is JPEG or WebP by these names."""
    commands = docs.locator(f"#{route} h3:has-text('Ask') ~ div pre").all_text_contents()
    runnable = [command for command in commands if ".jpg" not in command and ".webp" not in command]
    assert len(runnable) >= 2

    for command in runnable:
        assert shlex.split(command)[0] == "curl"
        ran = subprocess.run(
            ["sh", "-c", f"{command} --silent --output /dev/null --write-out '%{{http_code}}'"],
            cwd=ROOT / "docs" / "pictures",
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout == "200", command


def test_a_route_is_tried(docs: Page) -> None:
    section = docs.locator("#post-warp")
    section.locator("input[type=file]").set_input_files(ROOT / "docs" / "pictures" / "cat.jpg")

    section.get_by_role("button", name="Send").click()

    expect(section.get_by_alt_text("The answer")).to_be_visible()
    expect(section.locator(".try pre")).to_contain_text("200 OK")


def test_what_is_tried_wrongly_says_why(docs: Page) -> None:
    section = docs.locator("#post-predict")

    section.get_by_role("button", name="Send").click()

    expect(section.locator(".try")).to_contain_text('"code": "missing_image"')


def test_axe_finds_nothing_serious(docs: Page) -> None:
    assert found_by_axe(docs) == []


def test_nothing_is_cut_off_on_a_phone(door: Door) -> None:
    page = door.open("/docs", wait=False, viewport={"width": 390, "height": 844}).page
    expect(page.locator("#get-readyz")).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
