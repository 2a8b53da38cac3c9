// Subscribers: who is connected to what, how far behind, what was not delivered and why.

import { request } from "./api.js";
import { button, field, h, input, search, select, setText, show, written } from "./dom.js";
import * as text from "./format.js";
import { change, topicLink } from "./route.js";
import { Rows } from "./rows.js";
import { badge, confirm, dialog, facts, table, toast } from "./ui.js";

const most = 1000;
const sorts = [["lag", "Lag"], ["dropped", "Dropped"], ["delivered", "Delivered"], ["since", "Longest here"]];
const columns = [["Client", "name"], ["Topic", "name"], ["Lag", "number"], ["Dropped", "number"],
  ["Delivered", "number wide-only"], ["Policy", "wide-only"], ["Throttled", "number wide-only"],
  ["Address", "wide-only"], ["", "action"]];
const reasons = {
  SLOW_CONSUMER: "was too slow for its policy and was cut", DISCONNECTED: "the client left",
  UNSUBSCRIBED: "the client unsubscribed", KICKED: "an administrator disconnected it",
  TOPIC_DELETED: "the topic was deleted", TOKEN_EXPIRED: "its credential expired",
    REVOKED: "its credential was revoked",
  NO_PONG: "gave no sign of life", OVERLOADED: "the server’s memory was short", SHUTDOWN: "the server shut down",
  RATE_LIMITED: "sent far more than it may",
};
const policies = {
  "drop-oldest": "its oldest waiting messages are skipped",
  "drop-newest": "messages that come while there is no room are skipped",
  latest: "of messages with one key it gets only the newest", disconnect: "it is cut",
    throttle: "publishers wait for it",
};

// In sentences: is something wrong, and what.
export function verdict({ lag, queue, dropped, policy, throttled_ms: throttled, held_ms: held, last_drop: last }) {
  const parts = [];
  if (lag.messages > 0) {
    parts.push(`It is ${text.plural(lag.messages, "message")} behind, the first of them ${text.duration(lag.ms)} old; `
      + `it may be ${text.count(queue)} behind.`);
  }
  if (dropped > 0) {
    parts.push(`${text.plural(dropped, "message")} were not delivered: it did not read fast enough, and under `
      + `“${policy}” ${policies[policy] ?? "they are skipped"}.`);
  }
  if (last) parts.push(`Last at ${text.moment(last.at)}: ${text.plural(last.messages, "message")}, ${last.reason}.`);
  if (throttled > 0) parts.push(`Publishers waited ${text.duration(throttled)} for it.`);
  if (held > 0) parts.push(`Publishers waited ${text.duration(held)} for the event loop that serves it.`);
  return parts.join(" ") || "It keeps up: nothing waits, and nothing was dropped.";
}

function details(subscriber, mayKick) {
  const { topic, lag } = subscriber;
  const node = dialog(subscriber.client_id, h("div", h("p.verdict", verdict(subscriber)),
    facts([["Topic", h("a", { href: topicLink(topic), click: () => node.close() }, topic)],
      ["Pattern", subscriber.pattern], ["Connection", String(subscriber.connection)], ["Address", subscriber.address],
      ["Transport", subscriber.transport], ["Since", text.moment(subscriber.since)], ["Policy", subscriber.policy],
      ["Queue", text.count(subscriber.queue)], ["Delivered", text.count(subscriber.delivered)],
      ["Dropped", text.count(subscriber.dropped)],
      ["Lag", `${text.plural(lag.messages, "message")}, ${text.bytes(lag.bytes)}, ${text.duration(lag.ms)}`],
      ["Throttled", text.duration(subscriber.throttled_ms)], ["Held", text.duration(subscriber.held_ms)]]),
    mayKick && h("div.buttons.end", button("Disconnect…", () => { node.close(); kick(subscriber); }, "danger"))));
}

function kick({ client_id: client, connection, address }) {
  confirm({ title: `Disconnect ${client}?`, action: "Disconnect",
    text: `Connection ${connection} from ${address} is closed, with all of its subscriptions. Nothing keeps the client `
      + "from coming back: to keep it out, revoke its credential.",
    run: async () => {
      await request(`connections/${connection}`, { method: "DELETE" });
      toast(`Connection ${connection} is closed.`);
    } });
}

