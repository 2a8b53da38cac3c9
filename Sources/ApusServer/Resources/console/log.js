// Log: the server's last warnings and errors, as they come.

import { button, choice, h, search, setText, show } from "./dom.js";
import * as text from "./format.js";
import { change } from "./route.js";
import { Rows } from "./rows.js";
import { badge, copy, dialog, empty, facts } from "./ui.js";

const most = 1000;
const levels = [["", "All"], ["warning", "Warnings"], ["error", "Errors"]];
const columns = [["Time", "time"], ["Level", "level"], ["Message", "message"], ["Details", "metadata wide-only"]];
const isError = ({ level }) => level === "error" || level === "critical";
const details = ({ metadata }) => Object.entries(metadata ?? {}).map(([name, value]) => `${name}=${value}`).join(" ");

function row(cells) {
  const level = badge("");
  cells[1].append(level);
  return entry => {
    if (!entry) return;
    setText(cells[0], text.clock(entry.at));
    cells[0].title = text.moment(entry.at);
    setText(level, entry.level);
    level.className = `badge ${isError(entry) ? "bad" : "warn"}`;
    setText(cells[2], entry.message);
    setText(cells[3], details(entry));
  };
}

function open(entry) {
  dialog(entry.level, h("div", h("p.verdict", entry.message),
    facts([["At", text.moment(entry.at)], ["From", entry.label], ...Object.entries(entry.metadata ?? {})]),
    h("div.buttons.end", button("Copy", () => copy(JSON.stringify(entry))))));
}

class View {
  constructor(root, server) {
    this.server = server;
    this.entries = [];
    this.shown = [];
    this.search = search("Search the log", () => change({ search: this.search.value }));
    this.levels = choice("Level", levels, "", level => change({ level }));
    this.status = h("p.soft", { role: "status" });
    this.rows = new Rows({ label: "Warnings and errors, newest first", columns, row, item: index => this.shown[index],
      open: index => open(this.shown[index]) });
    this.nothing = h("div.empty", { hidden: true }, h("h2", "Nothing to show"), h("p"));
    root.replaceChildren(h("div.view-fill.log", h("div.toolbar", h("div.grow", this.search), this.levels),
      this.status, this.rows.node, this.nothing));
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
    this.known = true;
    // A restarted server counts from the beginning.
    if (this.started !== this.server.started) this.entries = [];
    this.started = this.server.started;
    const newest = this.entries[0]?.id ?? -Infinity;
    const added = entries.filter(({ id }) => id > newest).reverse();
    this.entries = [...added, ...this.entries].slice(0, most);
    this.#draw();
  }

  #draw() {
    if (!this.known) return;
    this.shown = this.entries.filter(entry => (!this.level || (this.level === "error") === isError(entry))
      && (!this.words || `${entry.message} ${entry.label} ${details(entry)}`.toLowerCase().includes(this.words)));
    const { length } = this.shown;
    this.rows.count = length;
    this.rows.renderNow();
    show(this.rows.node, length > 0);
    show(this.nothing, length === 0);
    const all = text.plural(this.entries.length, "entry", "entries");
    setText(this.nothing.lastChild, this.entries.length > 0 ? "No entry matches."
      : "The server has not warned of anything since it started.");
    setText(this.status, length === this.entries.length ? all : `${text.count(length)} of ${all}`);
  }
}

export function mount(root, { params, follow, server }) {
  if (server.rights && !server.admin) {
    root.replaceChildren(empty("The log is for administrators", "It needs the right “admin” on all topics (>)."));
    follow({ view: "none" }, {});
    return {};
  }
  const view = new View(root, server);
  view.update(params);
  follow({ view: "log" }, { log: entries => view.take(entries) });
  return { update: changed => view.update(changed), close: () => view.rows.close(), rows: view.rows };
}
