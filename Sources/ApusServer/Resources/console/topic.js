// One topic: its figures, and the tabs Messages, Publish and Settings.

import { request, topicPath } from "./api.js";
import { button, h, setText, show } from "./dom.js";
import * as text from "./format.js";
import { change, format, go, topicLink } from "./route.js";
import { MessagesTab } from "./topic-messages.js";
import { PublishTab } from "./topic-publish.js";
import { SettingsTab } from "./topic-settings.js";
import { confirm, empty, toast } from "./ui.js";

const tabs = [["messages", "Messages", MessagesTab], ["publish", "Publish", PublishTab], ["settings", "Settings",
  SettingsTab]];
const refresh = 2000;
const isPattern = name => name.split(".").some(token => token === "*" || token === ">");

function fact(name) {
  const value = h("dd", text.none);
  return { node: h("div", h("dt", name), value), set: words => setText(value, words) };
}

class Figures {
  #facts = { rate: fact("Rate"), bytes: fact("Bytes"), subscribers: fact("Subscribers"), kept: fact("Kept"),
    ever: fact("Ever"), size: fact("Size"), durability: fact("Durability") };

  constructor() {
    this.node = h("dl.facts.inline", Object.values(this.#facts).map(({ node }) => node));
  }

  update({ rates, first, last, bytes, messages, subscribers, settings, disk }) {
    const { rate, bytes: sent, subscribers: readers, kept, ever, size, durability } = this.#facts;
    rate.set(text.rate(rates?.messages_per_second));
    sent.set(text.byteRate(rates?.bytes_per_second));
    readers.set(text.count(subscribers));
    kept.set(last < first ? "nothing"
      : `${text.count(last - first + 1)}, from ${text.count(first)} to ${text.count(last)}`);
    ever.set(text.count(messages));
    size.set(disk ? `${text.bytes(bytes)}, on disk ${text.bytes(disk.bytes)}` : text.bytes(bytes));
    durability.set(settings?.durability ?? text.none);
  }
}

class View {
  constructor(root, context) {
    this.root = root;
    this.name = context.name;
    this.context = context;
    this.topic = null;
    this.pattern = isPattern(this.name);
    this.figures = new Figures();
    this.problem = h("p.note.bad", { role: "status", hidden: true });
    this.panel = h("div.tab-panel", { role: "tabpanel", id: "topic-panel" });
    this.tabs = tabs.map(([key, title]) => h("a", { role: "tab", id: `tab-${key}`, "aria-controls": "topic-panel",
      href: topicLink(this.name, { tab: key === "messages" ? "" : key }), keydown: event => this.#tabKey(event) },
      title));
    const actions = h("div.buttons",
      h("a.button", { href: format("subscribers", "", { topic: this.name }) }, "Subscribers"),
      !this.pattern && button("Purge…", () => this.#purge()),
      !this.pattern && button("Delete…", () => this.#delete(), "danger"));
    root.replaceChildren(h("div.view-fill.topic",
      h("header.topic-head", h("div.title-row",
        h("h1.topic-name", h("a", { href: "#/topics", class: "soft" }, "Topics"),
          h("span.soft", { "aria-hidden": "true" }, " › "), this.name), actions),
      this.pattern ? h("p.soft", "A pattern: live messages of all topics that match.") : this.figures.node),
      this.problem, h("div.tabs", { role: "tablist", "aria-label": "Topic" }, this.pattern ? this.tabs[0] : this.tabs),
        this.panel));
    this.load = this.load.bind(this);
    if (!this.pattern) this.load();
  }

  get rows() { return this.tab?.rows; }

  async load() {
    clearTimeout(this.timer);
    if (this.closed) return;
    this.timer = setTimeout(this.load, refresh);
    if (document.hidden) return;
    try {
      const topic = await request(topicPath(this.name));
      if (this.closed) return;
      this.topic = topic;
      this.figures.update(topic);
      this.tab?.known?.(topic);
      show(this.problem, false);
    } catch (error) {
      if (this.closed) return;
      if ([401, 403].includes(error.status)) clearTimeout(this.timer);
      setText(this.problem, error.message);
      show(this.problem, true);
    }
  }

  update(params) {
    const wanted = this.pattern ? "messages" : params.get("tab") ?? "messages";
    const [key, , Tab] = tabs.find(([each]) => each === wanted) ?? tabs[0];
    if (this.key !== key) {
      this.tab?.close();
      this.key = key;
      this.tabs.forEach((tab, index) => {
        const chosen = tabs[index][0] === key;
        tab.setAttribute("aria-selected", String(chosen));
        tab.tabIndex = chosen ? 0 : -1;
      });
      this.panel.setAttribute("aria-labelledby", `tab-${key}`);
      this.tab = new Tab(this.panel, this);
      if (this.topic) this.tab.known?.(this.topic);
    }
    this.tab.update?.(params);
  }

  #tabKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || this.pattern) return;
    event.preventDefault();
    const next = this.tabs[(this.tabs.indexOf(event.target) + step + this.tabs.length) % this.tabs.length];
    next.focus();
    next.click();
  }

  // Opens the publish form with a message to change.
  publishAgain(message) {
    this.draft = message;
    change({ tab: "publish" }, { replace: false });
  }

  #purge() {
    confirm({ title: `Purge ${this.name}?`, action: "Purge",
      text: "All kept messages go, in memory and on the disk. Offsets go on, and live subscribers notice nothing.",
      run: async () => {
        const { purged } = await request(topicPath(this.name, "/messages"), { method: "DELETE" });
        toast(`${text.plural(purged, "message")} purged.`);
        this.load();
        this.tab?.purged?.();
      } });
  }

  #delete() {
    confirm({ title: "Delete the topic?", action: "Delete", typed: this.name,
      text: "The topic goes, with its messages and settings. Its subscribers are told, and their subscriptions end.",
      run: async () => {
        await request(topicPath(this.name), { method: "DELETE" });
        toast(`“${this.name}” is deleted.`);
        go("#/topics");
      } });
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.tab?.close();
  }
}

export function mount(root, context) {
  if (!context.name) {
    root.replaceChildren(empty("No topic", "The address names none."));
    return {};
  }
  const view = new View(root, context);
  view.update(context.params);
  context.follow({ view: "none" }, {});
  return { update: params => view.update(params), close: () => view.close(), get rows() { return view.rows; },
    togglePause: () => view.tab?.togglePause?.() };
}
