/** A frame that a person sets: by sliders, or by its handles on the picture. */

import { WHOLE, frameOf, pointOf, regionOfFrame, written } from "./geometry.js";

const times = (value) => `${written(2 ** value, 2)} ×`;
const degrees = (value) => `${written(value)}°`;
const pixels = (value) => `${written(value)} px`;

// Zoom and stretch go by powers of two, so that in and out are as far from the middle.
const SLIDERS = [
  { name: "turn", label: "Turn", min: -180, max: 180, step: 1, say: degrees },
  { name: "zoom", label: "Zoom", min: -2, max: 3, step: 0.02, say: times, power: true },
  { name: "stretch", label: "Stretch", min: -1.5, max: 1.5, step: 0.02, say: times, power: true },
  { name: "lean", label: "Slant", min: -40, max: 40, step: 1, say: degrees },
  { name: "right", label: "Move right", axis: 0, say: pixels },
  { name: "down", label: "Move down", axis: 1, say: pixels },
];

export class Steering {
  frame = WHOLE;
  base = [1, 1];
  #size = [1, 1];
  #onChange;
  #inputs = {};

  /** parent: where the sliders go. onChange: called when a person has changed the frame. */
  constructor(parent, onChange) {
    this.#onChange = onChange;
    for (const slider of SLIDERS) {
      const input = Object.assign(document.createElement("input"), {
        type: "range",
        id: `slider-${slider.name}`,
      });
      const output = document.createElement("output");
      // The value is read with the slider itself; it need not be announced twice.
      output.setAttribute("aria-hidden", "true");
      // Said aloud, or the label would be that of the output.
      const label = Object.assign(document.createElement("label"), { htmlFor: input.id });
      const name = Object.assign(document.createElement("span"), { textContent: slider.label });
      label.append(name, output, input);
      parent.append(label);
      this.#inputs[slider.name] = { ...slider, input, output };
      input.addEventListener("input", () => {
        const value = Number(input.value);
        this.frame = { ...this.frame, [slider.name]: slider.power ? 2 ** value : value };
        this.#show();
        this.#onChange();
      });
    }
  }

  /** Take a picture of [width, height] pixels, and the [width, height] that a zoom of 1 looks at. */
  begin(size, base) {
    [this.#size, this.base] = [size, base];
    for (const { axis, input, min, max, step } of Object.values(this.#inputs)) {
      if (axis === undefined) {
        Object.assign(input, { min, max, step });
        continue;
      }
      // Whole steps on both sides, so that the middle can be hit.
      const stride = Math.max(1, Math.round(size[axis] / 200));
      const reach = stride * Math.ceil((0.75 * size[axis]) / stride);
      Object.assign(input, { min: -reach, max: reach, step: stride });
    }
  }

  get region() {
    return regionOfFrame(this.frame, this.base, this.#size);
  }

  /** Take a region as the frame. */
  setRegion(region) {
    this.frame = frameOf(region, this.base, this.#size);
    this.#show();
  }

  /** Take the whole base, upright in the middle. */
  reset() {
    this.frame = WHOLE;
    this.#show();
  }

  /** Move a handle from one point of the picture to another; both in its pixels. */
  drag([across, down], now, before) {
    const region = this.region;
    const step = [now[0] - before[0], now[1] - before[1]];
    if (!across && !down) {
      this.#take(region.map((point) => [point[0] + step[0], point[1] + step[1]]));
    } else if (across && down) {
      this.#turnAndZoom(region, pointOf(region, [across, down]), step);
    } else {
      // The side moves, the opposite one stays.
      const moves = [
        [-1, -1],
        [1, -1],
        [1, 1],
        [-1, 1],
      ].map(([x, y]) => x * across + y * down > 0);
      this.#take(
        region.map((point, corner) =>
          moves[corner] ? [point[0] + step[0], point[1] + step[1]] : point,
        ),
      );
    }
  }

  #turnAndZoom(region, corner, step) {
    const middle = pointOf(region, [0, 0]);
    const was = [corner[0] - middle[0], corner[1] - middle[1]];
    const is = [was[0] + step[0], was[1] + step[1]];
    // As complex numbers: what turns and scales one into the other.
    const length = was[0] ** 2 + was[1] ** 2;
    const cos = (was[0] * is[0] + was[1] * is[1]) / length;
    const sin = (was[0] * is[1] - was[1] * is[0]) / length;
    this.#take(
      region.map(([x, y]) => {
        const [right, down] = [x - middle[0], y - middle[1]];
        return [middle[0] + cos * right - sin * down, middle[1] + sin * right + cos * down];
      }),
    );
  }

  #take(region) {
    const frame = frameOf(region, this.base, this.#size);
    // A frame without any area shows nothing, and nothing could be dragged out of it.
    if (!(frame.zoom < 40 && frame.stretch < 20 && frame.stretch > 1 / 20)) return;
    this.frame = frame;
    this.#show();
    this.#onChange();
  }

  #show() {
    for (const { name, power, input, output, say } of Object.values(this.#inputs)) {
      const value = power ? Math.log2(this.frame[name]) : this.frame[name];
      if (Math.abs(Number(input.value) - value) > Number(input.step) / 2) input.value = value;
      output.textContent = say(value);
      input.setAttribute("aria-valuetext", output.textContent);
    }
  }
}
