/** Shows answers: bars, theta, times, and the command that gives the same. */

import { query } from "./gateway.js";
import { written } from "./geometry.js";

const BARS = 10;
const find = (id) => document.getElementById(id);
// No network is ever quite sure.
const percent = (share) => (share >= 0.9995 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`);

function make(name, text, className = "") {
  return Object.assign(document.createElement(name), { textContent: text, className });
}

/** Show what was read; null empties it. */
export function showReading(answer) {
  find("label").textContent = answer?.label ?? "–";
  find("label").classList.toggle("long", (answer?.label.length ?? 0) > 2);
  find("label").classList.toggle("none", !answer);
  find("sure").textContent = answer ? `${percent(answer.confidence)} sure` : "";
  const bars = find("bars");
  if (!answer) return bars.querySelectorAll("li").forEach((bar) => setBar(bar, null, false));
  // Few classes keep their places; of many, the likeliest are shown.
  const classes = answer.top.slice(0, BARS);
  if (answer.probabilities.length <= BARS) classes.sort((a, b) => a.index - b.index);
  while (bars.children.length > classes.length) bars.lastChild.remove();
  while (bars.children.length < classes.length) bars.append(newBar());
  classes.forEach(({ label, index, probability }, i) => {
    bars.children[i].firstChild.textContent = label;
    setBar(bars.children[i], probability, index === answer.index);
  });
}

function newBar() {
  const bar = make("li", "");
  const track = make("span", "", "track");
  track.setAttribute("aria-hidden", "true");
  track.append(make("span", "", "fill"));
  bar.append(make("span", ""), track, make("span", "", "value"));
  return bar;
}

function setBar(bar, share, best) {
  bar.classList.toggle("best", best);
  bar.querySelector(".fill").style.transform = `scaleX(${share ?? 0})`;
  bar.lastChild.textContent = share === null ? "" : percent(share);
}

/** Show theta as a matrix and its parts; null empties both. */
export function showTheta(theta, frame) {
  const rows = (theta ?? []).map((row) => {
    const line = make("tr", "");
    line.append(...[row].flat().map((value) => make("td", written(value, 4))));
    return line;
  });
  find("theta").tBodies[0].replaceChildren(...rows);
  find("theta").hidden = !rows.length;
  const parts = frame
    ? [
        ["Rotation", `${written(frame.turn, 1)}°`],
        ["Zoom", `${frame.zoom.toFixed(2)} ×`],
        ["Stretch", `${frame.stretch.toFixed(2)} ×`],
        ["Shear", `${written(frame.lean, 1)}°`],
        ["Translation", `${written(frame.right, 1)}, ${written(frame.down, 1)} pixels`],
      ]
    : [];
  showParts("parts", parts);
}

/** Show the time of each stage, and of the whole way there and back; null empties them. */
export function showTimes(said) {
  if (!said) {
    find("time-bar").replaceChildren();
    return showParts("times", []);
  }
  const { stages, milliseconds } = said;
  const inside = stages.reduce((sum, stage) => sum + stage.milliseconds, 0);
  const way = { name: "way", milliseconds: Math.max(0, milliseconds - inside) };
  find("time-bar").replaceChildren(
    ...[...stages, way].map(({ name, milliseconds: spent }) => {
      const part = make("span", "", name);
      part.style.flexGrow = spent;
      return part;
    }),
  );
  const line = ({ name, milliseconds: spent }) => [
    name[0].toUpperCase() + name.slice(1),
    `${spent.toFixed(1)} ms`,
  ];
  showParts("times", [...stages.map(line), ["There and back", `${milliseconds.toFixed(1)} ms`]]);
}

function showParts(id, parts) {
  find(id).replaceChildren(
    ...parts.flatMap(([name, value]) => [make("dt", name), make("dd", value)]),
  );
}

/** Show what went wrong, in the gateway's words; null hides it. */
export function showProblem(document) {
  find("problem").hidden = !document;
  if (!document) return;
  find("problem-title").textContent = document.title;
  find("problem-detail").textContent = document.detail;
  find("problem-fields").replaceChildren(
    ...(document.errors ?? []).map(({ field, got, expected }) =>
      make("li", `${field}: got ${got}; expected ${expected}`),
    ),
  );
  const facts = [
    document.status,
    document.code,
    document.request_id && `request ${document.request_id}`,
  ];
  find("problem-facts").textContent = facts.filter(Boolean).join(" · ");
}

/** Return the command that sends a file with these options. */
export function curlOf(path, file, options, { key = false, output = "" } = {}) {
  const quote = (text) =>
    /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
  // What -F would take for the end of a name.
  const name = /[;,"]/.test(file) ? `"${file.replace(/["\\]/g, "\\$&")}"` : file;
  const words = [
    "curl",
    "-F",
    quote(`image=@${name}`),
    quote(`${new URL(path, document.baseURI)}${query(options)}`),
  ];
  if (key) words.splice(1, 0, "-H", '"Authorization: Bearer $STN_KEY"');
  if (output) words.push("-o", output);
  return words.join(" ");
}
