// One message in detail: its JSON, its bytes, where it went, and publishing it again.

import { request } from "./api.js";
import { button, choice, h, setText, show } from "./dom.js";
import * as text from "./format.js";
import { icon } from "./icons.js";
import { change } from "./route.js";
import { badge, copy, facts, note, table } from "./ui.js";

const longestShown = 500_000;
const outcomes = { delivered: "good", dropped: "bad", pending: "warn", filtered: "", later: "" };
const jsonParts = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

// JSON with its names, texts and numbers told apart.
export function coloured(json) {
  const parts = [];
  let at = 0;
  for (const match of json.matchAll(jsonParts)) {
    parts.push(json.slice(at, match.index));
    const [whole, string, colon, word] = match;
    const kind = colon !== undefined ? "json-name" : string !== undefined ? "json-text" : word ? "json-word"
      : "json-number";
    parts.push(h("span", { class: kind }, colon === undefined ? whole : string));
    if (colon !== undefined) parts.push(colon);
    at = match.index + whole.length;
  }
  return [...parts, json.slice(at)];
}

// Bytes as hexadecimal and text, sixteen in a line.
export function dump(raw, most = 4096) {
  const all = new TextEncoder().encode(raw);
  const lines = [];
  for (let at = 0; at < Math.min(all.length, most); at += 16) {
    const bytes = [...all.subarray(at, at + 16)];
    const hex = bytes.map(byte => byte.toString(16).padStart(2, "0")).join(" ").padEnd(47);
    const letters = bytes.map(byte => byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·").join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex}  ${letters}`);
  }
  if (all.length > most) lines.push(`… ${text.count(all.length - most)} bytes more`);
  return lines.join("\n");
}

export class MessageDetail {
  constructor(view, { closed }) {
    this.view = view;
    this.shape = "pretty";
    this.title = h("h2", { id: "message-title" });
    this.choice = choice("Shown as", [["pretty", "JSON"], ["raw", "Raw"], ["bytes", "Bytes"], ["trace",
      "Where it went"]], "pretty", shape => this.#reshape(shape));
    this.body = h("div.message-body");
    this.facts = h("div");
    const again = button("Publish again…", () => view.publishAgain(this.message.value));
    const close = h("button", { type: "button", class: "bare", "aria-label": "Close",
      click: () => { this.hide(); closed(); } }, icon("close"));
    this.sameKey = button("Only this key", () => change({ where: `key == ${JSON.stringify(this.message.value.key)}`,
      message: "" }));
    this.node = h("aside.detail.card", { "aria-labelledby": "message-title", hidden: true },
      h("header", this.title, close), this.facts,
      h("div.buttons", !view.pattern && again, button("Copy", () => copy(this.#copied())), this.sameKey),
      this.choice, this.body);
    this.node.addEventListener("keydown", event => { if (event.key === "Escape") close.click(); });
  }

  get visible() { return !this.node.hidden; }

  show(message) {
    this.message = message;
    const { value } = message;
    setText(this.title, value.offset == null ? "Message" : `Message ${value.offset}`);
    this.facts.replaceChildren(facts([["Published", value.ts
      && `${text.moment(value.ts).slice(0, 10)} ${text.clock(value.ts, true)}`],
      ["Topic", this.view.pattern ? value.topic : null],
      ["Id", h("code", value.id ?? text.none)], ["Key", value.key && h("code", value.key)], ["Size",
        text.bytes(new TextEncoder().encode(JSON.stringify(value.payload) ?? "").length)]]));
    show(this.sameKey, value.key != null);
    show(this.node, true);
    this.#draw();
  }

  hide() { show(this.node, false); }

  #reshape(shape) {
    this.shape = shape;
    this.#draw();
  }

  #copied() {
    const { payload } = this.message.value;
    return this.shape === "pretty" ? JSON.stringify(payload, null, 2) : this.message.raw;
  }

  #draw() {
    this.choice.choose(this.shape);
    if (this.shape === "trace") return void this.#trace();
    const { raw, value } = this.message;
    const whole = this.shape === "raw" ? raw : this.shape === "bytes" ? dump(raw) : JSON.stringify(value.payload, null,
      2) ?? "";
    const long = whole.length > longestShown;
    const words = long ? whole.slice(0, longestShown) : whole;
    const colours = this.shape === "pretty" && words.length < 100_000;
    this.body.replaceChildren(h("pre", { tabindex: "0", "aria-label": "Message" }, colours ? coloured(words) : words),
      ...(long ? [note(`The first ${text.count(longestShown)} characters; Copy has all.`)] : []));
  }

  async #trace() {
    const { message } = this;
    const { id, topic } = message.value;
    this.body.replaceChildren(note("Asking the server…"));
    let content;
    try {
      const answer = await request("trace", { query: { id, topic: topic ?? this.view.name } });
      content = answer.found ? traced(answer)
        : note(answer.complete === false
          ? "The server did not find this message, but has not searched everything: it may still have it."
          : "The server no longer has this message, so it does not know where it went.");
    } catch (error) {
      content = note(error.message, "bad");
    }
    if (this.message === message && this.shape === "trace") this.body.replaceChildren(content);
  }
}

function traced({ stored, bytes, subscribers = [], gone = [] }) {
  const rows = [...subscribers, ...gone].map(each => [
    each.client_id, badge(each.outcome ?? "gone", outcomes[each.outcome] ?? ""), each.reason ?? "",
    each.at ? text.clock(each.at, true) : "", each.address ?? ""]);
  return h("div", h("p", `Stored: ${stored ?? text.none} · ${text.bytes(bytes)}`),
    rows.length > 0 ? table("Where the message went", ["Client", "Outcome", "Why", "When", "Address"], rows)
      : note("Nobody was subscribed when it was published."));
}
