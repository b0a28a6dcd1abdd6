/** You steer: asks /warp for what the frame shows, at every move. */

import { Latest, ask } from "./gateway.js";
import { inWords, thetaOf } from "./geometry.js";
import { predictOptions } from "./looking.js";
import { blobOf, copyToSteer } from "./picture.js";
import { showProblem, showTheta } from "./results.js";
import { Steering } from "./steering.js";
import {
  announce,
  fail,
  find,
  showAnswered,
  showCommand,
  showSeen,
  showWords,
  stage,
  state,
} from "./view.js";

const steering = new Steering(find("sliders"), () => steer());
const warping = new Latest(warp);
const copies = new WeakMap(); // What is sent of each picture.
let outputSize = [1, 1];

stage.overlay.addHandles((place, now, before) =>
  steering.drag(place, stage.fromSvg(now), stage.fromSvg(before)),
);

/** Begin where the network looked; what it sees has the shape of its own output. */
export async function asNetwork() {
  const { picture, models } = state;
  if (!state.answer) {
    try {
      const { body } = await ask("predict", {
        options: predictOptions(),
        picture: await blobOf(picture),
      });
      if (picture !== state.picture || state.mode !== "steer") return;
      state.answer = body;
    } catch (error) {
      fail(error);
      return;
    }
  }
  if (!state.answer.region) return asWhole();
  const side = Math.max(...picture.size);
  const [height, width] = models.classifier?.output_size ?? [1, 1];
  outputSize = [
    (side * width) / Math.max(width, height),
    (side * height) / Math.max(width, height),
  ];
  steering.begin(picture.size, [Math.max(1, side - 1), Math.max(1, side - 1)]);
  steering.setRegion(state.answer.region);
  steer();
}

/** Begin with the whole picture, upright. */
export function asWhole() {
  outputSize = state.picture.size;
  steering.begin(
    outputSize,
    outputSize.map((side) => Math.max(1, side - 1)),
  );
  steering.reset();
  steer();
}

export function startSteering() {
  if (state.answer?.region) asNetwork();
  else asWhole();
}

export function stopSteering() {
  warping.cancel();
}

/** Show the frame, and ask what it shows. */
export function steer() {
  const { mode, picture } = state;
  if (mode !== "steer" || picture.broken) return;
  const region = steering.region;
  const theta = thetaOf(region, picture.size);
  stage.draw(region);
  showTheta(theta, steering.frame);
  showWords(`You ${inWords(steering.frame)}.`, "Pixels of the picture.");
  showCommand("warp", warpOptions(theta, outputSize), "warped.png");
  warping.ask({ theta, picture });
}

function warpOptions(theta, [width, height]) {
  const unless = (usual, id) => (find(id).value === usual ? "" : find(id).value);
  return {
    theta: theta
      .flat()
      .map((value) => Number(value.toFixed(6)))
      .join(","),
    width: Math.max(1, Math.round(width)),
    height: Math.max(1, Math.round(height)),
    padding: unless("zeros", "padding"),
    interpolation: unless("bilinear", "interpolation"),
    version: find("version-warper")?.value,
  };
}

async function warp({ theta, picture }, signal) {
  try {
    if (!copies.has(picture)) copies.set(picture, await copyToSteer(picture));
    const { blob, size } = copies.get(picture);
    const scale = size[0] / picture.size[0];
    const options = warpOptions(
      theta,
      outputSize.map((side) => side * scale),
    );
    const said = await ask("warp", { options, picture: blob, accept: "image/png", signal });
    if (state.mode !== "steer" || picture !== state.picture) return;
    showProblem(null);
    showAnswered(said, state.models.warper);
    showSeen(await createImageBitmap(said.body));
    announce(find("words").textContent);
  } catch (error) {
    fail(error);
  }
}
