// Kept messages, page by page, from a time or an offset on.

import { open, topicPath } from "./api.js";
import * as text from "./format.js";

const page = 1000;

// `10m`, `2026-11-21T10:00:00Z`, `all`, an offset such as 41, or nothing for the last ones.
export function startOf(from) {
  if (!from) return { last_n: page };
  if (/^#?\d+$/.test(from)) return { after: Math.max(0, Number(from.replace("#", "")) - 1) };
  const local = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?$/.test(from);
  // Without a time zone it is meant as the reader's own clock shows it.
  return { since: local ? new Date(from.length === 10 ? `${from}T00:00` : from.replace(" ", "T")).toISOString()
    : from };
}

export class History {
  #abort = new AbortController();

  constructor(topic, list, changed) {
    Object.assign(this, { topic, list, changed, busy: false, problem: "", status: "", hasMore: false });
  }

  begin(from) {
    this.stop();
    this.list.clear();
    this.first = undefined;
    let start;
    try { start = startOf(from); } catch { return this.#failed("This is no time."); }
    this.#read(start);
  }

  next() {
    if (this.hasMore && !this.busy) this.#read({ after: this.after, epoch: this.epoch });
  }

  stop() {
    this.#abort.abort();
    this.#abort = new AbortController();
    Object.assign(this, { busy: false, problem: "", status: "", hasMore: false });
  }

  async #read(start) {
    const { signal } = this.#abort;
    this.busy = true;
    this.problem = "";
    try {
      const query = { limit: page, ...start };
      // An offset alone would be one of another epoch if it is beyond the last.
      if (query.after !== undefined && !query.epoch) query.epoch = await this.#epochNow(signal);
      const response = await open(topicPath(this.topic, "/messages"), { query, signal });
      const answer = JSON.parse(await response.text());
      if (!signal.aborted) this.#take(answer);
    } catch (error) {
      if (!signal.aborted) this.#failed(error.message);
    } finally {
      if (!signal.aborted) this.busy = false;
      this.changed();
    }
  }

  async #epochNow(signal) {
    const response = await open(topicPath(this.topic), { signal });
    return (await response.json()).epoch;
  }

  #take({ epoch, first, last, messages, next, missed }) {
    Object.assign(this, { epoch, after: next, hasMore: messages.length > 0 && next < last });
    if (missed) this.list.add("", { notice: `Messages ${missed.from} to ${missed.to} are no longer kept.` });
    for (const { message, ...rest } of messages) {
      const value = { ...rest, topic: this.topic, id: message?.id, payload: message?.payload, message };
      this.list.add(JSON.stringify({ ...rest, message }), value);
    }
    this.first ??= messages[0]?.offset;
    this.status = messages.length === 0 ? ""
      : `Offsets ${text.count(this.first)} to ${text.count(messages.at(-1).offset)}; `
        + `kept are ${text.count(first)} to ${text.count(last)}`;
  }

  #failed(problem) {
    Object.assign(this, { problem, status: problem, hasMore: false });
    this.changed();
  }
}
