/** Which models and versions there are, and the choice among them. */

import { ask } from "./gateway.js";
import { fail, find, state } from "./view.js";

const DIGITS = [...Array(10).keys()];

/** Ask for all models, and offer their versions; onChoice is called when one is chosen. */
export async function readModels(onChoice) {
  try {
    const { body } = await ask("models");
    const details = await Promise.all(
      body.models.map(({ name }) => ask(`models/${encodeURIComponent(name)}`)),
    );
    // The one that sees an input of a certain size is the classifier; it also comes first.
    const [first, second] = details
      .map((said) => said.body)
      .sort((a, b) => Boolean(b.input) - Boolean(a.input));
    state.models = { classifier: first, warper: second };
    // Drawn digits say nothing to whoever was trained on flowers.
    const isOfDigits = String(first.labels ?? DIGITS) === String(DIGITS);
    document.documentElement.dataset.reads = isOfDigits ? "digits" : "pictures";
    find("models").replaceChildren(
      chooser("classifier", first, onChoice),
      chooser("warper", second, onChoice),
    );
  } catch (error) {
    fail(error);
  }
}

function chooser(role, model, onChoice) {
  const label = Object.assign(document.createElement("label"), { textContent: model.name });
  const select = Object.assign(document.createElement("select"), { id: `version-${role}` });
  select.append(
    new Option(
      model.default_version === null ? "none is ready" : `newest (${model.default_version})`,
      "",
    ),
  );
  for (const { version, state: condition, labels, ready } of model.versions) {
    const words = [
      `version ${version}`,
      ...labels,
      ...(ready ? [] : [condition.toLowerCase()]),
    ].join(", ");
    select.append(Object.assign(new Option(words, version), { disabled: !ready }));
  }
  select.addEventListener("change", onChoice);
  label.append(select);
  return label;
}
