// Subscribers: who is connected to what, how far behind, what was not delivered and why.

import { request } from "./api.js";
import { button, field, h, quietly, select, setText, show } from "./dom.js";
import * as text from "./format.js";
import { change, topicLink } from "./route.js";
import { Rows } from "./rows.js";
import { badge, confirm, dialog, facts, table, toast } from "./ui.js";

const most = 1000;
const sorts = [["lag", "Lag"], ["dropped", "Dropped"], ["delivered", "Delivered"], ["since", "Longest here"]];
const columns = [["Client", "name"], ["Topic", "name"], ["Lag", "number"], ["Dropped", "number"], ["Delivered", "number wide-only"],
  ["Policy", "wide-only"], ["Throttled", "number wide-only"], ["Address", "wide-only"], ["", "action"]];
const reasons = {
  SLOW_CONSUMER: "was too slow for its policy and was cut",
  DISCONNECTED: "the client left",
  UNSUBSCRIBED: "the client unsubscribed",
  KICKED: "was disconnected by an administrator",
  kicked: "was disconnected by an administrator",
  TOPIC_DELETED: "the topic was deleted",
  TOKEN_EXPIRED: "its credential expired",
  REVOKED: "its credential was revoked",
  NO_PONG: "gave no sign of life",
  OVERLOADED: "the server’s memory was short",
  SHUTDOWN: "the server shut down",
  RATE_LIMITED: "sent far more than it may",
};
const policies = {
  "drop-oldest": "its oldest waiting messages are skipped",
  "drop-newest": "messages that come while there is no room are skipped",
  latest: "of messages with one key it gets only the newest",
  disconnect: "it is cut",
  throttle: "publishers wait for it",
};

// In a sentence: is something wrong, and what.
export function verdict({ lag, queue, dropped, policy, throttled_ms: throttled, held_ms: held, last_drop: last }) {
  const parts = [];
  if (lag.messages > 0) parts.push(`It is ${text.plural(lag.messages, "message")} behind, the first of them ${text.duration(lag.ms)} old; it may be ${text.count(queue)} behind.`);
  if (dropped > 0) parts.push(`${text.plural(dropped, "message")} were not delivered: it did not read fast enough, and under “${policy}” ${policies[policy] ?? "they are skipped"}.`);
  if (last) parts.push(`Last at ${text.moment(last.at)}: ${text.plural(last.messages, "message")}, ${last.reason}.`);
  if (throttled > 0) parts.push(`Publishers waited ${text.duration(throttled)} for it.`);
  if (held > 0) parts.push(`Publishers waited ${text.duration(held)} for the event loop that serves it.`);
  return parts.length > 0 ? parts.join(" ") : "It keeps up: nothing waits, and nothing was dropped.";
}

function details(subscriber, mayKick) {
  const { topic, client_id: client, connection, address, transport, since, pattern, policy, queue, delivered, lag } = subscriber;
  const node = dialog(client, h("div", {},
    h("p", { class: "verdict" }, verdict(subscriber)),
    facts([["Topic", h("a", { href: topicLink(topic), click: () => node.close() }, topic)], ["Pattern", pattern], ["Connection", String(connection)],
      ["Address", address], ["Transport", transport], ["Since", text.moment(since)], ["Policy", policy], ["Queue", text.count(queue)],
      ["Delivered", text.count(delivered)], ["Dropped", text.count(subscriber.dropped)], ["Lag", `${text.plural(lag.messages, "message")}, ${text.bytes(lag.bytes)}, ${text.duration(lag.ms)}`],
      ["Throttled", text.duration(subscriber.throttled_ms)], ["Held", text.duration(subscriber.held_ms)]]),
    mayKick && h("div", { class: "buttons end" }, button("Disconnect…", () => { node.close(); kick(subscriber); }, { class: "danger" }))));
}

function kick({ client_id: client, connection, address }) {
  confirm({ title: `Disconnect ${client}?`, action: "Disconnect",
    text: `Connection ${connection} from ${address} is closed, with all of its subscriptions. Nothing keeps the client from coming back: to keep it out, revoke its credential.`,
    run: async () => {
      await request(`connections/${connection}`, { method: "DELETE" });
      toast(`Connection ${connection} is closed.`);
    } });
}