const rowFor = server => cells => {
  let item = null;
  const end = button("Kick", () => item && kick(item), { class: "bare small", tabindex: "-1" });
  const meter = h("i.lag", { "aria-hidden": "true" });
  const lag = h("span");
  cells[2].append(lag, meter);
  cells[8].append(end);
  return subscriber => {
    item = subscriber;
    if (!item) return;
    const { messages } = item.lag;
    const values = [item.client_id, item.topic, null, text.count(item.dropped), text.short(item.delivered), item.policy,
      item.throttled_ms > 0 ? text.duration(item.throttled_ms) : text.none, `${item.address} ${item.transport}`];
    values.forEach((value, index) => value !== null && setText(cells[index], value));
    cells[0].title = item.client_id;
    cells[1].title = item.topic;
    setText(lag, text.count(messages));
    meter.style.width = `${Math.min(100, 100 * messages / Math.max(1, item.queue))}%`;
    meter.classList.toggle("high", messages >= 0.8 * item.queue);
    cells[3].classList.toggle("bad", item.dropped > 0);
    end.setAttribute("aria-label", `Disconnect ${item.client_id}`);
    show(end, server.admin);
  };
};

function goneTable(gone, now) {
  return table("Subscriptions that ended", ["Client", "Topic", "When", "Why", ["Delivered", "number"], ["Dropped",
    "number"]],
    gone.map(each => [each.client_id, h("a", { href: topicLink(each.topic) }, each.topic),
      h("span", { title: text.moment(each.at) }, text.ago(each.at, now)),
      h("span", badge(each.reason, each.reason === "SLOW_CONSUMER" ? "bad" : ""), " ",
        h("span.soft", reasons[each.reason?.toUpperCase()] ?? "")),
      [text.count(each.delivered), "number"], [text.count(each.dropped), each.dropped > 0 ? "number bad" : "number"]]));
}

class View {
  constructor(root, { follow, server }) {
    Object.assign(this, { follow, server, list: [] });
    const later = name => () => change({ [name]: this[name].value });
    this.search = search("Search client, address or topic", later("search"));
    this.topic = input({ type: "search", placeholder: "any", maxlength: "255", ...written(200, later("topic")) });
    this.sort = select(sorts, "lag", { change: () => change({ sort: this.sort.value === "lag" ? ""
      : this.sort.value }) });
    this.status = h("p.soft", { role: "status" });
    this.rows = new Rows({ label: "Subscribers", columns, row: rowFor(server), item: index => this.list[index],
      open: index => details(this.list[index], server.admin) });
    this.nothing = h("div.empty", { hidden: true }, h("h2", "Nobody subscribes"),
      h("p", "No subscription that this credential may see matches."));
    this.gone = h("div");
    root.replaceChildren(h("div.view-fill.subscribers",
      h("div.toolbar", h("div.grow", this.search), field("Topic", this.topic), field("Sort by", this.sort)),
      this.status, this.rows.node, this.nothing,
      h("section.gone", { "aria-labelledby": "gone-title" }, h("h2", { id: "gone-title" }, "Recently gone"),
        this.gone)));
  }

  update(params) {
    for (const name of ["search", "topic"]) {
      if (document.activeElement !== this[name]) this[name].value = params.get(name) ?? "";
    }
    const sort = this.sort.value = params.get("sort") || "lag";
    this.follow({ view: "subscribers", limit: most, sort, topic: params.get("topic"), search: params.get("search") },
      { subscribers: answer => this.#take(answer) });
  }

  #take({ subscribers, gone = [] }) {
    this.list = subscribers;
    this.rows.count = subscribers.length;
    const behind = subscribers.filter(({ lag }) => lag.messages > 0).length;
    const losing = subscribers.filter(({ dropped }) => dropped > 0).length;
    const number = subscribers.length >= most ? `The first ${text.count(most)} subscribers`
      : text.plural(subscribers.length, "subscriber");
    setText(this.status, `${number} · ${text.count(behind)} behind · ${text.count(losing)} with drops`);
    show(this.rows.node, subscribers.length > 0);
    show(this.nothing, subscribers.length === 0);
    this.rows.renderNow();
    // Drawn anew only for news, or when "2 min ago" has become wrong; never under somebody's hands.
    const state = JSON.stringify(gone) + Math.floor(Date.now() / 10_000);
    if (state === this.goneState || this.gone.contains(document.activeElement)) return;
    this.goneState = state;
    this.gone.replaceChildren(gone.length > 0 ? goneTable(gone, this.server.now())
      : h("p.soft", "No subscription has ended lately."));
  }
}

export function mount(root, context) {
  const view = new View(root, context);
  view.update(context.params);
  return { update: params => view.update(params), close: () => view.rows.close(), rows: view.rows };
}
