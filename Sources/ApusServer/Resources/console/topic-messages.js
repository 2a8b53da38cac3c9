// The messages of a topic: live, or back in time; filtered, and one of them in detail.

import { button, choice, field, h, input, search, select, setText, show, written } from "./dom.js";
import * as text from "./format.js";
import { icon } from "./icons.js";
import { testFor } from "./message-filter.js";
import { MessageList, mostKept } from "./messages.js";
import { History } from "./message-history.js";
import { change } from "./route.js";
import { Rows } from "./rows.js";
import { Tail } from "./tail.js";
import { MessageDetail } from "./topic-message.js";

const columns = [["Time", "time"], ["Offset", "number offset"], ["Key", "key"], ["Payload", "payload"]];
const starts = [["", "From now on"], ["20", "The last 20, then on"], ["1000", "The last 1,000, then on"], ["all",
  "All that is kept, then on"]];
const previewLength = 400;
// Under a flood, drawing takes no more than a fourth of the page's time, and comes at least so often, in ms.
const drawShare = 4;
const longestPause = 250;

const rowFor = pattern => (cells, node) => {
  let shown = null;
  return message => {
    if (!message || shown === message) return;
    shown = message;
    const { value } = message;
    node.classList.toggle("notice", Boolean(value.notice));
    setText(cells[0], value.ts ? text.clock(value.ts, true) : "");
    setText(cells[1], pattern ? value.topic : value.offset);
    setText(cells[2], value.key);
    setText(cells[3], value.notice ?? preview(value.payload));
  };
};

function preview(payload) {
  const words = typeof payload === "string" ? payload : JSON.stringify(payload) ?? "";
  return words.length > previewLength ? `${words.slice(0, previewLength)}…` : words;
}

