/** Elements of the page at /docs. */

/** Make an element; strings among the children become text. */
export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const code = (text) => make("code", {}, text);
export const pretty = (value) => JSON.stringify(value, null, 2);
// A block that scrolls is reached by keyboard too.
export const block = (text, label) =>
  Object.assign(make("pre", { tabIndex: 0 }, code(text)), { role: "group", ariaLabel: label });

/** Text in which `code` is set as code. */
export function prose(text) {
  return text.split("`").map((part, i) => (i % 2 ? code(part) : part));
}
