/** The region and its grid, drawn over the picture and beside it; and the handles to drag it by. */

import { pointOf } from "./geometry.js";

const SVG = "http://www.w3.org/2000/svg";
const CELLS = 6;

/** Return an SVG element with attributes. */
function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

const path = (points) =>
  `M${points.map((point) => point.map((value) => value.toFixed(1)).join(" ")).join("L")}`;

/** Draws a region, given as four points in the pixels of an SVG element. */
export class Overlay {
  #svg;
  #grid = shape("path", { class: "grid" });
  #shadow = shape("path", { class: "shadow" });
  #edge = shape("path", { class: "edge" });
  #top = shape("path", { class: "top" });
  #mark = shape("circle", { class: "mark", r: 5 });
  #cursor = shape("circle", { class: "cursor", r: 0 });
  #handles = [];

  constructor(svg) {
    this.#svg = svg;
    svg.append(this.#grid, this.#shadow, this.#edge, this.#top, this.#mark, this.#cursor);
  }

  /** Draw a region, or nothing. */
  draw(region) {
    this.#svg.classList.toggle("empty", !region);
    if (!region) return;
    const outline = `${path(region)}Z`;
    this.#shadow.setAttribute("d", outline);
    this.#edge.setAttribute("d", outline);
    this.#top.setAttribute("d", path(region.slice(0, 2)));
    this.#mark.setAttribute("cx", region[0][0]);
    this.#mark.setAttribute("cy", region[0][1]);
    const lines = [];
    for (let i = 1; i < CELLS; i++) {
      const at = (2 * i) / CELLS - 1;
      lines.push(
        path([pointOf(region, [at, -1]), pointOf(region, [at, 1])]),
        path([pointOf(region, [-1, at]), pointOf(region, [1, at])]),
      );
    }
    this.#grid.setAttribute("d", lines.join(""));
    for (const { element, place } of this.#handles) {
      const [x, y] = pointOf(region, place);
      element.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
    }
    this.#handles[0]?.element.setAttribute("d", outline);
    this.#handles[0]?.element.removeAttribute("transform");
  }

  /** Show the keyboard's pen: { x, y, down } in pixels of the element, or null. */
  drawCursor(cursor) {
    this.#cursor.setAttribute("r", cursor ? 9 : 0);
    if (!cursor) return;
    this.#cursor.setAttribute("cx", cursor.x);
    this.#cursor.setAttribute("cy", cursor.y);
    this.#cursor.classList.toggle("down", cursor.down);
  }

  /**
   * Add handles: the inside, four corners and the middles of four edges.
   *
   * onDrag gets the place of the handle, each coordinate -1, 0 or 1, the pointer's point and the one it
   * was at before, in pixels of the element.
   */
  addHandles(onDrag) {
    const places = [
      [0, 0],
      [0, -1],
      [1, 0],
      [0, 1],
      [-1, 0],
      [-1, -1],
      [1, -1],
      [1, 1],
      [-1, 1],
    ];
    for (const place of places) {
      const kind = place[0] && place[1] ? "corner" : place[0] || place[1] ? "side" : "inside";
      const element =
        kind === "inside"
          ? shape("path", { class: "handle inside" })
          : shape("g", { class: `handle ${kind}` });
      // A large circle that nobody sees is what a finger hits.
      if (kind !== "inside")
        element.append(
          shape("circle", { r: 18, class: "reach" }),
          shape("circle", { r: kind === "corner" ? 8 : 5 }),
        );
      element.dataset.place = place.join(" ");
      this.#handles.push({ element, place });
      this.#svg.append(element);
      element.addEventListener("pointerdown", (event) => this.#drag(element, place, event, onDrag));
    }
  }

  #drag(element, place, event, onDrag) {
    if (event.button !== 0) return;
    event.preventDefault();
    element.setPointerCapture(event.pointerId);
    const pointOfEvent = ({ clientX, clientY }) => {
      const box = this.#svg.getBoundingClientRect();
      return [clientX - box.left, clientY - box.top];
    };
    let before = pointOfEvent(event);
    const move = (moved) => {
      const now = pointOfEvent(moved);
      onDrag(place, now, before);
      before = now;
    };
    element.addEventListener("pointermove", move);
    element.addEventListener(
      "lostpointercapture",
      () => element.removeEventListener("pointermove", move),
      { once: true },
    );
  }
}
