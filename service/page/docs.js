/** The API, as its own OpenAPI document tells it: each route with its forms, answers and errors. */

import {
  addressOf,
  api,
  exampleOf,
  exampleOfMedia,
  isBinary,
  resolve,
  typeOf,
} from "./docs-document.js";
import { block, code, make, pretty, prose } from "./docs-elements.js";
import { tryIt } from "./docs-trying.js";

const PICTURE = "<base64>";

function routeOf(path, method, operation, shared) {
  const parameters = [...shared, ...(operation.parameters ?? [])].map(resolve);
  const content = operation.requestBody ? resolve(operation.requestBody).content : {};
  const section = make(
    "section",
    { className: "route", id: idOf(method, path) },
    make("h2", {}, make("b", {}, method.toUpperCase()), path),
    make("p", {}, ...prose(operation.description ?? operation.summary ?? "")),
  );
  section.ariaLabel = `${method.toUpperCase()} ${path}`;
  if (parameters.length) section.append(make("h3", {}, "Options"), parameterTable(parameters));
  section.append(make("h3", {}, "Ask"), ...forms(path, method, content, parameters));
  section.append(make("h3", {}, "Try it"), tryIt(path, method, content, parameters));
  section.append(make("h3", {}, "Answers"), ...answersOf(operation.responses));
  return section;
}

const idOf = (method, path) => `${method}${path.replaceAll(/[^\w]+/g, "-")}`.replace(/-$/, "");

function parameterTable(parameters) {
  const rows = parameters.map(({ name, in: place, required, schema, description }) => {
    const usual = schema.default === undefined ? "" : String(schema.default);
    return make(
      "tr",
      {},
      make("td", {}, name),
      make("td", {}, `${place}${required ? ", needed" : ""}`),
      make("td", {}, typeOf(schema)),
      make("td", {}, usual),
      make("td", {}, ...prose(description || schema.description || "")),
    );
  });
  const head = ["name", "in", "values", "default", "meaning"].map((text) =>
    make("th", { scope: "col" }, text),
  );
  return make(
    "div",
    { className: "table" },
    make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)),
  );
}

/** An example of each form in which the route can be asked, as commands. */
function forms(path, method, content, parameters) {
  const url = new URL(addressOf(path, parameters), document.baseURI).href;
  const needed = (schema) =>
    Object.entries(resolve(schema).properties ?? {}).filter(([name]) => name === "theta");
  const commands = Object.entries(content).map(([type, media]) => {
    if (type === "multipart/form-data") {
      const parts = Object.entries(resolve(media.schema).properties ?? {});
      const files = parts.filter(
        ([, schema]) => isBinary(schema) || isBinary(resolve(schema).items ?? {}),
      );
      const words = files.flatMap(([name, schema]) =>
        (resolve(schema).type === "array" ? ["4", "7"] : ["7"]).map(
          (digit) => `-F ${name}=@digit-${digit}.png`,
        ),
      );
      return [
        type,
        [
          "curl",
          ...words,
          ...needed(media.schema).map(([name, schema]) => `-F ${name}=${exampleOf(schema)}`),
          url,
        ].join(" "),
      ];
    }
    if (type.includes("json")) {
      const body =
        media.example ??
        resolve(Object.values(media.examples ?? {})[0]).value ??
        shortBody(media.schema);
      const text = JSON.stringify(body)
        .replaceAll('"', '\\"')
        .replaceAll(PICTURE, "$(base64 -w0 digit-7.png)");
      return [type, `curl -H 'Content-Type: ${type}' -d "${text}" ${url}`];
    }
    const ending = { "image/jpeg": "jpg", "image/webp": "webp" }[type] ?? "png";
    const query = needed(content["multipart/form-data"]?.schema ?? {})
      .map(([name, schema]) => `${name}=${exampleOf(schema)}`)
      .join("&");
    return [
      type,
      `curl --data-binary @digit-7.${ending} -H 'Content-Type: ${type}' ${query ? `'${url}?${query}'` : url}`,
    ];
  });
  if (!commands.length)
    return [
      block(`curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}${url}`, "Command"),
    ];
  return commands.map(([type, command]) =>
    make(
      "div",
      {},
      make("p", { className: "small" }, type),
      block(command, `Command with ${type}`),
    ),
  );
}

/** Of the members of a body those that no one can leave out. */
function shortBody(schema) {
  const members = Object.entries(resolve(schema).properties ?? {}).filter(
    ([name]) => /^(images?|theta)$/.test(name) || resolve(schema).required?.includes(name),
  );
  const pictures = { image: PICTURE, images: [PICTURE, PICTURE] };
  return members.length
    ? Object.fromEntries(members.map(([name, child]) => [name, pictures[name] ?? exampleOf(child)]))
    : exampleOf(schema);
}

function answersOf(responses) {
  return Object.entries(responses ?? {}).map(([status, response]) => {
    const real = resolve(response);
    const media = Object.entries(real.content ?? {});
    const body = media.flatMap(([type, one]) => {
      const named = Object.entries(one.examples ?? {});
      if (type.startsWith("image/"))
        return [make("p", { className: "small" }, `${type}: the picture itself`)];
      if (!named.length)
        return [
          make("p", { className: "small" }, type),
          block(pretty(exampleOfMedia(one)), `Example of ${status}`),
          ...membersOf(one.schema),
        ];
      return named.map(([name, example]) => {
        const { summary, value } = resolve(example);
        const text = make(
          "summary",
          {},
          code(name),
          make("span", { className: "soft" }, summary ? ` ${summary}` : ""),
        );
        return make("details", {}, text, block(pretty(value), `Example of ${name}`));
      });
    });
    const text = make(
      "summary",
      {},
      code(status),
      " ",
      make("span", { className: "soft" }, ...prose(real.description ?? "")),
    );
    return make("details", { open: status === "200" }, text, ...body);
  });
}

/** The members of an object that need words. */
function membersOf(schema) {
  const rows = Object.entries(resolve(schema).properties ?? {}).map(([name, child]) => {
    const words = child.description ?? resolve(child).description ?? "";
    return make(
      "tr",
      {},
      make("td", {}, name),
      make("td", {}, typeOf(child)),
      make("td", {}, ...prose(words)),
    );
  });
  return rows.length
    ? [make("div", { className: "table" }, make("table", {}, make("tbody", {}, ...rows)))]
    : [];
}

document.getElementById("introduction").append(...prose(api.info.description ?? ""));
const items = [];
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    if (method === "parameters") continue;
    document
      .getElementById("routes")
      .append(routeOf(path, method, operation, methods.parameters ?? []));
    items.push(
      make(
        "li",
        {},
        make(
          "a",
          { href: `docs#${idOf(method, path)}` },
          make("b", {}, method.toUpperCase()),
          path,
        ),
      ),
    );
  }
}
document.getElementById("contents").append(make("ul", {}, ...items));
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
