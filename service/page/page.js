/** The page's controls: what a person does with them becomes pictures, frames and questions. */

import { addExamples } from "./gallery.js";
import { keepKey } from "./gateway.js";
import { look } from "./looking.js";
import { readModels } from "./models.js";
import { setMode } from "./modes.js";
import { blobOf } from "./picture.js";
import { drawing, setEven, startDrawing, stopCamera, takeFile, useCamera } from "./source.js";
import { find, layOutSeen, state } from "./view.js";
import { asNetwork, asWhole, steer } from "./warping.js";

const on = (id, kind, listener) => find(id).addEventListener(kind, listener);
const askAgain = () => (state.mode === "steer" ? steer() : look(true));

for (const mode of ["look", "steer"]) {
  on(`mode-${mode}`, "change", () => {
    stopCamera();
    setMode(mode);
  });
}

// Pictures.
on("clear", "click", () => {
  setMode("look", { begin: false });
  startDrawing();
  find("picture").focus({ preventScroll: true });
});
on("undo", "click", () => drawing.undo());
on("open", "click", () => find("file").click());
on("camera", "click", useCamera);
for (const id of ["file", "shot"]) on(id, "change", () => openFirst(find(id).files));
document.addEventListener("paste", (event) => openFirst(event.clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  find("box").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) find("box").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  find("box").classList.remove("over");
  openFirst(event.dataTransfer.files);
});

function openFirst([file]) {
  if (file) takeFile(file, file.name || "pasted.png");
}

// Options.
for (const id of ["invert", "fit"]) on(id, "change", () => look(true));
on("even", "change", () => setEven(find("even").checked));
for (const id of ["padding", "interpolation"]) on(id, "change", steer);
on("as-network", "click", asNetwork);
on("as-whole", "click", asWhole);
on("key-form", "submit", async (event) => {
  event.preventDefault();
  keepKey(find("key").value);
  find("key").value = "";
  find("key-form").hidden = true;
  await readModels(askAgain);
  askAgain();
});

// The command.
on("copy", "click", async () => {
  try {
    await navigator.clipboard.writeText(find("curl").textContent);
    find("copy").textContent = "Copied";
  } catch {
    // Without HTTPS a browser may refuse: select it, for the keys that always work.
    getSelection().selectAllChildren(find("curl"));
    find("copy").textContent = "Selected";
  }
  setTimeout(() => (find("copy").textContent = "Copy"), 1500);
});
on("save", "click", async () => {
  const link = Object.assign(document.createElement("a"), {
    href: URL.createObjectURL(await blobOf(state.picture)),
    download: state.picture.name,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
});

new ResizeObserver(layOutSeen).observe(find("seen"));
const showFirst = addExamples();
setMode("look", { begin: false });
startDrawing();
await readModels(askAgain);
if (document.documentElement.dataset.reads === "pictures") startDrawing();
else showFirst();
