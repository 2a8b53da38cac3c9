// The server's figures, each second: one stream for the page, read by `fetch` because a header has the credential.

import { Problem, open } from "./api.js";

const longestDelay = 15_000;
const hiddenFor = 30_000;
// An event is a page of topics at most; more than this without an end is no stream of Apus.
const longestEvent = 32 * 1024 * 1024;

// Yields { event, data } of a body of server-sent events.
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const frames = (rest + part.value).split("\n\n");
      rest = frames.pop();
      if (rest.length > longestEvent) throw new Error("An event does not end.");
      for (const frame of frames) {
        let event = "message";
        const data = [];
        for (const line of frame.split("\n")) {
          if (line.startsWith("event:")) event = line.slice(6).trim();
          else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
        }
        if (data.length > 0) yield { event, data: data.join("\n") };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

export class ConsoleStream {
  #abort = null;
  #query = "";
  #failures = 0;
  #timer = 0;

  // `state` gets "connecting", "live", "away" (with the error), "expired" or "refused" (with the problem).
  // `always` has handlers of events beside those of the view.
  constructor(state, always) {
    this.state = state;
    this.always = always;
    this.handlers = {};
    // `true` until there is another credential, "refused" until there is another query.
    this.stopped = false;
    document.addEventListener("visibilitychange", () => this.#visibility());
    // A browser may keep a page that was left, with its connection, of which it has only about six.
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", () => this.#visibility());
  }

  // The same query keeps the stream that is there.
  follow(query, handlers) {
    this.handlers = handlers;
    const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ""
      && value != null)).toString();
    if (text === this.#query && this.#abort) return;
    if (text !== this.#query && this.stopped === "refused") this.stopped = false;
    this.#query = text;
    if (!this.stopped) this.#open();
  }

  // Begins anew, as with another credential.
  restart() {
    this.stopped = false;
    this.#failures = 0;
    if (this.#query) this.#open();
  }

  // A page that nobody sees asks the server for nothing.
  #visibility() {
    clearTimeout(this.#timer);
    if (document.hidden) this.#timer = setTimeout(() => this.#close(), hiddenFor);
    else if (!this.#abort && !this.stopped && this.#query) this.#open();
  }

  #close() {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#abort = null;
  }

  async #open() {
    this.#close();
    const abort = this.#abort = new AbortController();
    if (this.#failures === 0) this.state("connecting");
    try {
      const response = await open(`console/stream?${this.#query}`,
        { headers: { Accept: "text/event-stream" }, signal: abort.signal });
      for await (const { event, data } of events(response.body)) {
        if (abort.signal.aborted) return;
        const value = JSON.parse(data);
        if (event === "expired") return this.#stop("expired", value);
        // The server goes, and says when to come back.
        if (event === "end") return this.#again(abort, new Error("The server shuts down."), value.reconnect_after_ms);
        this.#take(event, value);
      }
      this.#again(abort, new Error("The stream ended."));
    } catch (error) {
      if (abort.signal.aborted) return;
      if (error instanceof Problem && [400, 401, 403, 404].includes(error.status)) return this.#stop("refused", error);
      this.#again(abort, error);
    }
  }

  #take(event, value) {
    if (event === "hello") {
      this.#failures = 0;
      this.state("live");
    }
    this.always[event]?.(value);
    this.handlers[event]?.(value);
  }

  #stop(state, problem) {
    this.stopped = state === "expired" || problem.status === 401 ? true : "refused";
    this.#close();
    this.state(state, problem);
  }

  #again(abort, reason, wait) {
    if (this.#abort !== abort) return;
    this.#close();
    this.state("away", reason);
    const delay = wait ?? Math.min(longestDelay, 500 * 2 ** this.#failures++) * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => this.#open(), delay);
  }
}
