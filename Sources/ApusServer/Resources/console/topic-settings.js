// A topic's settings, as `PUT /topics/{name}` takes them. An empty field means the server's own value.

import { request, topicPath } from "./api.js";
import { button, field, h, input, select, setText, show } from "./dom.js";
import { toast, working } from "./ui.js";

const settings = [
  ["history", "Messages kept", "integer", "Their number, for replay"],
  ["history_age", "Kept for", "text", "Such as 1h: none older is kept"],
  ["history_bytes", "Bytes kept", "integer", "At most so many"],
  ["queue", "Queue", "integer", "How far a subscriber may be behind"],
  ["overflow", "Beyond the queue", ["drop-oldest", "drop-newest", "latest", "disconnect", "throttle"],
    "What happens to a slow subscriber"],
  ["dedupe_window", "Dedupe window", "text", "Such as 2m: how long ids are remembered"],
  ["ttl", "Lifetime", "text", "For messages that have none of their own"],
  ["topic_rate", "Messages per second", "text", "A number, or 30/m; 0 is any number"],
  ["topic_burst", "Burst", "integer", "How many of them may come at once"],
  ["durability", "Durability", ["memory", "os", "disk"], "What an acknowledged message survives"],
];

export class SettingsTab {
  constructor(panel, view) {
    this.view = view;
    this.edited = new Set();
    this.inputs = new Map(settings.map(([name, , kind]) => [name, this.#input(name, kind)]));
    this.problem = h("p.problem", { role: "alert", hidden: true });
    this.save = h("button.primary", { disabled: true }, "Save");
    this.undo = button("Undo changes", () => this.#reset(), { disabled: true });
    const form = h("form.card.form", { submit: event => { event.preventDefault(); this.#save(); } },
      h("p.soft", "An empty field means the server’s own value. Queue and overflow apply to later subscriptions."),
      h("div.fields", settings.map(([name, label, , hint]) => field(label, this.inputs.get(name), hint))),
      this.problem, h("div.buttons", this.save, this.undo));
    panel.replaceChildren(form);
  }

  #input(name, kind) {
    const changed = () => {
      this.edited.add(name);
      this.save.disabled = this.undo.disabled = false;
    };
    if (Array.isArray(kind)) return select([["", "the server’s"], ...kind], "", { change: changed });
    return input({ inputmode: kind === "integer" ? "numeric" : null, input: changed });
  }

  // The topic as the server has it now: shown where nobody is editing.
  known(topic) {
    this.topic = topic;
    for (const [name, input] of this.inputs) {
      if (this.edited.has(name) || input === document.activeElement) continue;
      input.value = topic.settings[name] ?? "";
    }
  }

  #reset() {
    this.edited.clear();
    this.save.disabled = this.undo.disabled = true;
    show(this.problem, false);
    if (this.topic) this.known(this.topic);
  }

  #value(name) {
    const text = this.inputs.get(name).value.trim();
    if (text === "") return null;
    const [, , kind] = settings.find(([each]) => each === name);
    const number = /^\d+(\.\d+)?$/.test(text);
    return number && (kind === "integer" || name === "topic_rate") ? Number(text) : text;
  }

  #save() {
    const json = Object.fromEntries([...this.edited].map(name => [name, this.#value(name)]));
    working(this.save, async () => {
      show(this.problem, false);
      try {
        const answer = await request(topicPath(this.view.name), { method: "PUT", json });
        toast("Saved.");
        this.topic = { ...this.topic, settings: answer.settings };
        document.activeElement?.blur();
        this.#reset();
        this.view.load();
      } catch (error) {
        setText(this.problem, error.message);
        show(this.problem, true);
      }
    }).finally(() => { this.save.disabled = this.edited.size === 0; });
  }

  close() {}
}
