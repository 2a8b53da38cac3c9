// Topics: a list of up to hundred thousands, of which the server sends what is in sight, or a tree of their tokens.

import { request } from "./api.js";
import { button, choice, field, h, input, quietly, search, select, setText, show } from "./dom.js";
import * as text from "./format.js";
import { icon } from "./icons.js";
import { change, current, format, go, topicLink } from "./route.js";
import { Rows } from "./rows.js";
import { dialog, toast, working } from "./ui.js";

const page = 200;
const mostKnown = 5000;
const sorts = [["name", "Name"], ["rate", "Messages per second"], ["bytes", "Bytes kept"],
  ["subscribers", "Subscribers"], ["messages", "Messages ever"]];
const columns = [["Topic", "name"], ["Messages/s", "number"], ["Bytes/s", "number wide-only"], ["Subscribers",
  "number"],
  ["Messages", "number wide-only"], ["Kept", "number wide-only"], ["Durability", "wide-only"]];

function row(cells) {
  const link = h("a", { tabindex: "-1" });
  cells[0].append(link);
  return topic => {
    setText(link, topic?.name ?? "…");
    link.title = topic?.name ?? "";
    link.href = topic ? topicLink(topic.name) : "#/topics";
    const values = topic ? [text.short(topic.messages_per_s), text.bytes(topic.bytes_per_s),
      text.count(topic.subscribers),
      text.short(topic.messages), text.bytes(topic.bytes), topic.durability ?? text.none] : [];
    for (let index = 1; index < cells.length; index++) setText(cells[index], values[index - 1]);
    cells[1].classList.toggle("busy", topic?.messages_per_s > 0);
  };
}

// The tokens below a prefix, and the way to it, each a link.
class Tree {
  constructor() {
    this.list = h("ul.tokens", { "aria-label": "Next tokens" });
    this.path = h("nav.crumbs", { "aria-label": "Tokens" });
    this.node = h("div.tree", this.path, this.list);
  }

  update(tokens, prefix, more) {
    const base = { ...Object.fromEntries(current().params), tree: "1" };
    const address = below => format("topics", "", { ...base, prefix: below });
    if (this.prefix !== prefix) {
      this.prefix = prefix;
      const way = prefix.split(".").slice(0, -1);
      this.path.replaceChildren(h("a", { href: address("") }, "All topics"), ...way.flatMap((token, index) =>
        [h("span", { "aria-hidden": "true" }, "›"),
          h("a", { href: address(`${way.slice(0, index + 1).join(".")}.`) }, token || "(empty)")]));
    }
    // The links stay where they are, so that the one with the focus keeps it.
    tokens.forEach((token, index) => {
      const item = this.list.children[index] ?? this.list.appendChild(h("li", h("a", h("b"), h("span"))));
      const link = item.firstChild;
      link.href = address(`${prefix}${token.token}.`);
      setText(link.firstChild, token.token || "(empty)");
      setText(link.lastChild, [text.plural(token.topics, "topic"), text.rate(token.messages_per_s),
        text.plural(token.subscribers, "subscriber")].join(" · "));
    });
    while (this.list.children.length > tokens.length) this.list.lastChild.remove();
    this.list.title = more ? `${text.plural(more, "token")} more: search, or sort in another way` : "";
  }
}

class TopicList {
  #known = new Map();
  #query = "";
  #params = {};
  #ask = quietly(120, () => this.#page());

