/** The picture on the page, with what lies over it: knows where each of its pixels is. */

import { Overlay } from "./overlay.js";

// Of the box, on each side: room around the picture for a frame that reaches, or is dragged, beyond it.
const ROOM = 0.08;
const MORE_ROOM = 0.19;
const SMALL = 150;

export class Stage {
  overlay;
  #box;
  #canvas;
  #svg;
  #size = [504, 504];
  #region = null;
  #room = ROOM;
  #scale = 1;
  #corner = [0, 0];

  constructor(box, canvas, svg) {
    [this.#box, this.#canvas, this.#svg] = [box, canvas, svg];
    this.overlay = new Overlay(svg);
    new ResizeObserver(() => this.#layOut()).observe(box);
  }

  /** Show a picture of [width, height] pixels; the source may be smaller than it. */
  show(source, size) {
    this.#size = size;
    Object.assign(this.#canvas, { width: source.width, height: source.height });
    this.#canvas.getContext("2d").drawImage(source, 0, 0);
    this.#layOut();
  }

  /** Draw a region, in pixels of the picture, or none. */
  draw(region) {
    this.#region = region;
    this.overlay.draw(region?.map((point) => this.#toSvg(point)) ?? null);
  }

  /** Leave more room around the picture, or less. */
  leaveRoom(more) {
    this.#room = more ? MORE_ROOM : ROOM;
    this.#layOut();
  }

  /** Return the region's corners in CSS pixels of the picture's element. */
  regionOnCanvas(region) {
    return region.map((point) => point.map((value) => (value + 0.5) * this.#scale));
  }

  /** Return the point of the picture, in its pixels, under a point of the overlay. */
  fromSvg(point) {
    const margin = this.#margin();
    return point.map((value, axis) => (value - margin - this.#corner[axis]) / this.#scale - 0.5);
  }

  #toSvg(point) {
    const margin = this.#margin();
    return point.map((value, axis) => (value + 0.5) * this.#scale + this.#corner[axis] + margin);
  }

  drawCursor(cursor) {
    const [width, height] = this.#size;
    const [x, y] = cursor ? this.#toSvg([cursor.x * width - 0.5, cursor.y * height - 0.5]) : [0, 0];
    this.overlay.drawCursor(cursor && { x, y, down: cursor.down });
  }

  /** How far the overlay reaches beyond the box. */
  #margin() {
    return (this.#svg.clientWidth - this.#box.clientWidth) / 2;
  }

  #layOut() {
    const side = this.#box.clientWidth;
    this.#scale = (side * (1 - 2 * this.#room)) / Math.max(...this.#size);
    const shown = this.#size.map((pixels) => pixels * this.#scale);
    this.#corner = shown.map((pixels) => (side - pixels) / 2);
    const style = {
      left: this.#corner[0],
      top: this.#corner[1],
      width: shown[0],
      height: shown[1],
    };
    for (const [name, value] of Object.entries(style)) this.#canvas.style[name] = `${value}px`;
    this.#canvas.style.imageRendering = Math.max(...this.#size) < SMALL ? "pixelated" : "auto";
    this.draw(this.#region);
  }
}