export class MessagesTab {
  constructor(panel, view) {
    this.view = view;
    this.list = new MessageList();
    this.paused = false;
    this.following = true;
    this.frame = 0;
    this.due = 0;
    this.rows = new Rows({ label: "Messages", row: rowFor(view.pattern), item: index => this.list.at(index),
      columns: view.pattern ? columns.with(1, ["Topic", "key"]) : columns,
      open: index => this.#choose(index), moved: index => this.detail.visible && this.#choose(index),
        scrolled: () => this.#scrolled() });
    this.detail = new MessageDetail(view, { closed: () => { change({ message: "" }); this.rows.node.focus(); } });
    this.history = new History(view.name, this.list, () => this.#changed());
    this.#controls();
    panel.replaceChildren(h("div.messages", this.toolbar, this.filters, this.filterProblem, this.status,
      h("div.split", h("div.stack", this.rows.node, this.nothing, this.newer), this.detail.node)));
    this.#changed();
  }

  #controls() {
    const later = name => () => change({ [name]: this[name].value });
    this.mode = choice("Messages", [["", "Live"], ["history", "Back in time"]], "",
      mode => change({ mode, message: "" }, { replace: false }));
    this.start = select(starts, "", { "aria-label": "Begin with", change: () => change({ start: this.start.value }) });
    this.pause = button("", () => this.togglePause(), "with-icon");
    this.from = input({ placeholder: "10m, a time, an offset, all",
      change: () => change({ from: this.from.value.trim() }) });
    this.more = button("Next page", () => this.history.next());
    this.past = h("div.inline-controls", field("From", this.from), this.more);
    this.now = h("div.inline-controls", this.start, this.pause);
    this.toolbar = h("div.toolbar", this.view.pattern ? null : this.mode, this.now, this.past,
      h("div.spacer"), button("Clear", () => { this.list.clear(); this.#changed(); }, "bare"));
    this.text = search("Search messages", later("text"));
    this.place = select([["", "in all"], ["key", "in the key"], ["id", "in the id"], ["payload", "in the payload"]],
      "", { "aria-label": "Where to search", change: () => change({ in: this.place.value }) });
    this.where = input({ type: "search", placeholder: "payload.amount > 100 and key == \"a\"",
      "aria-label": "Filter by JSON path",
      class: "code", "aria-describedby": "filter-problem", ...written(250, later("where")) });
    this.filters = h("div.toolbar.filters", h("div.joined", this.text, this.place), h("div.grow", this.where));
    this.filterProblem = h("p.problem", { id: "filter-problem", role: "status", hidden: true });
    this.status = h("p.soft.status-line");
    this.nothing = h("div.empty.quiet");
    this.newer = button("", () => this.#follow(), { class: "newer", hidden: true });
    this.#pauseLabel();
  }

  update(params) {
    const get = name => params.get(name) ?? "";
    const put = (node, value) => { if (document.activeElement !== node && node.value !== value) node.value = value; };
    put(this.text, get("text"));
    put(this.where, get("where"));
    put(this.from, get("from"));
    this.place.value = get("in");
    this.start.value = get("start");
    const mode = this.view.pattern ? "" : get("mode");
    this.mode.choose(mode);
    show(this.now, !mode);
    show(this.past, Boolean(mode));
    const filter = JSON.stringify([get("text"), get("in"), get("where")]);
    if (filter !== this.filter) {
      this.filter = filter;
      this.#setFilter(get("text"), get("in"), get("where"));
    }
    const source = JSON.stringify(mode ? [mode, get("from")] : [mode, get("start")]);
    if (source !== this.source) {
      this.source = source;
      this.#begin(mode, mode ? get("from") : get("start"));
    }
    this.wanted = get("message");
    if (!this.wanted) this.detail.hide();
  }

  #setFilter(words, place, where) {
    try {
      this.list.filter(testFor(words, place, where));
      show(this.filterProblem, false);
      this.where.removeAttribute("aria-invalid");
    } catch (error) {
      setText(this.filterProblem, error.message);
      show(this.filterProblem, true);
      this.where.setAttribute("aria-invalid", "true");
    }
    this.rows.active = -1;
    this.#changed();
  }

  #begin(mode, from) {
    this.tail?.close();
    this.tail = null;
    this.history.stop();
    this.list.clear();
    this.notices = [];
    this.following = !mode;
    this.state = "";
    if (mode) {
      this.history.begin(from);
    } else {
      const start = from === "all" ? { since: "all" } : from ? { last_n: Number(from) || 0 } : {};
      this.tail = new Tail(this.view.name, start, {
        event: raw => { this.list.add(raw); this.#changed(); },
        notice: words => { this.list.add("", { notice: words, ts: new Date().toISOString() }); this.#changed(); },
        state: (name, detail) => { this.state = name; this.reason = detail; this.#changed(); },
      }, this.view.pattern);
    }
    this.#changed();
  }

  togglePause() {
    if (!this.tail) return;
    this.paused = !this.paused;
    this.#pauseLabel();
    if (this.paused) this.#changed(); else this.#follow();
  }

  #pauseLabel() {
    this.pause.replaceChildren(icon(this.paused ? "play" : "pause", 16), this.paused ? "Go on" : "Pause");
    this.pause.setAttribute("aria-pressed", String(this.paused));
  }

  #follow() {
    this.following = true;
    this.rows.toEnd();
    this.#changed();
  }

  #scrolled() {
    const follows = Boolean(this.tail) && this.rows.atEnd;
    if (follows === this.following) return;
    this.following = follows;
    this.seen = this.list.length;
    this.#changed();
  }

  // Once for each frame, whatever has come: this is what keeps the page alive under a flood.
  #changed() {
    this.frame ||= requestAnimationFrame(now => {
      this.frame = 0;
      if (!this.paused) {
        const gone = this.list.absorb();
        if (gone > 0 && !this.following) this.rows.shift(gone);
        if (this.list.waiting > 0 || this.list.busy) this.#changed();
      }
      if (now < this.due) return void this.#changed();
      const start = performance.now();
      this.#draw();
      this.due = now + Math.min(longestPause, (performance.now() - start) * (drawShare - 1));
    });
  }

  #draw() {
    const { length } = this.list;
    this.rows.count = length;
    if (this.following && !this.paused) this.rows.toEnd();
    this.rows.renderNow();
    show(this.nothing, length === 0);
    if (length === 0) setText(this.nothing, this.#emptyText());
    const unseen = this.following || !this.tail ? 0 : length - (this.seen ?? length);
    show(this.newer, Boolean(this.tail) && !this.following && !this.paused);
    setText(this.newer, unseen > 0 ? `${text.count(unseen)} new ↓` : "To the newest ↓");
    this.more.disabled = !this.history.hasMore;
    const words = this.#statusText();
    // A figure that changes sixty times a second can be read by nobody.
    if (words !== this.words && performance.now() - (this.told ?? 0) > 200) {
      this.told = performance.now();
      this.words = words;
      setText(this.status, words);
    } else if (words !== this.words) this.#changed();
    if (this.wanted && !this.detail.visible) this.#reopen();
  }

  // What the address names, once it is there.
  #reopen() {
    for (let index = this.list.length - 1; index >= Math.max(0, this.list.length - 5000); index--) {
      if (String(this.list.at(index).value.offset) !== this.wanted) continue;
      this.rows.select(index);
      this.#choose(index);
      return;
    }
  }

  #emptyText() {
    if (this.list.kept > 0) return "No message matches the filter.";
    if (this.state === "refused" || this.state === "expired") return this.reason ?? "";
    if (this.history.problem) return this.history.problem;
    return this.tail ? "Waiting for messages." : this.history.busy ? "Reading…" : "Nothing is kept from there on.";
  }

  #statusText() {
    const { list } = this;
    const parts = [];
    if (this.tail) {
      const states = { connecting: "Connecting…", live: "Live",
        away: `Connection lost (${this.reason}); coming back…`,
        refused: `Ended: ${this.reason}`, expired: "The credential has ended" };
      parts.push(this.paused ? `Paused, ${text.plural(list.waiting, "message")} waiting` : states[this.state] ?? "");
      parts.push(`${text.count(list.received)} received`);
    } else parts.push(this.history.status);
    if (list.length !== list.kept) {
      parts.push(`${text.count(list.length)} of ${text.count(list.kept)} match${list.busy ? " so far" : ""}`);
    }
    if (list.kept >= mostKept) parts.push(`only the last ${text.count(mostKept)} are kept here`);
    if (list.skipped > 0) parts.push(`${text.count(list.skipped)} not shown: this page could not keep up`);
    return parts.filter(Boolean).join(" · ");
  }

  #choose(index) {
    const message = this.list.at(index);
    if (!message || message.value.notice) return;
    this.following = false;
    this.seen ??= this.list.length;
    this.detail.show(message);
    const { offset } = message.value;
    this.wanted = offset == null ? "" : String(offset);
    change({ message: this.wanted });
    this.#changed();
  }

  purged() { if (!this.tail) this.history.begin(this.from.value.trim()); }

  close() {
    cancelAnimationFrame(this.frame);
    this.tail?.close();
    this.history.stop();
    this.rows.close();
  }
}
