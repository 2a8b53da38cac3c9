// Topics: a list of up to hundred thousands, of which the server sends what is in sight, or a tree of their tokens.

import { request } from "./api.js";
import { button, choice, field, h, quietly, select, setText, show } from "./dom.js";
import * as text from "./format.js";
import { icon } from "./icons.js";
import { change, current, format, go, topicLink } from "./route.js";
import { Rows } from "./rows.js";
import { dialog, toast, working } from "./ui.js";

const page = 200;
const sorts = [["name", "Name"], ["rate", "Messages per second"], ["bytes", "Bytes kept"], ["subscribers", "Subscribers"], ["messages", "Messages ever"]];
const columns = [["Topic", "name"], ["Messages/s", "number"], ["Bytes/s", "number wide-only"], ["Subscribers", "number"],
  ["Messages", "number wide-only"], ["Kept", "number wide-only"], ["Durability", "wide-only"]];

function heads() {
  return columns.map(([name, kind]) => h("span", { role: "columnheader", class: kind }, name));
}

function row() {
  const link = h("a", { tabindex: "-1" });
  const cells = columns.map(([, kind], index) => h("span", { role: "gridcell", class: kind }, index === 0 ? link : ""));
  return {
    node: h("div", { class: "topic-row" }, cells),
    update(topic) {
      const values = topic ? [null, text.short(topic.messages_per_s), text.bytes(topic.bytes_per_s), text.count(topic.subscribers),
        text.short(topic.messages), text.bytes(topic.bytes), topic.durability ?? text.none] : Array(7).fill("");
      setText(link, topic ? topic.name : "…");
      link.href = topic ? topicLink(topic.name) : "#/topics";
      link.title = topic?.name ?? "";
      for (let index = 1; index < cells.length; index++) setText(cells[index], values[index] ?? "");
      cells[1].classList.toggle("busy", topic?.messages_per_s > 0);
    },
  };
}

// The way to the tokens shown, each a link back.
function crumbs(prefix) {
  const tokens = prefix.split(".").slice(0, -1);
  const link = (name, before) => h("a", { href: format("topics", "", { ...Object.fromEntries(current().params), prefix: before, tree: "1" }) }, name);
  return [link("All topics", ""), ...tokens.flatMap((token, index) =>
    [h("span", { "aria-hidden": "true" }, "›"), link(token || "(empty)", `${tokens.slice(0, index + 1).join(".")}.`)])];
}

class Tree {
  constructor() {
    this.list = h("ul", { class: "tokens", "aria-label": "Next tokens" });
    this.path = h("nav", { class: "crumbs", "aria-label": "Tokens" });
    this.node = h("div", { class: "tree" }, this.path, this.list);
  }

  update(tokens, prefix, more) {
    const state = JSON.stringify([tokens, prefix, more]);
    if (state === this.state) return;
    this.state = state;
    if (this.prefix !== prefix) {
      this.prefix = prefix;
      this.path.replaceChildren(...crumbs(prefix));
    }
    const base = Object.fromEntries(current().params);
    // The links stay where they are, so that the one with the focus keeps it.
    tokens.forEach((token, index) => {
      const item = this.list.children[index] ?? this.list.appendChild(h("li", {}, h("a", {}, h("b"), h("span"))));
      const link = item.firstChild;
      link.href = format("topics", "", { ...base, tree: "1", prefix: `${prefix}${token.token}.` });
      setText(link.firstChild, token.token || "(empty)");
      setText(link.lastChild, `${text.plural(token.topics, "topic")} · ${text.rate(token.messages_per_s)} · ${text.plural(token.subscribers, "subscriber")}`);
    });
    while (this.list.children.length > tokens.length + (more ? 1 : 0)) this.list.lastChild.remove();
    if (more) this.list.append(h("li", { class: "soft" }, `and ${text.plural(more, "token")} more: search, or sort in another way`));
  }
}

class TopicList {
  #cache = new Map();
  #query = "";

