/** The OpenAPI document: its references, its types, and values that they allow. */

export const api = await (await fetch("openapi.json")).json();

/** Follow a reference within the document. */
export function resolve(value) {
  if (!value?.$ref) return value ?? {};
  return value.$ref
    .slice(2)
    .split("/")
    .reduce((node, step) => node[step], api);
}

export function typeOf(schema) {
  const real = resolve(schema);
  const kinds = real.anyOf ?? real.oneOf;
  if (kinds) return [...new Set(kinds.map(typeOf))].filter((name) => name !== "null").join(" or ");
  if (real.enum) return real.enum.map((value) => JSON.stringify(value)).join(", ");
  if (real.type === "array") return `list of ${typeOf(real.items)}`;
  if (isBinary(real)) return "file";
  return real.title && real.type === "object" ? real.title : (real.type ?? "any");
}

export const isBinary = (schema) =>
  schema.contentMediaType !== undefined || schema.format === "binary";

/** A value that a schema allows, made of its examples and defaults. */
export function exampleOf(schema, depth = 0) {
  const real = resolve(schema);
  if (real.examples?.length) return real.examples[0];
  if (real.example !== undefined) return real.example;
  if (real.default !== undefined && real.default !== null) return real.default;
  if (real.enum) return real.enum[0];
  const first = (real.anyOf ?? real.oneOf)?.find((kind) => resolve(kind).type !== "null");
  if (first) return exampleOf(first, depth);
  if (real.type === "array")
    return Array.from({ length: Math.min(real.minItems ?? 1, 6) }, () =>
      exampleOf(real.items, depth),
    );
  if (real.type === "object" && depth < 5) {
    return Object.fromEntries(
      Object.entries(real.properties ?? {}).map(([name, child]) => [
        name,
        exampleOf(child, depth + 1),
      ]),
    );
  }
  return { string: "…", integer: 1, number: 0.5, boolean: false, object: {} }[real.type] ?? null;
}

export function exampleOfMedia(media) {
  const named = Object.values(media.examples ?? {})[0];
  return media.example ?? resolve(named).value ?? exampleOf(media.schema);
}

/** Return the address of a route, relative to the page; values fill the braces of its path. */
export function addressOf(path, parameters, values = {}) {
  const filled = path.replaceAll(/{([^}:]+)[^}]*}/g, (_, name) =>
    encodeURIComponent(values[name] || exampleForPath(name, parameters)),
  );
  return filled.replace(/^\//, "");
}

export function exampleForPath(name, parameters) {
  const schema = parameters.find((parameter) => parameter.name === name)?.schema ?? {};
  const value = exampleOf(schema);
  return value === "…" || value === null ? (/version/.test(name) ? 1 : "stn") : value;
}