  constructor(root, { follow }) {
    this.follow = follow;
    this.total = h("p.soft", { role: "status" });
    this.search = search("Search topics", () => change({ search: this.search.value }));
    this.sort = select(sorts, "name", { change: () => {
      const sort = this.sort.value === "name" ? "" : this.sort.value;
      change({ sort, order: sort && "desc" });
    } });
    this.order = button("", () => change({ order: this.#params.order === "desc" ? "" : "desc" }), "bare");
    this.shape = choice("Shape", [["", "List"], ["1", "Tree"]], "",
      tree => change({ tree, prefix: tree && this.#params.prefix }, { replace: false }));
    this.tree = new Tree();
    this.rows = new Rows({ label: "Topics", columns, row, item: index => this.#known.get(index),
      open: index => this.#known.has(index) && go(topicLink(this.#known.get(index).name)), scrolled: this.#ask });
    this.nothing = h("div.empty", { hidden: true }, h("h2"), h("p"));
    root.replaceChildren(h("div.view-fill",
      h("div.toolbar", h("div.grow", this.search), this.shape, field("Sort by", this.sort), this.order,
        button("Create topic", createTopic, "primary")),
      this.total, this.tree.node, this.rows.node, this.nothing));
  }

  update(params) {
    const get = name => params.get(name) ?? "";
    const order = get("order") === "desc" ? "desc" : "asc";
    const tree = get("tree") && "1";
    this.#params = { search: get("search"), prefix: get("prefix"), tree, sort: get("sort") || "name", order };
    if (document.activeElement !== this.search) this.search.value = get("search");
    this.sort.value = this.#params.sort;
    this.order.replaceChildren(icon(order === "desc" ? "down" : "up"));
    this.order.setAttribute("aria-label", order === "desc" ? "Descending: turn around" : "Ascending: turn around");
    this.shape.choose(tree);
    show(this.tree.node, Boolean(tree));
    const query = JSON.stringify(this.#params);
    if (query === this.#query) return;
    this.#query = query;
    this.#known.clear();
    this.rows.active = -1;
    this.rows.scroller.scrollTop = 0;
    this.#page();
  }

  // Asks the stream for the part in sight; until it comes, what is known stays.
  #page() {
    const [from, to] = this.rows.range;
    const offset = Math.max(0, Math.floor(((from + to - page) / 2) / 50) * 50);
    const asked = this.#query;
    this.follow({ view: "topics", ...this.#params, limit: Math.max(page, to - from + 100), offset },
      { topics: answer => { if (asked === this.#query) this.#take(answer, offset); } });
  }

  #take({ total, matching, rows, tokens = [], more_tokens: more, leaves }, offset) {
    if (this.#known.size > mostKnown) this.#known.clear();
    rows.forEach((topic, index) => this.#known.set(offset + index, topic));
    this.rows.count = this.#params.tree ? leaves ?? offset + rows.length : matching;
    if (this.#params.tree) this.tree.update(tokens, this.#params.prefix, more);
    setText(this.total, matching === total ? text.plural(total, "topic")
      : `${text.count(matching)} of ${text.plural(total, "topic")}`);
    show(this.rows.node, this.rows.count > 0);
    show(this.nothing, this.rows.count === 0 && tokens.length === 0);
    const filtered = this.#params.search || this.#params.prefix;
    setText(this.nothing.firstChild, filtered ? "No topic matches" : "No topics yet");
    setText(this.nothing.lastChild, filtered ? "Search is for any part of a name."
      : "Create one, or publish to one if the server creates topics on use.");
    this.rows.renderNow();
  }

  close() {
    this.#ask.cancel();
    this.rows.close();
  }
}

function createTopic() {
  const name = input({ required: true, maxlength: "255" });
  const submit = h("button.primary", "Create");
  const form = h("form", { submit: event => {
    event.preventDefault();
    working(submit, async () => {
      await request("topics", { method: "POST", json: { name: name.value } });
      node.close();
      toast(`“${name.value}” is there.`);
      go(topicLink(name.value, { tab: "settings" }));
    });
  } }, field("Name", name, "Dots make a tree: orders.eu.new"), h("div.buttons.end", submit));
  const node = dialog("Create a topic", form);
  name.focus();
}

export function mount(root, context) {
  const list = new TopicList(root, context);
  list.update(context.params);
  return { update: params => list.update(params), close: () => list.close(), rows: list.rows };
}
