/** A form to try a route with. */

import { exampleForPath, exampleOfMedia, addressOf } from "./docs-document.js";
import { block, make, pretty } from "./docs-elements.js";

const KEY = "stn-serving key";

/** Return a form that sends a request to a route, and shows what comes back. */
export function tryIt(path, method, content, parameters) {
  const types = Object.keys(content);
  const isPicture = types.some((type) => type.startsWith("image/"));
  const isForm = types.includes("multipart/form-data");
  const inputs = parameters
    .filter((parameter) => parameter.in === "path" || parameter.in === "query")
    .map((parameter) => {
      const choices =
        parameter.schema.enum ?? (parameter.schema.type === "boolean" ? ["true", "false"] : null);
      const input = choices
        ? make(
            "select",
            { name: parameter.name },
            new Option("", ""),
            ...choices.map((choice) => new Option(choice)),
          )
        : make("input", {
            type: "text",
            name: parameter.name,
            value: parameter.in === "path" ? exampleForPath(parameter.name, parameters) : "",
          });
      if (parameter.name === "theta") input.value = "0.7071,-0.7071,0,0.7071,0.7071,0";
      return { parameter, input };
    });
  const file = isPicture || isForm ? make("input", { type: "file", multiple: !isPicture }) : null;
  const text =
    !file && types.length
      ? make("textarea", { value: pretty(exampleOfMedia(content[types[0]])), spellcheck: false })
      : null;
  const key = make("input", {
    type: "password",
    autocomplete: "off",
    value: sessionStorage.getItem(KEY) ?? "",
  });
  const labelled = (words, input) => input && make("label", {}, words, input);
  const output = make("div", {});
  output.ariaLive = "polite";
  const form = make(
    "form",
    { className: "try" },
    labelled(isPicture ? "A picture" : "Pictures", file),
    labelled(`Body, ${types[0]}`, text),
    make(
      "div",
      { className: "fields" },
      ...inputs.map(({ parameter, input }) => labelled(parameter.name, input)),
      labelled("API key, where one is wanted", key),
    ),
    make("button", {}, "Send"),
    output,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (key.value) sessionStorage.setItem(KEY, key.value);
    const values = Object.fromEntries(
      inputs.map(({ parameter, input }) => [parameter.name, input.value]),
    );
    const query = new URLSearchParams(
      inputs
        .filter(({ parameter, input }) => parameter.in === "query" && input.value)
        .map(({ parameter, input }) => [parameter.name, input.value]),
    );
    const options = {
      method: method.toUpperCase(),
      headers: key.value ? { authorization: `Bearer ${key.value}` } : {},
    };
    if (file) options.body = isPicture ? (file.files[0] ?? new Blob()) : partsOf(file.files);
    if (file && isPicture) options.headers["content-type"] = "application/octet-stream";
    if (text)
      Object.assign(options, {
        body: text.value,
        headers: { ...options.headers, "content-type": types[0] },
      });
    output.replaceChildren(
      ...(await shown(
        addressOf(path, parameters, values) + (query.size ? `?${query}` : ""),
        options,
      )),
    );
  });
  return form;
}

function partsOf(files) {
  const parts = new FormData();
  for (const one of files) parts.append("image", one);
  return parts;
}

async function shown(address, options) {
  try {
    const response = await fetch(address, options);
    const type = response.headers.get("content-type") ?? "";
    const facts = ["x-model-version", "server-timing", "x-request-id"]
      .filter((name) => response.headers.has(name))
      .map((name) => `${name}: ${response.headers.get(name)}`);
    const head = block(
      [`${response.status} ${response.statusText}`, `content-type: ${type}`, ...facts].join("\n"),
      "Status and headers of the answer",
    );
    if (type.startsWith("image/")) {
      const picture = make("img", {
        src: URL.createObjectURL(await response.blob()),
        alt: "The answer",
      });
      return [head, picture];
    }
    const text = await response.text();
    return [
      head,
      block(type.includes("json") && text ? pretty(JSON.parse(text)) : text, "Body of the answer"),
    ];
  } catch (error) {
    return [make("p", {}, `No answer: ${error.message}`)];
  }
}
