/** The examples as buttons; a digit among them is written before one's eyes. */

import { SIDE, drawStrokes } from "./drawing.js";
import { EXAMPLES, begun, strokesOf } from "./examples.js";
import { setMode } from "./modes.js";
import { newCanvas, toBlob } from "./picture.js";
import { drawing, markExample, showDrawing, startDrawing, takeFile } from "./source.js";
import { find, isStill } from "./view.js";

const WRITING_MS = 700;

/** Add a button for each example; return what shows the first. */
export function addExamples() {
  const shows = EXAMPLES.map((example) => {
    const button = Object.assign(document.createElement("button"), { title: example.name });
    button.setAttribute("aria-label", example.name);
    button.setAttribute("aria-pressed", "false");
    button.append(thumbnailOf(example));
    const item = document.createElement("li");
    item.classList.toggle("digits-only", !example.picture);
    item.append(button);
    find("examples").append(item);
    const show = () => showExample(example, button);
    button.addEventListener("click", show);
    return show;
  });
  return shows[0];
}

function thumbnailOf(example) {
  if (example.picture)
    return Object.assign(document.createElement("img"), { src: example.picture, alt: "" });
  const [canvas, context] = newCanvas(112, 112);
  context.drawImage(example.paper ? onPaper(example) : onBlack(example), 0, 0, 112, 112);
  return canvas;
}

async function showExample(example, button) {
  setMode(example.picture ? "steer" : "look", { begin: false });
  if (example.picture) {
    await takeFile(await (await fetch(example.picture)).blob(), "cat.webp", { ours: true });
  } else if (example.paper) {
    await takeFile(await toBlob(onPaper(example)), "on-paper.png", { ours: true });
  } else {
    startDrawing();
    write(strokesOf(example), button);
  }
  markExample(button);
}

/** Write strokes as a hand would, asking all the way. */
function write(strokes, button) {
  const start = performance.now();
  const step = (now) => {
    const part = isStill() ? 1 : Math.min(1, Math.max(0.02, (now - start) / WRITING_MS));
    // Someone else has the pen by now.
    if (button.getAttribute("aria-pressed") !== "true") return;
    drawing.strokes = part < 1 ? begun(strokes, part) : strokes;
    showDrawing(part === 1);
    if (part < 1) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

function onBlack(example) {
  const [canvas, context] = newCanvas(SIDE, SIDE);
  drawStrokes(context, strokesOf(example));
  return canvas;
}

/** Ink on paper that is neither quite white nor evenly lit. */
function onPaper(example) {
  const [canvas, context] = newCanvas(SIDE, SIDE);
  const light = context.createLinearGradient(0, 0, SIDE, SIDE);
  light.addColorStop(0, "#f7f2e7");
  light.addColorStop(1, "#d9d0bd");
  context.fillStyle = light;
  context.fillRect(0, 0, SIDE, SIDE);
  drawStrokes(context, strokesOf(example), { ink: "#20306b", pen: 0.055 });
  return canvas;
}