  constructor(root, { follow }) {
    this.follow = follow;
    this.total = h("span", { class: "soft", role: "status" });
    this.search = h("input", { type: "search", placeholder: "Search topics", "aria-label": "Search topics", "data-search": true, autocomplete: "off", spellcheck: "false",
      input: quietly(200, () => change({ search: this.search.value })) });
    this.sort = select(sorts, "name", { change: () => change({ sort: this.sort.value === "name" ? "" : this.sort.value, order: this.sort.value === "name" ? "" : "desc" }) });
    this.order = button("", () => change({ order: this.#params.order === "desc" ? "" : "desc" }), { class: "bare" });
    this.shape = choice("Shape", [["", "List"], ["1", "Tree"]], "", tree => change({ tree, prefix: tree ? this.#params.prefix : "" }, { replace: false }));
    this.tree = new Tree();
    this.rows = new Rows({ label: "Topics", columns: heads(), create: row, item: index => this.#cache.get(index),
      open: index => { const topic = this.#cache.get(index); if (topic) go(topicLink(topic.name)); }, scrolled: () => this.#ask() });
    this.nothing = h("div", { class: "empty", hidden: true });
    this.#ask = quietly(120, () => this.#page());
    root.replaceChildren(h("div", { class: "view-fill" },
      h("div", { class: "toolbar" }, h("div", { class: "grow" }, this.search), this.shape, field("Sort by", this.sort), this.order,
        button("Create topic", createTopic, { class: "primary" })),
      this.tree.node, this.total, this.rows.node, this.nothing));
  }

  #ask;
  #params = {};

  update(params) {
    const get = name => params.get(name) ?? "";
    this.#params = { search: get("search"), prefix: get("prefix"), tree: get("tree") === "1" ? "1" : "", sort: get("sort") || "name", order: get("order") === "desc" ? "desc" : "asc" };
    const { search, tree, sort, order } = this.#params;
    if (document.activeElement !== this.search) this.search.value = search;
    this.sort.value = sort;
    this.order.replaceChildren(icon(order === "desc" ? "down" : "up"));
    this.order.setAttribute("aria-label", order === "desc" ? "Largest or last first: turn around" : "Smallest or first first: turn around");
    this.shape.choose(tree);
    show(this.tree.node, Boolean(tree));
    const query = JSON.stringify(this.#params);
    if (query === this.#query) return;
    this.#query = query;
    this.#cache.clear();
    this.rows.active = -1;
    this.rows.scroller.scrollTop = 0;
    this.#page();
  }

  // Asks the stream for the part in sight; until it comes, what is known stays.
  #page() {
    const [from, to] = this.rows.range;
    const middle = Math.floor((from + to) / 2);
    const offset = Math.max(0, Math.floor((middle - page / 2) / 50) * 50);
    const query = { view: "topics", ...this.#params, limit: Math.max(page, to - from + 100), offset };
    const asked = this.#query;
    this.follow(query, { topics: answer => { if (asked === this.#query) this.#take(answer, offset); } });
  }

  #take({ total, matching, rows, tokens, more_tokens: more }, offset) {
    if (this.#cache.size > 5000) this.#cache.clear();
    rows.forEach((topic, index) => this.#cache.set(offset + index, topic));
    const isTree = Boolean(this.#params.tree);
    // In the tree the rows are the topics that end at this token.
    this.rows.count = isTree ? (rows.length < page ? offset + rows.length : matching) : matching;
    if (isTree) this.tree.update(tokens ?? [], this.#params.prefix, more);
    setText(this.total, matching === total ? text.plural(total, "topic") : `${text.count(matching)} of ${text.plural(total, "topic")}`);
    show(this.rows.node, this.rows.count > 0);
    show(this.nothing, this.rows.count === 0 && !(tokens?.length > 0));
    if (!this.nothing.hidden) {
      const filtered = this.#params.search || this.#params.prefix;
      this.nothing.replaceChildren(h("h2", {}, filtered ? "No topic matches" : "No topics yet"),
        h("p", {}, filtered ? "Search is for any part of a name." : "Create one here, or publish to one if the server creates topics on use."));
    }
    this.rows.renderNow();
  }

  close() {
    this.#ask.cancel();
    this.rows.close();
  }
}

function createTopic() {
  const name = h("input", { required: true, maxlength: "255", autocomplete: "off", spellcheck: "false" });
  const submit = h("button", { class: "primary" }, "Create");
  const form = h("form", { submit: event => {
    event.preventDefault();
    working(submit, async () => {
      await request("topics", { method: "POST", json: { name: name.value } });
      node.close();
      toast(`“${name.value}” is there.`);
      go(topicLink(name.value, { tab: "settings" }));
    });
  } }, field("Name", name, "Dots make a tree: orders.eu.new"), h("div", { class: "buttons end" }, submit));
  const node = dialog("Create a topic", form);
  name.focus();
}

export function mount(root, context) {
  const list = new TopicList(root, context);
  list.update(context.params);
  return { update: params => list.update(params), close: () => list.close(), rows: list.rows };
}
