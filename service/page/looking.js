/** The network steers: asks /predict, and shows where it looked and what it read. */

import { Latest, ask } from "./gateway.js";
import { frameOfTransform, inWords } from "./geometry.js";
import { blobOf } from "./picture.js";
import { showProblem, showReading, showTheta } from "./results.js";
import {
  announce,
  fail,
  find,
  flyAndShowSeen,
  showAnswered,
  showCommand,
  showSeen,
  showWords,
  stage,
  state,
} from "./view.js";

const predicting = new Latest(predict);

/** Ask about the picture; once it is settled, the answer is shown with some ceremony. */
export function look(settled) {
  if (state.mode !== "look") return;
  predicting.ask({ settled, picture: state.picture });
}

export function stopLooking() {
  predicting.cancel();
}

export function predictOptions(invert = find("invert").checked) {
  return {
    version: find("version-classifier")?.value,
    include: "warped",
    top_k: 10,
    fit: find("fit").value === "pad" ? "" : find("fit").value,
    invert: invert ? "true" : "",
  };
}

export const showLookCommand = () => showCommand("predict", predictOptions());

async function predict({ settled, picture }, signal) {
  showLookCommand();
  try {
    const { early } = picture;
    picture.early = null;
    const said = await (early ??
      ask("predict", { options: predictOptions(), picture: await blobOf(picture), signal }));
    // While a drawing grows, an answer is for the one before; that is near enough to be shown.
    if (
      state.mode === "look" &&
      (picture === state.picture || (picture.drawn && state.picture.drawn))
    )
      await show(said, settled);
  } catch (error) {
    fail(error);
  }
}

async function show(said, settled) {
  const answer = (state.answer = said.body);
  const { classifier } = state.models;
  showProblem(null);
  showReading(answer);
  const input = classifier?.input;
  const frame =
    answer.transform && input && frameOfTransform(answer.transform, [input.width, input.height]);
  showTheta(answer.region ? answer.theta : null, frame);
  showWords(
    frame ? `It ${inWords(frame)}.` : "",
    frame ? `Pixels of the ${input.width} × ${input.height} that it sees.` : "",
  );
  showAnswered(said, classifier);
  stage.draw(answer.region ?? null);
  if (settled)
    announce(
      `It reads ${answer.label}, ${(100 * answer.confidence).toFixed(1)} percent sure. ${find("words").textContent}`,
    );
  const bitmap = await createImageBitmap(blobOfBase64(answer.warped));
  if (settled && answer.region) flyAndShowSeen(answer.region, bitmap);
  else showSeen(bitmap);
}

function blobOfBase64({ base64, content_type: type }) {
  return new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type });
}
