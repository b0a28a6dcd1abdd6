"""Everyone can use it: by keyboard, by ear, on a phone, in the dark, without motion."""

import re
import shlex
import shutil
import subprocess
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.page.conftest import NOTHING, Door, Visit
from tests.page.gestures import bring

pytestmark = pytest.mark.browser
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
}


def focus_by_tab(page: Page, name: str) -> None:
    """Press the tabulator until something of this name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
                const element = document.activeElement;
                const label = element.labels?.[0]?.textContent ?? "";
                const name = element.getAttribute("aria-label") ?? label;
                return (name || element.textContent).trim();
            }"""
        )
        if focused.startswith(name):
            return
    raise AssertionError(f"the tabulator never reaches {name}")


def test_a_digit_is_drawn_by_keyboard_alone(visit: Visit) -> None:
    """A one: the pen goes up, is lowered, and is drawn down."""
    page = visit.page
    focus_by_tab(page, "Clear")
    page.keyboard.press("Enter")
    visit.read(NOTHING)
    expect(page.locator("#picture")).to_be_focused()

    for _ in range(2):
        page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Space")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Space")

    visit.read("1")
    page.keyboard.press("Delete")
    visit.read(NOTHING)


def test_an_example_and_steering_are_reached_by_keyboard_alone(visit: Visit) -> None:
    page = visit.page
    focus_by_tab(page, "A four")
    page.keyboard.press("Space")
    visit.read("4")

    page.keyboard.press("Control+Home")
    page.locator("header a").first.focus()
    focus_by_tab(page, "The network steers")
    page.keyboard.press("ArrowRight")
    focus_by_tab(page, "Turn")
    before = page.text_content("#theta")
    page.keyboard.press("PageUp")

    assert page.text_content("#theta") != before
    expect(page.locator("#answered")).to_have_text("Answered by warp, version 1.")


def test_focus_goes_in_the_order_in_which_things_are_seen(visit: Visit) -> None:
    """From the top down; within a row from left to right."""
    page = visit.page
    places: list[tuple[str, float]] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        place = page.evaluate(
            """() => {
                const element = document.activeElement;
                if (element === document.body) return null;
                const section = element.closest("header, .opening, .panel, .facts, .curl");
                return [section.className, section.getBoundingClientRect().top + scrollY];
            }"""
        )
        if place is None:
            break
        places.append((place[0], place[1]))
    assert len(places) > 15
    assert [top for _, top in places] == sorted(top for _, top in places)


def test_what_was_read_is_said_aloud_once_it_is_settled(visit: Visit) -> None:
    status = visit.page.get_by_role("status")

    expect(status).to_have_text(re.compile(r"It reads 7, \d+\.\d percent sure\. It looked .+"))
    expect(visit.page.get_by_role("slider")).to_have_count(0)  # nothing hidden is in the way
    expect(visit.page.get_by_role("list", name="Probability of each class")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desk", "phone"])
def test_axe_finds_nothing_serious(door: Door, scheme: str, device: str) -> None:
    """In every state of the page: looking, steering, with a problem, with a picture."""
    visit = door.open(color_scheme=scheme, **(PHONE if device == "phone" else {}))
    states = {"looking": found_by_axe(visit.page)}
    visit.page.click("[aria-label='A two, on paper']")
    visit.read("2")
    states["paper"] = found_by_axe(visit.page)
    bring(visit.page, "drop", b"nothing", "broken.png", "image/png")
    expect(visit.page.locator("#problem")).to_be_visible()
    states["problem"] = found_by_axe(visit.page)
    visit.page.click("[aria-label^='A cat']")
    expect(visit.page.locator("#answered")).to_have_text("Answered by warp, version 1.")
    states["steering"] = found_by_axe(visit.page)

    assert states == {state: [] for state in states}


def found_by_axe(page: Page) -> list[str]:
    results = Axe().run(page)
    return [
        f"{violation['id']}: {node['html'][:150]}"
        for violation in results.response["violations"]
        if violation["impact"] in ("moderate", "serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_nothing_is_cut_off_at_any_width(door: Door, width: int) -> None:
    visit = door.open(viewport={"width": width, "height": 844})
    for mode in ("#mode-look", "#mode-steer"):
        visit.page.check(mode, force=True)
        wide = visit.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width


def test_on_a_phone_picture_and_answer_are_on_one_screen(door: Door) -> None:
    visit = door.open(**PHONE)

    for part in ("#picture", "#warped", "#label"):
        box = visit.page.locator(part).bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 844


def test_the_region_flies_and_who_wants_no_motion_sees_none(door: Door) -> None:
    flights = """new Promise((done) => {
        const [sheet, live] = ["sheet", "live"].map((id) => document.getElementById(id));
        new MutationObserver(() => sheet.hidden || done("flew")).observe(sheet, {attributes: true});
        new MutationObserver(() => live.textContent.includes("reads 3") && done("landed without"))
            .observe(live, {childList: true});
        document.querySelector("[aria-label^='A three']").click();
    })"""

    def seen(motion: str) -> str:
        page = door.open(reduced_motion=motion).page
        expect(page.get_by_role("status")).to_contain_text("It reads 7")
        return str(page.evaluate(flights))

    moved, still = seen("no-preference"), seen("reduce")

    assert (moved, still) == ("flew", "landed without")


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_command_gives_what_is_on_the_screen(
    visit: Visit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("shell")
    with visit.page.expect_download() as saved:
        visit.page.click("#save")
    saved.value.save_as(folder / saved.value.suggested_filename)
    command = visit.page.text_content("#curl") or ""
    assert shlex.split(command)[0] == "curl"

    said = subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=True
    )

    assert '"label":"7"' in said.stdout


def test_the_command_can_be_copied(door: Door) -> None:
    visit = door.open(permissions=["clipboard-read", "clipboard-write"])

    visit.page.click("#copy")

    expect(visit.page.locator("#copy")).to_have_text("Copied")
    copied = visit.page.evaluate("navigator.clipboard.readText()")
    assert copied == visit.page.text_content("#curl")
