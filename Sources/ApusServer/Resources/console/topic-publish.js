// Publishing: a new message, or an earlier one changed.

import { request, topicPath } from "./api.js";
import { button, choice, field, h, input, setText, show } from "./dom.js";
import * as text from "./format.js";
import { topicLink } from "./route.js";
import { facts } from "./ui.js";

const kinds = { json: "application/json", text: "text/plain", lines: "application/x-ndjson" };
const hints = { json: "One JSON value.", text: "Published as a JSON text.",
  lines: "A batch: one JSON value in each line, all of them or none." };

// Each view of the page may show this form: what was sent last is proposed again.
const lately = [];

export class PublishTab {
  constructor(panel, view) {
    this.view = view;
    this.kind = "json";
    this.kinds = choice("Kind", [["json", "JSON"], ["text", "Text"], ["lines", "Batch"]], "json",
      kind => this.#choose(kind));
    this.payload = h("textarea", { rows: 10, spellcheck: "false", class: "code", value: "{\n  \"hello\": \"world\"\n}",
      input: () => this.#check() });
    this.key = input();
    this.lifetime = input({ placeholder: "for ever" });
    this.id = input({ placeholder: "made by the server" });
    this.problem = h("p.problem", { role: "status", hidden: true });
    this.submit = h("button.primary", "Publish");
    this.outcome = h("div", { role: "status" });
    this.origin = h("p.note", { hidden: true });
    this.body = field("Payload", this.payload, hints.json);
    const form = h("form.card.form", { submit: event => { event.preventDefault(); this.#publish(); } },
      this.origin, this.kinds, this.body, this.problem,
      h("div.fields", field("Key", this.key, "What the message is about"), field("Lifetime", this.lifetime,
        "30s, 10m, 2d"), field("Id", this.id, "The same id is taken once by a topic with a dedupe window")),
      h("div.buttons", this.submit, button("Format", () => this.#format()), h("span.soft", "Ctrl+Enter publishes")));
    form.addEventListener("keydown", event => { if (event.key === "Enter" && (event.ctrlKey
      || event.metaKey)) this.submit.click(); });
    this.recent = h("ul.recent");
    panel.replaceChildren(h("div.columns", form, h("section.card", { "aria-labelledby": "outcome-title" },
      h("h2", { id: "outcome-title" }, "Outcome"), this.outcome, h("h3", "Sent lately"), this.recent)));
    this.outcome.append(h("p.soft", "Nothing was published yet."));
    this.#draft();
    this.#listRecent();
  }

  #draft() {
    const { draft } = this.view;
    this.view.draft = null;
    if (!draft) return;
    this.payload.value = JSON.stringify(draft.payload, null, 2) ?? "";
    this.key.value = draft.key ?? "";
    setText(this.origin,
      `A copy of message ${draft.offset ?? draft.id}, with a new id. Change it, and publish it again.`);
    show(this.origin, true);
    this.payload.focus();
  }

  #choose(kind) {
    this.kind = kind;
    this.kinds.choose(kind);
    setText(this.body.querySelector(".hint"), hints[kind]);
    this.#check();
  }

  #check() {
    let problem = "";
    try {
      if (this.kind === "json") JSON.parse(this.payload.value);
      if (this.kind === "lines") {
        this.payload.value.split("\n").forEach((line, index) => {
          try { if (line.trim()) JSON.parse(line); } catch (error) {
            throw new Error(`Line ${index + 1}: ${error.message}`);
          }
        });
      }
    } catch (error) { problem = `Not JSON yet. ${error.message}`; }
    setText(this.problem, problem);
    show(this.problem, Boolean(problem));
    return !problem;
  }

  #format() {
    if (this.kind === "json" && this.#check()) this.payload.value = JSON.stringify(JSON.parse(this.payload.value),
      null, 2);
  }

  async #publish() {
    if (!this.#check()) return;
    this.submit.disabled = true;
    try {
      const answer = await request(topicPath(this.view.name, "/messages"), { method: "POST", body: this.payload.value,
        headers: { "Content-Type": kinds[this.kind] }, query: { key: this.key.value, ttl: this.lifetime.value,
          id: this.id.value } });
      this.#show(answer);
      lately.unshift({ payload: this.payload.value, kind: this.kind, key: this.key.value, topic: this.view.name,
        at: Date.now() });
      lately.length = Math.min(lately.length, 20);
      this.#listRecent();
      this.view.load();
    } catch (error) {
      this.outcome.replaceChildren(h("p.problem", error.message));
    } finally {
      this.submit.disabled = false;
    }
  }

  #show({ offset, subscribers, stored, duplicate, id, count, ts }) {
    const what = duplicate ? "It was published before, and is not published again."
      : count ? `${text.plural(count, "message")} published, from offset ${offset} on.`
        : `Published at offset ${offset}.`;
    this.outcome.replaceChildren(h("p.good", what),
      facts([["For", text.plural(subscribers, "subscriber")], ["Stored in", stored], ["At", text.clock(ts, true)],
        ["Id", id && h("code", id)],
        ["See it", h("a", { href: topicLink(this.view.name, { mode: "history", from: String(offset),
          message: String(offset) }) }, `Message ${offset}`)]]));
  }

  #listRecent() {
    this.recent.replaceChildren(...lately.map(each => h("li", button(each.payload.replace(/\s+/g, " ").slice(0, 80),
      () => {
      this.payload.value = each.payload;
      this.key.value = each.key;
      this.#choose(each.kind);
    }, "bare left"), h("small.soft", `${text.clock(each.at)} · ${each.topic}`))));
    if (lately.length === 0) this.recent.append(h("li.soft",
      "What you publish is listed here, until the page is closed."));
  }

  close() {}
}