function row(server) {
  return () => {
    let item = null;
    const end = h("button", { type: "button", class: "bare small", tabindex: "-1", click: () => item && kick(item) }, "Kick");
    const meter = h("i", { class: "lag", "aria-hidden": "true" });
    const cells = columns.map(([, kind], index) => h("span", { role: "gridcell", class: kind }, index === 8 ? end : ""));
    const lag = h("span", {});
    cells[2].append(lag, meter);
    return {
      node: h("div", { class: "subscriber-row" }, cells),
      update(subscriber) {
        item = subscriber;
        if (!subscriber) return;
        const { lag: behind, queue } = subscriber;
        setText(cells[0], subscriber.client_id);
        setText(cells[1], subscriber.topic);
        cells[0].title = subscriber.client_id;
        cells[1].title = subscriber.topic;
        setText(lag, text.count(behind.messages));
        meter.style.width = `${Math.min(100, 100 * behind.messages / Math.max(1, queue))}%`;
        meter.classList.toggle("high", behind.messages >= 0.8 * queue);
        setText(cells[3], text.count(subscriber.dropped));
        cells[3].classList.toggle("bad", subscriber.dropped > 0);
        setText(cells[4], text.short(subscriber.delivered));
        setText(cells[5], subscriber.policy);
        setText(cells[6], subscriber.throttled_ms > 0 ? text.duration(subscriber.throttled_ms) : text.none);
        setText(cells[7], `${subscriber.address} ${subscriber.transport}`);
        end.setAttribute("aria-label", `Disconnect ${subscriber.client_id}`);
        show(end, server.admin);
      },
    };
  };
}

function goneTable(gone, now) {
  return table("Subscriptions that ended", ["Client", "Topic", "When", "Why", ["Delivered", "number"], ["Dropped", "number"]], gone.map(each => [
    each.client_id, h("a", { href: topicLink(each.topic) }, each.topic), h("span", { title: text.moment(each.at) }, text.ago(each.at, now)),
    h("span", {}, badge(each.reason, each.reason === "SLOW_CONSUMER" ? "bad" : ""), " ", h("span", { class: "soft" }, reasons[each.reason] ?? "")),
    [text.count(each.delivered), "number"], [text.count(each.dropped), `number ${each.dropped > 0 ? "bad" : ""}`]]));
}

class View {
  constructor(root, { follow, server }) {
    Object.assign(this, { follow, server, list: [] });
    this.search = h("input", { type: "search", placeholder: "Search client, address or topic", "aria-label": "Search subscribers", "data-search": true, autocomplete: "off", spellcheck: "false",
      input: quietly(200, () => change({ search: this.search.value })) });
    this.topic = h("input", { type: "search", placeholder: "any", autocomplete: "off", spellcheck: "false", input: quietly(200, () => change({ topic: this.topic.value })) });
    this.sort = select(sorts, "lag", { change: () => change({ sort: this.sort.value === "lag" ? "" : this.sort.value }) });
    this.status = h("p", { class: "soft", role: "status" });
    this.rows = new Rows({ label: "Subscribers", columns: columns.map(([name, kind]) => h("span", { role: "columnheader", class: kind }, name || h("span", { class: "unseen" }, "Action"))),
      create: row(server), item: index => this.list[index], open: index => details(this.list[index], server.admin) });
    this.nothing = h("div", { class: "empty", hidden: true }, h("h2", {}, "Nobody subscribes"), h("p", {}, "No subscription that this credential may see matches."));
    this.gone = h("div");
    root.replaceChildren(h("div", { class: "view-fill subscribers" },
      h("div", { class: "toolbar" }, h("div", { class: "grow" }, this.search), field("Topic", this.topic), field("Sort by", this.sort)),
      this.status, this.rows.node, this.nothing,
      h("section", { class: "gone", "aria-labelledby": "gone-title" }, h("h2", { id: "gone-title" }, "Recently gone"), this.gone)));
  }

  update(params) {
    const get = name => params.get(name) ?? "";
    for (const name of ["search", "topic"]) if (document.activeElement !== this[name]) this[name].value = get(name);
    this.sort.value = get("sort") || "lag";
    this.follow({ view: "subscribers", limit: most, sort: this.sort.value, topic: get("topic"), search: get("search") },
      { subscribers: answer => this.#take(answer) });
  }

  #take({ subscribers, gone = [] }) {
    this.list = subscribers;
    this.rows.count = subscribers.length;
    const behind = subscribers.filter(({ lag }) => lag.messages > 0).length;
    const losing = subscribers.filter(({ dropped }) => dropped > 0).length;
    const number = subscribers.length >= most ? `The first ${text.count(most)} subscribers` : text.plural(subscribers.length, "subscriber");
    setText(this.status, `${number} · ${text.count(behind)} behind · ${text.count(losing)} with drops`);
    show(this.rows.node, subscribers.length > 0);
    show(this.nothing, subscribers.length === 0);
    this.rows.renderNow();
    const state = JSON.stringify(gone) + Math.floor(Date.now() / 10_000);
    if (state === this.goneState || this.gone.contains(document.activeElement)) return;
    this.goneState = state;
    this.gone.replaceChildren(gone.length > 0 ? goneTable(gone, this.server.now()) : h("p", { class: "soft" }, "No subscription has ended lately."));
  }
}

export function mount(root, context) {
  const view = new View(root, context);
  view.update(context.params);
  return { update: params => view.update(params), close: () => view.rows.close(), rows: view.rows };
}
