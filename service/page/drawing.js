/** A square to draw on: mouse, pen, touch or keyboard. */

/** Pixels of a side: twelve for each of the shipped model's, enough for a sharp screen. */
export const SIDE = 504;
// About as wide, against a digit that fills the square, as the pens that wrote MNIST.
export const PEN = 0.07;
const STEP = 1 / 28;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Draw strokes, lists of points from 0 to 1, smoothly; a point given twice makes a sharp corner. */
export function drawStrokes(context, strokes, { side = SIDE, pen = PEN, ink = "#fff" } = {}) {
  Object.assign(context, {
    lineWidth: pen * side,
    lineCap: "round",
    lineJoin: "round",
    strokeStyle: ink,
  });
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [x * side, y * side]);
    context.beginPath();
    context.moveTo(...points[0]);
    for (let i = 1; i < points.length - 1; i++) {
      const [[x, y], [nextX, nextY]] = [points[i], points[i + 1]];
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    }
    context.lineTo(...points.at(-1));
    context.stroke();
  }
}

/**
 * Turns what a person does on an element into strokes.
 *
 * onBegin is called before a stroke begins, onChange whenever there is more to see, onCursor with the
 * keyboard's pen, { x, y, down }, or null when it is put away.
 */
export class Drawing {
  strokes = [];
  #cursor = null;
  #down = false;

  constructor(element, { onBegin, onChange, onCursor }) {
    this.onBegin = onBegin;
    this.onChange = onChange;
    this.onCursor = onCursor;
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.onBegin()) return;
      element.setPointerCapture(event.pointerId);
      this.#putAway();
      this.#begin(this.#pointOf(element, event));
      const move = (moved) => {
        const events = moved.getCoalescedEvents?.() ?? [];
        for (const one of events.length ? events : [moved])
          this.#extend(this.#pointOf(element, one));
        this.onChange();
      };
      const end = () => {
        element.removeEventListener("pointermove", move);
        this.onChange();
      };
      element.addEventListener("pointermove", move);
      element.addEventListener("lostpointercapture", end, { once: true });
    });
    element.addEventListener("keydown", (event) => this.#key(event));
    element.addEventListener("blur", () => this.#putAway());
  }

  clear() {
    this.strokes = [];
    this.#down = false;
    this.onChange();
  }

  undo() {
    this.strokes.pop();
    this.#down = false;
    this.onChange();
  }

  #pointOf(element, event) {
    const box = element.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  #begin(point) {
    // A dot is a stroke too.
    this.strokes.push([point, [point[0] + 1e-4, point[1]]]);
    this.onChange();
  }

  #extend(point) {
    const stroke = this.strokes.at(-1);
    const last = stroke?.at(-1);
    if (last && Math.hypot(point[0] - last[0], point[1] - last[1]) > 0.004) stroke.push(point);
  }

  #key(event) {
    if (event.key === "Delete" || event.key === "Backspace") this.clear();
    else if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else if (event.key === "Escape" && this.#cursor) this.#putAway();
    else if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      (event.key !== " " && !ARROWS[event.key])
    )
      return;
    else if (!this.#cursor && !this.onBegin()) return;
    else this.#move(event.key, event.shiftKey ? 4 : 1);
    event.preventDefault();
  }

  #move(key, steps) {
    this.#cursor ??= [0.5, 0.5];
    if (key === " ") {
      this.#down = !this.#down;
      if (this.#down) this.#begin([...this.#cursor]);
    } else {
      this.#cursor = this.#cursor.map((value, axis) =>
        Math.min(1, Math.max(0, value + steps * STEP * ARROWS[key][axis])),
      );
      if (this.#down) this.#extend([...this.#cursor]);
    }
    this.onChange();
    this.onCursor({ x: this.#cursor[0], y: this.#cursor[1], down: this.#down });
  }

  #putAway() {
    this.#cursor = null;
    this.#down = false;
    this.onCursor(null);
  }
}
