/** Who steers: the network, or the person. */

import { look, showLookCommand, stopLooking } from "./looking.js";
import { showProblem } from "./results.js";
import { find, forgetAnswer, layOutSeen, stage, state } from "./view.js";
import { startSteering, stopSteering } from "./warping.js";

/** Change hands; without `begin` a picture is about to come, and nothing is asked about this one. */
export function setMode(mode, { begin = true } = {}) {
  find(`mode-${mode}`).checked = true;
  state.mode = mode;
  find("stage").dataset.mode = mode;
  const looks = mode === "look";
  stage.leaveRoom(!looks);
  find("picture").classList.toggle("drawable", looks);
  find("picture").tabIndex = looks ? 0 : -1;
  stopLooking();
  stopSteering();
  showProblem(null);
  layOutSeen();
  if (begin && !find("hint").hidden) forgetAnswer();
  else if (begin && looks) look(true);
  else if (begin) startSteering();
  if (looks && state.picture) showLookCommand();
}
