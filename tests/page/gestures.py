"""What people do with their hands."""

import base64
import itertools
from collections.abc import Sequence

from playwright.sync_api import Locator, Page

SEVEN = ((0.28, 0.25), (0.72, 0.24), (0.6, 0.5), (0.45, 0.82))
Point = tuple[float, float]


def on(element: Locator, point: Point) -> Point:
    """Return where on the screen a point of an element is, each from 0 to 1."""
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    assert box is not None
    return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]


def draw(page: Page, stroke: Sequence[Point]) -> None:
    """Draw on the picture with the mouse."""
    picture = page.locator("#picture")
    page.mouse.move(*on(picture, stroke[0]))
    page.mouse.down()
    for point in stroke[1:]:
        page.mouse.move(*on(picture, point), steps=8)
    page.mouse.up()


def draw_with_a_finger(page: Page, stroke: Sequence[Point]) -> None:
    """Draw on the picture by touch."""
    picture = page.locator("#picture")
    client = page.context.new_cdp_session(page)
    points = [on(picture, point) for point in stroke]
    steps = [points[0]]
    for (x, y), (to_x, to_y) in itertools.pairwise(points):
        steps += [(x + (to_x - x) * i / 8, y + (to_y - y) * i / 8) for i in range(1, 9)]
    for number, (x, y) in enumerate(steps):
        kind = "touchMove" if number else "touchStart"
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def bring(page: Page, kind: str, content: bytes, name: str, media_type: str) -> None:
    """Drop or paste a file: `kind` is `drop` or `paste`."""
    page.evaluate(
        """([kind, content, name, type]) => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], name, { type }));
            const event = kind === "drop"
                ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
                : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
            document.getElementById("box").dispatchEvent(event);
        }""",
        [kind, base64.b64encode(content).decode(), name, media_type],
    )


def drag(page: Page, element: Locator, by: Point) -> None:
    """Drag an element by so many pixels."""
    box = element.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0], y + by[1], steps=10)
    page.mouse.up()
