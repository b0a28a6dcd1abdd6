"""A person steers: by handles, by sliders, and sees at once what the frame shows."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from tests.page.conftest import Door, Visit
from tests.page.gestures import drag

pytestmark = pytest.mark.browser
MINUS = "\u2212"


def steer(page: Page) -> None:
    """Show the cat, whole, and wait until its warped picture is there."""
    with page.expect_response("**/warp?**"):
        page.click("[aria-label^='A cat']")
    expect(page.locator("#answered")).to_have_text("Answered by warp, version 1.")


def theta_of(page: Page) -> list[float]:
    texts = page.locator("#theta td").all_text_contents()
    return [float(text.replace(MINUS, "-")) for text in texts]


def test_the_whole_picture_comes_back_as_it_is(visit: Visit) -> None:
    steer(visit.page)

    assert np.array_equal(visit.pixels("warped"), visit.pixels("picture"))
    assert theta_of(visit.page) == [1, 0, 0, 0, 1, 0]
    expect(visit.page.locator("#words")).to_have_text("You left the picture as it is.")


def test_a_corner_that_is_dragged_changes_the_picture(visit: Visit) -> None:
    steer(visit.page)
    before = visit.pixels("warped")

    drag(visit.page, visit.page.locator("[data-place='1 1']"), (-40, -60))

    expect(visit.page.locator("#words")).to_contain_text("zoomed in")
    visit.page.wait_for_function("!document.querySelector('#curl').textContent.includes('1,0,0')")
    settle(visit)
    assert not np.array_equal(visit.pixels("warped"), before)


def settle(visit: Visit) -> None:
    """Wait until what is on the screen is the answer to the command that is on the screen."""
    visit.page.wait_for_function(
        """async () => {
            const command = document.getElementById("curl").textContent;
            const [, query] = command.match(/warp(\\?[^' ]+)/);
            const cat = await (await fetch("page/cat.webp")).blob();
            const headers = {accept: "image/png"};
            const said = await fetch("warp" + query, {method: "POST", body: cat, headers});
            const bitmap = await createImageBitmap(await said.blob());
            const { width, height } = bitmap;
            const context = new OffscreenCanvas(width, height).getContext("2d");
            context.drawImage(bitmap, 0, 0);
            const shown = document.getElementById("warped");
            if (shown.width !== width || shown.height !== height) return false;
            const wanted = context.getImageData(0, 0, width, height).data;
            const there = shown.getContext("2d").getImageData(0, 0, width, height).data;
            return wanted.every((value, i) => value === there[i]);
        }"""
    )


@pytest.mark.parametrize(
    ("place", "by", "moved"),
    [
        ("0 0", (20, 0), "right"),
        ("0 0", (0, 20), "down"),
        ("1 0", (-30, 0), "stretch"),
        ("0 1", (30, 0), "lean"),
        ("-1 -1", (0, 40), "turn"),
        ("1 1", (-30, -30), "zoom"),
    ],
)
def test_each_handle_does_its_part(
    visit: Visit, place: str, by: tuple[float, float], moved: str
) -> None:
    steer(visit.page)
    slider = visit.page.locator(f"#slider-{moved}")
    before = slider.input_value()

    drag(visit.page, visit.page.locator(f"[data-place='{place}']"), by)

    assert slider.input_value() != before
    settle(visit)


@pytest.mark.parametrize("name", ["Turn", "Zoom", "Stretch", "Slant", "Move right", "Move down"])
def test_every_slider_moves_the_frame(visit: Visit, name: str) -> None:
    steer(visit.page)
    before = theta_of(visit.page)

    slider = visit.page.get_by_role("slider", name=name)
    slider.focus()
    for _ in range(5):
        visit.page.keyboard.press("ArrowRight")

    assert theta_of(visit.page) != before
    settle(visit)


def test_a_quarter_turn_is_a_quarter_turn(visit: Visit) -> None:
    """The frame turns clockwise, so what it shows turns the other way."""
    steer(visit.page)
    cat = visit.pixels("picture")

    visit.page.get_by_role("slider", name="Turn").fill("90")

    settle(visit)
    assert np.array_equal(visit.pixels("warped"), np.rot90(cat))
    expect(visit.page.locator("#words")).to_contain_text(
        "turned the picture 90 degrees to the left"
    )


def test_steering_begins_where_the_network_looked(visit: Visit) -> None:
    words = visit.page.text_content("#words") or ""
    degrees = re.search(r"turned the picture \d+ degrees to the left", words)
    assert degrees

    visit.page.get_by_text("You steer").click()

    expect(visit.page.locator("#words")).to_contain_text(degrees[0])
    expect(visit.page.locator("#answered")).to_have_text("Answered by warp, version 1.")


def test_the_network_can_be_asked_for_a_picture_it_has_not_seen(visit: Visit) -> None:
    steer(visit.page)

    with visit.page.expect_response("**/predict**"):
        visit.page.click("#as-network")

    expect(visit.page.locator("#words")).not_to_contain_text("left the picture as it is")
    visit.page.click("#as-whole")
    expect(visit.page.locator("#words")).to_contain_text("left the picture as it is")


def test_the_last_move_wins_and_an_earlier_one_that_hangs_is_cancelled(door: Door) -> None:
    """The first request after the beginning is never answered; what is shown is the last frame."""
    visit = door.open()
    steer(visit.page)
    hanging: list[Route] = []

    def hang_once(route: Route) -> None:
        if hanging:
            route.continue_()
        else:
            hanging.append(route)

    visit.page.route("**/warp?**", hang_once)
    slider = visit.page.get_by_role("slider", name="Turn")
    # Moves within one frame would become one request.
    with visit.page.expect_request("**/warp?**"):
        slider.fill("30")
    with visit.page.expect_event("requestfailed"):
        slider.fill("60")
        slider.fill("90")

    settle(visit)
    assert theta_of(visit.page) == pytest.approx([0, -1, 0, 1, 0, 0], abs=1e-4)


def test_padding_is_asked_for(visit: Visit) -> None:
    steer(visit.page)
    visit.page.get_by_role("slider", name="Zoom").fill("-1")

    with visit.page.expect_request("**/warp?**padding=reflection**"):
        visit.page.get_by_label("Outside").select_option("reflection")

    settle(visit)
    assert visit.pixels("warped")[0, 0, :3].any()
