"""What a person brings is looked at and read, and what goes wrong is said."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Route, expect

from tests.page.conftest import NOTHING, ROOT, Door, Visit
from tests.page.film import digit_on_paper, phone_photo, png
from tests.page.gestures import SEVEN, bring, draw, draw_with_a_finger
from tests.versions import SHIPPED

pytestmark = pytest.mark.browser
DIGIT = (ROOT / "docs" / "pictures" / "digit-4.png").read_bytes()


def test_the_first_example_is_read_before_anyone_does_anything(visit: Visit) -> None:
    visit.read("7")
    expect(visit.page.locator("#words")).to_have_text(
        re.compile(
            r"It looked \d+ pixels to the right and \d+ up, zoomed in 1\.\d times "
            r"and turned the picture \d\d degrees to the left\."
        )
    )
    expect(visit.page.locator("#overlay .edge")).to_be_visible()
    expect(visit.page.locator("#times")).to_contain_text("Model")
    expect(visit.page.locator("#answered")).to_have_text(f"Answered by stn, version {SHIPPED}.")
    assert visit.page.locator("#theta td").count() == 6


def test_who_reads_pictures_is_not_shown_digits(visit: Visit) -> None:
    def of_flowers(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"labels": ["daisy", "tulip"]})

    expect(visit.page.locator("#picture-title")).to_contain_text(
        "Draw a digit", use_inner_text=True
    )
    visit.page.route("**/models/stn", of_flowers)
    visit.page.reload()

    title, examples = visit.page.locator("#picture-title"), visit.page.locator("#examples button")
    expect(title).to_contain_text("Drop a picture, or draw one", use_inner_text=True)
    expect(title).not_to_contain_text("digit", use_inner_text=True)
    assert [button.get_attribute("title") for button in examples.all() if button.is_visible()] == [
        visit.page.locator("#examples img").locator("..").get_attribute("title")
    ]
    expect(visit.page.locator("#hint")).to_have_text("Drop a picture here")
    visit.read(NOTHING)


def test_a_seven_that_is_drawn_is_read_as_a_seven(visit: Visit) -> None:
    visit.page.click("#clear")
    visit.read(NOTHING)

    draw(visit.page, SEVEN)

    visit.read("7")
    expect(visit.page.locator("#bars .best .value")).to_have_text(re.compile(r"9\d\.\d %"))
    assert visit.pixels("warped").shape == (28, 28, 4)


def test_a_finger_draws_as_well(door: Door) -> None:
    visit = door.open(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visit.page.click("#clear")
    visit.read(NOTHING)

    draw_with_a_finger(visit.page, SEVEN)

    visit.read("7")


def test_what_a_person_draws_takes_the_place_of_an_example(visit: Visit) -> None:
    visit.page.click("[aria-label^='A three']")
    visit.read("3")

    draw(visit.page, SEVEN)

    visit.read("7")


def test_undo_takes_the_last_stroke_back(visit: Visit) -> None:
    visit.page.click("#clear")
    draw(visit.page, SEVEN)
    visit.read("7")

    visit.page.click("#undo")

    visit.read(NOTHING)
    expect(visit.page.locator("#hint")).to_be_visible()


@pytest.mark.parametrize("digit", ["three", "four", "five"])
def test_every_drawn_example_is_read_right(visit: Visit, digit: str) -> None:
    visit.page.click(f"[aria-label^='A {digit}']")

    visit.read({"three": "3", "four": "4", "five": "5"}[digit])


def test_ink_on_paper_is_inverted_and_read(visit: Visit) -> None:
    visit.page.click("[aria-label='A two, on paper']")

    visit.read("2")
    assert visit.page.is_checked("#invert")
    assert "invert=true" in (visit.page.text_content("#curl") or "")


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_is_taken(visit: Visit, kind: Literal["drop", "paste"]) -> None:
    bring(visit.page, kind, DIGIT, "digit-4.png", "image/png")

    visit.read("4")
    expect(visit.page.locator("#curl")).to_contain_text("image=@digit-4.png")
    assert not visit.page.is_checked("#invert")


def test_a_picture_is_opened(visit: Visit) -> None:
    with visit.page.expect_file_chooser() as chooser:
        visit.page.click("#open")
    chooser.value.set_files(ROOT / "docs" / "pictures" / "digit-4.png")

    visit.read("4")


def test_the_camera_sees_a_five_on_paper(visit: Visit) -> None:
    visit.page.click("#camera")
    expect(visit.page.locator("#camera")).to_have_text("Take picture")
    visit.page.wait_for_function("document.getElementById('video').readyState >= 3")

    visit.page.click("#camera")

    visit.read("5")
    expect(visit.page.locator("#video")).to_be_hidden()


def test_uneven_light_is_evened_out_and_may_be_left(visit: Visit) -> None:
    bring(visit.page, "drop", png(digit_on_paper(600, 400)), "sheet.png", "image/png")
    visit.read("5")
    assert visit.page.is_checked("#even")
    evened = visit.pixels("picture")

    visit.page.uncheck("#even")

    expect(visit.page.locator("#curl")).to_contain_text("sheet.png")
    left = visit.pixels("picture")
    assert evened[20, -20, 0] == 255
    assert left[20, -20, 0] < 130


def test_a_large_photo_is_shown_whole(visit: Visit) -> None:
    """Its region is in its own pixels, whatever the size in which it is shown."""
    bring(visit.page, "drop", phone_photo(2016, 1512), "photo.jpg", "image/jpeg")

    expect(visit.page.locator("#curl")).to_contain_text("photo.jpg")
    expect(visit.page.locator("#answered")).not_to_be_empty()
    height, width, _ = visit.pixels("picture").shape
    assert (width, height) == (504, 378)
    edge = visit.page.locator("#overlay .edge").get_attribute("d") or ""
    corners = [float(number) for number in re.findall(r"-?[\d.]+", edge)]
    assert all(-400 < number < 800 for number in corners)


def test_a_broken_file_says_why_in_the_words_of_the_gateway(visit: Visit) -> None:
    with visit.page.expect_response("**/predict**") as answered:
        bring(visit.page, "drop", DIGIT[:200], "it's; broken.png", "image/png")

    problem = answered.value.json()
    assert problem["code"] == "undecodable_image"
    alert = visit.page.get_by_role("alert")
    expect(alert).to_contain_text(problem["detail"])
    expect(alert).to_contain_text(problem["request_id"])
    visit.read(NOTHING)


def test_after_a_problem_the_next_picture_is_read(visit: Visit) -> None:
    bring(visit.page, "drop", b"no picture at all", "notes.txt", "text/plain")
    expect(visit.page.get_by_role("alert")).to_contain_text("not a PNG, JPEG or WebP file")

    bring(visit.page, "drop", DIGIT, "digit-4.png", "image/png")

    visit.read("4")
    expect(visit.page.locator("#problem")).to_be_hidden()


def test_a_gateway_that_is_away_is_told_of(visit: Visit) -> None:
    visit.page.route("**/predict**", lambda route: route.abort("connectionrefused"))

    visit.page.click("[aria-label^='A three']")

    expect(visit.page.get_by_role("alert")).to_contain_text("The gateway cannot be reached")


def test_a_version_can_be_chosen(visit: Visit) -> None:
    with visit.page.expect_request(f"**/predict?version={SHIPPED}&**"):
        visit.page.get_by_label("stn").select_option(str(SHIPPED))

    expect(visit.page.locator("#curl")).to_contain_text(f"version={SHIPPED}")


def test_a_key_is_asked_for_and_kept_for_this_tab(door: Door) -> None:
    """Without one the gateway refuses; the key itself is not shown in the command."""
    visit = door.open("/livez", wait=False)
    page = visit.page
    refusal = {"title": "missing key", "detail": "send a key", "status": 401, "code": "missing_key"}

    def guard(route: Route) -> None:
        if route.request.headers.get("authorization") == "Bearer secret-key":
            route.continue_()
        else:
            route.fulfill(status=401, json=refusal, content_type="application/problem+json")

    page.route(re.compile(r"/(predict|models|warp)([/?]|$)"), guard)
    page.goto(door.url)
    expect(page.get_by_role("alert")).to_contain_text("send a key")

    page.get_by_label("API key").fill("secret-key")
    page.keyboard.press("Enter")

    visit.read("7")
    expect(page.locator("#key-form")).to_be_hidden()
    expect(page.locator("#curl")).to_contain_text('-H "Authorization: Bearer $STN_KEY"')
    assert "secret-key" not in page.content()
    page.reload()
    visit.read("7")
