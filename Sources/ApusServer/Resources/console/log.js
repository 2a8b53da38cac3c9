// Log: the server's last warnings and errors, as they come.

import { button, choice, h, quietly, setText, show } from "./dom.js";
import * as text from "./format.js";
import { change } from "./route.js";
import { Rows } from "./rows.js";
import { badge, copy, dialog, empty, facts } from "./ui.js";

const most = 1000;
const levels = [["", "All"], ["warning", "Warnings"], ["error", "Errors"]];
const severe = new Set(["error", "critical"]);

function metadataText(metadata) {
  return Object.entries(metadata ?? {}).map(([name, value]) => `${name}=${value}`).join(" ");
}

function row() {
  const level = badge("");
  const cells = ["time", "level", "message", "metadata wide-only"].map(kind => h("span", { role: "gridcell", class: kind }));
  cells[1].append(level);
  return {
    node: h("div", { class: "log-row" }, cells),
    update(entry) {
      if (!entry) return;
      setText(cells[0], text.clock(entry.at));
      cells[0].title = text.moment(entry.at);
      setText(level, entry.level);
      level.className = `badge ${severe.has(entry.level) ? "bad" : "warn"}`;
      setText(cells[2], entry.message);
      setText(cells[3], metadataText(entry.metadata));
    },
  };
}

class View {
  constructor(root) {
    this.entries = [];
    this.shown = [];
    this.search = h("input", { type: "search", placeholder: "Search", "aria-label": "Search the log", "data-search": true, autocomplete: "off", spellcheck: "false",
      input: quietly(150, () => change({ search: this.search.value })) });
    this.levels = choice("Level", levels, "", level => change({ level }));
    this.status = h("p", { class: "soft", role: "status" });
    this.rows = new Rows({ label: "Warnings and errors, newest first", create: row, item: index => this.shown[index], open: index => this.#open(this.shown[index]),
      columns: ["Time", "Level", "Message", "Details"].map((name, index) => h("span", { role: "columnheader", class: ["time", "level", "message", "metadata wide-only"][index] }, name)) });
    this.nothing = h("div", { class: "empty", hidden: true }, h("h2", {}, "Nothing to show"), h("p"));
    root.replaceChildren(h("div", { class: "view-fill log" }, h("div", { class: "toolbar" }, h("div", { class: "grow" }, this.search), this.levels), this.status, this.rows.node, this.nothing));
  }

  update(params) {
    if (document.activeElement !== this.search) this.search.value = params.get("search") ?? "";
    this.level = params.get("level") ?? "";
    this.words = (params.get("search") ?? "").toLowerCase();
    this.levels.choose(this.level);
    this.#draw();
  }

  // Newest first. After a lost connection all come again: their ids tell which are new.
  take({ entries }) {
    const newest = this.entries[0]?.id ?? -Infinity;
    const added = entries.filter(({ id }) => id > newest).reverse();
    // A restarted server counts from the beginning.
    const all = added.length === 0 && entries.length > 1 && entries.at(-1).id < newest ? [...entries].reverse() : [...added, ...this.entries];
    this.entries = all.slice(0, most);
    this.#draw();
  }

  #draw() {
    this.shown = this.entries.filter(entry => (!this.level || (this.level === "error") === severe.has(entry.level))
      && (!this.words || `${entry.message} ${entry.label} ${metadataText(entry.metadata)}`.toLowerCase().includes(this.words)));
    this.rows.count = this.shown.length;
    this.rows.renderNow();
    show(this.rows.node, this.shown.length > 0);
    show(this.nothing, this.shown.length === 0);
    setText(this.nothing.lastChild, this.entries.length === 0 ? "The server has not warned of anything since it started." : "No entry matches.");
    setText(this.status, this.shown.length === this.entries.length ? text.plural(this.entries.length, "entry", "entries") : `${text.count(this.shown.length)} of ${text.plural(this.entries.length, "entry", "entries")}`);
  }

  #open(entry) {
    const node = dialog(entry.level, h("div", {}, h("p", { class: "verdict" }, entry.message),
      facts([["At", text.moment(entry.at)], ["From", entry.label], ...Object.entries(entry.metadata ?? {})]),
      h("div", { class: "buttons end" }, button("Copy", () => copy(JSON.stringify(entry))))));
    return node;
  }
}

export function mount(root, { params, follow, server }) {
  if (server.rights && !server.rights.admin) {
    root.replaceChildren(empty("The log is for administrators", "It needs a credential with the right “admin” on all topics (>)."));
    follow({ view: "none" }, {});
    return {};
  }
  const view = new View(root);
  view.update(params);
  follow({ view: "log" }, { log: entries => view.take(entries) });
  return { update: changed => view.update(changed), close: () => view.rows.close(), rows: view.rows };
}
