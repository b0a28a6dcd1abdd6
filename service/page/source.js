/** Where pictures come from: drawn, opened, dropped, pasted or taken. */

import { Camera, hasCamera } from "./camera.js";
import { Drawing, SIDE, drawStrokes } from "./drawing.js";
import { ask } from "./gateway.js";
import { look, predictOptions, showLookCommand, stopLooking } from "./looking.js";
import { evened, newCanvas, readFile } from "./picture.js";
import { showProblem } from "./results.js";
import { find, forgetAnswer, showPicture, stage, state } from "./view.js";
import { startSteering, stopSteering } from "./warping.js";

const PAUSE_MS = 350;
// To read a picture of more bytes here takes about as long as to ask about it.
const LARGE = 200_000;

const [paper, context] = newCanvas(SIDE, SIDE);
const camera = new Camera(find("video"));
let pause = 0;
let taken = 0; // Counts what came, so that what is late does not displace what came after it.
let asTaken = null; // The file as it is, while the picture is the same with its light evened out.
let isExample = false;

export const drawing = new Drawing(find("picture"), {
  onBegin() {
    if (state.mode !== "look" || camera.runs) return false;
    // What is there makes way for what a person draws.
    if (isExample || !state.picture.drawn) startDrawing();
    return true;
  },
  onChange: () => showDrawing(),
  onCursor: (cursor) => stage.drawCursor(cursor),
});

/** Begin an empty drawing. */
export function startDrawing() {
  taken += 1;
  markExample(null);
  stopCamera();
  drawing.strokes = [];
  find("picture-options").hidden = true;
  find("invert").checked = false;
  showDrawing();
}

/** Show the strokes as they are, and ask about them. */
export function showDrawing(settled = false) {
  // Ink and paper as the model knows them.
  const light = state.models.classifier?.input?.background === 255;
  context.fillStyle = light ? "#fff" : "#000";
  context.fillRect(0, 0, SIDE, SIDE);
  drawStrokes(context, drawing.strokes, { ink: light ? "#000" : "#fff" });
  showPicture({ name: "drawing.png", size: [SIDE, SIDE], canvas: paper, drawn: true, ours: true });
  const isEmpty = !drawing.strokes.length;
  find("undo").disabled = isEmpty;
  hint(isEmpty ? find("hint").dataset[document.documentElement.dataset.reads] : "");
  clearTimeout(pause);
  if (isEmpty) return forget();
  if (!settled) pause = setTimeout(() => look(true), PAUSE_MS);
  look(settled);
}

/** Take a file: show it, and ask about it. */
export async function takeFile(blob, name, { ours = false } = {}) {
  const turn = ++taken;
  clearTimeout(pause);
  stopCamera();
  markExample(null);
  // Asked at once; should it then be ink on paper, asked again.
  const early =
    state.mode === "look" && blob.size > LARGE
      ? ask("predict", { options: predictOptions(false), picture: blob })
      : null;
  early?.catch(() => {});
  const read = await readFile(blob, name);
  if (turn !== taken) return;
  drawing.strokes = [];
  find("undo").disabled = true;
  find("picture-options").hidden = false;
  const background = state.models.classifier?.input?.background ?? 0;
  const isPaper = read.grey !== null && read.grey > 0.5 !== background > 127;
  find("invert").checked = isPaper;
  asTaken = { ...read, ours };
  const even = isPaper && background === 0 ? await evened(read.canvas) : null;
  find("even").checked = even !== null;
  hint(read.canvas ? "" : "No picture");
  if (read.canvas) use(even ?? { ...asTaken, early: isPaper ? null : early });
  else use({ ...asTaken, size: [SIDE, SIDE], canvas: newCanvas(SIDE, SIDE)[0], broken: true });
}

/** Even out the light on the file that was taken, or not. */
export async function setEven(even) {
  find("invert").checked ||= even;
  if (asTaken?.canvas) use((even && (await evened(asTaken.canvas, true))) || { ...asTaken });
}

function use(picture) {
  forget();
  showPicture(picture);
  showLookCommand();
  if (state.mode === "steer" && !picture.broken) startSteering();
  else look(true);
}

function forget() {
  stopLooking();
  stopSteering();
  forgetAnswer();
  showLookCommand();
}

function hint(text) {
  Object.assign(find("hint"), { textContent: text, hidden: !text });
}

/** Mark the example that is shown; null for none. */
export function markExample(button) {
  isExample = button !== null;
  for (const other of find("examples").querySelectorAll("button"))
    other.setAttribute("aria-pressed", other === button);
}

/** Start the camera, or take a picture if it runs. */
export async function useCamera() {
  if (camera.runs) return takeFile(await camera.take(), "photo.png", { ours: true });
  if (!hasCamera()) return find("shot").click();
  try {
    await camera.start();
    find("camera").textContent = "Take picture";
  } catch (error) {
    stopCamera();
    showProblem({
      title: "no camera",
      detail: `The browser gives no picture of a camera: ${error.message}`,
    });
  }
}

export function stopCamera() {
  camera.stop();
  find("camera").textContent = "Camera";
}
