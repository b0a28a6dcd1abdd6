/** Asks the gateway, and tells what it says: answers, times, problems. */

const KEY = "stn-serving key";
const PATIENCE_MS = 200;

/** What the gateway, or the way to it, has against a request; `document` is the problem document. */
export class Problem extends Error {
  constructor(document) {
    super(document.detail);
    this.document = document;
  }
}

export const readKey = () => sessionStorage.getItem(KEY) ?? "";
export const keepKey = (key) => sessionStorage.setItem(KEY, key);

/** Return { body, stages, version, milliseconds }; body as JSON, or as a Blob when it is a picture. */
export async function ask(path, { options = {}, picture, accept, signal } = {}) {
  const headers = { accept: accept ?? "application/json" };
  // The bytes decide what a picture is, so nothing is said of its type.
  if (picture) headers["content-type"] = "application/octet-stream";
  if (readKey()) headers.authorization = `Bearer ${readKey()}`;
  const start = performance.now();
  let response;
  try {
    response = await fetch(path + query(options), {
      method: picture ? "POST" : "GET",
      headers,
      body: picture,
      signal,
      cache: "no-store",
    });
    const kind = response.headers.get("content-type") ?? "";
    const body = kind.startsWith("image/") ? await response.blob() : await response.json();
    if (!response.ok) throw new Problem(body);
    return {
      body,
      stages: stagesOf(response.headers.get("server-timing") ?? ""),
      version: response.headers.get("x-model-version"),
      milliseconds: performance.now() - start,
    };
  } catch (error) {
    if (error instanceof Problem || error.name === "AbortError") throw error;
    throw new Problem(
      response
        ? {
            title: "not an answer of the gateway",
            detail: "Something between this page and the gateway answered in its place.",
            status: response.status,
          }
        : { title: "no answer", detail: "The gateway cannot be reached. Is it still running?" },
    );
  }
}

/** Write options as a query; those without a value are left out. */
export function query(options) {
  const given = Object.entries(options).filter(
    ([, value]) => value !== "" && value !== undefined && value !== null,
  );
  // A comma may stand as it is, and theta is easier to read so.
  return given.length ? `?${new URLSearchParams(given)}`.replaceAll("%2C", ",") : "";
}

function stagesOf(header) {
  return [...header.matchAll(/([\w-]+);dur=([\d.]+)/g)].map(([, name, milliseconds]) => ({
    name,
    milliseconds: Number(milliseconds),
  }));
}

/**
 * Does one thing at a time, and of what was asked meanwhile only the last.
 *
 * What is under way gets a moment to finish, so that a slow gateway still shows something while a
 * slider moves; then it is cancelled.
 */
export class Latest {
  #work;
  #controller = null;
  #next = null;
  #timer = 0;

  constructor(work) {
    this.#work = work;
  }

  ask(argument) {
    this.#next = { argument };
    if (this.#controller) this.#timer ||= setTimeout(() => this.#controller?.abort(), PATIENCE_MS);
    else this.#run();
  }

  /** Drop what is under way and what waits. */
  cancel() {
    this.#next = null;
    this.#controller?.abort();
  }

  async #run() {
    while (this.#next) {
      const { argument } = this.#next;
      this.#next = null;
      this.#controller = new AbortController();
      try {
        await this.#work(argument, this.#controller.signal);
      } catch (error) {
        if (error.name !== "AbortError") throw error;
      } finally {
        clearTimeout(this.#timer);
        this.#timer = 0;
        this.#controller = null;
      }
    }
  }
}
