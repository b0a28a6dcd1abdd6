/** What the page knows, and how it shows what every part of it shows. */

import { fly, land } from "./flight.js";
import { Problem, readKey } from "./gateway.js";
import { Overlay } from "./overlay.js";
import { curlOf, showProblem, showReading, showTheta, showTimes } from "./results.js";
import { Stage } from "./stage.js";

export const find = (id) => document.getElementById(id);
export const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * mode: "look" or "steer". picture: { name, blob, size, canvas, ours }, ours when no file of that name
 * lies on the person's disk; the blob of a drawing is made when it is sent. answer: the last of
 * /predict for that picture. models: what /models/{name} says of both.
 */
export const state = {
  mode: "look",
  picture: null,
  answer: null,
  models: { classifier: null, warper: null },
};

export const stage = new Stage(find("box"), find("picture"), find("overlay"));
const outputGrid = new Overlay(find("output-grid"));
let given = 0; // Counts what the second square was given, so that a flight lands nothing that is old.
let announcing = 0;

/** Put a picture on the stage. */
export function showPicture(picture) {
  state.picture = picture;
  state.answer = null;
  stage.show(picture.canvas, picture.size);
  find("save").hidden = !picture.ours;
}

/** Fill the second square. */
export function showSeen(bitmap) {
  given += 1;
  land(find("sheet"));
  const canvas = find("warped");
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  canvas.classList.remove("faded");
  canvas.classList.toggle("smooth", Math.max(canvas.width, canvas.height) > 150);
  canvas.dataset.filled = "";
  layOutSeen();
}

/** Fill the second square by letting a region of the picture fly there; nobody need wait. */
export async function flyAndShowSeen(region, bitmap) {
  const turn = ++given;
  find("warped").classList.add("faded");
  await fly({
    sheet: find("sheet"),
    source: find("picture"),
    region: stage.regionOnCanvas(region),
    target: find("seen"),
  });
  if (turn === given) showSeen(bitmap);
}

/** Lay the output in its square, and its grid over it. */
export function layOutSeen() {
  const canvas = find("warped");
  if (canvas.dataset.filled === undefined) return;
  const box = find("seen");
  const scale = box.clientWidth / Math.max(canvas.width, canvas.height);
  const [width, height] = [canvas.width * scale, canvas.height * scale];
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const margin = (find("output-grid").clientWidth - box.clientWidth) / 2;
  const [left, top] = [
    margin + (box.clientWidth - width) / 2,
    margin + (box.clientHeight - height) / 2,
  ];
  outputGrid.draw([
    [left, top],
    [left + width, top],
    [left + width, top + height],
    [left, top + height],
  ]);
}

/** Say in a sentence what was done; the pixels in it are explained by a hint. */
export function showWords(words, hint = "") {
  Object.assign(find("words"), { textContent: words, title: hint });
}

/** Show who answered, and in what time. */
export function showAnswered(said, model) {
  showTimes(said);
  find("answered").textContent = said.version
    ? `Answered by ${model?.name ?? "the model"}, version ${said.version}.`
    : "";
}

/** Show the command that asks the same of a gateway. */
export function showCommand(path, options, output = "") {
  find("curl").textContent = curlOf(path, state.picture.name, options, {
    key: readKey() !== "",
    output,
  });
}

/** Empty what an answer has filled. */
export function forgetAnswer() {
  given += 1;
  state.answer = null;
  land(find("sheet"));
  showProblem(null);
  showReading(null);
  showTheta(null, null);
  showTimes(null);
  showWords("");
  find("answered").textContent = "";
  stage.draw(null);
  outputGrid.draw(null);
  const canvas = find("warped");
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  delete canvas.dataset.filled;
}

/** Show why there is no answer; other errors than a `Problem` are faults of this page. */
export function fail(error) {
  if (!(error instanceof Problem)) throw error;
  if (error.document.status === 401 || error.document.status === 403)
    find("key-form").hidden = false;
  showReading(null);
  showWords("");
  find("warped").classList.add("faded");
  showProblem(error.document);
}

/** Tell those who listen, once things have come to rest. */
export function announce(text) {
  clearTimeout(announcing);
  announcing = setTimeout(() => (find("live").textContent = text), 700);
}
