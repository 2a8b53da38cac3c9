// A live subscription over a WebSocket of its own, with the text of each event as the server wrote it.
// `apus.js` would hand out parsed events: here the bytes count, and ten thousand of them each second.

import { credential, socketAddress } from "./api.js";

const longestDelay = 10_000;
// The console must not hold up anybody: the server skips what it does not take in time, and says so.
const options = { overflow: "drop-oldest", queue: 10_000 };
const final = new Set(["TOPIC_NOT_FOUND", "FORBIDDEN", "UNAUTHORIZED", "BAD_REQUEST"]);

export class Tail {
  #socket = null;
  #timer = 0;
  #failures = 0;
  #position = null;
  #ended = false;

  // `on`: event(text), notice(text), state(name, detail).
  constructor(topic, start, on, pattern) {
    this.topic = topic;
    this.pattern = pattern;
    this.start = start;
    this.on = on;
    this.#connect();
  }

  close() {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #connect() {
    this.on.state("connecting");
    const socket = this.#socket = new WebSocket(socketAddress("ws"), ["apus"]);
    socket.onopen = () => {
      if (credential.value) socket.send(JSON.stringify(credential.command));
      socket.send(JSON.stringify(this.#command()));
    };
    socket.onmessage = ({ data }) => {
      if (data.startsWith('{"type":"event"')) this.#event(data); else this.#other(data);
    };
    socket.onclose = event => this.#closed(event);
  }

  #command() {
    // A pattern has no positions: what was published while its connection was lost is missing.
    const since = this.pattern ? { last_n: this.start.since ? 1000 : this.start.last_n }
      : { positions: true, ...this.#position ? { since: this.#position } : this.start };
    return { type: "subscribe", topic: this.topic, client_id: "console", ...options, ...since,
      request_id: "console-subscribe" };
  }

  #event(text) {
    this.last = text;
    this.on.event(text);
  }

  #other(text) {
    let value;
    try { value = JSON.parse(text); } catch { return; }
    if (value.type === "ack" && value.request_id === "console-subscribe") {
      this.epoch = value.epoch;
      this.#failures = 0;
      this.on.state("live");
      if (value.recovered === false) this.on.notice(missing(value));
    } else if (value.type === "error") {
      this.#refused(value);
    } else if (value.type === "info") {
      this.#info(value);
    }
  }

  #refused({ request_id: request, error }) {
    // A server that is open to everybody takes no credential: nothing is wrong then.
    if (request === "console-auth" && error.code === "BAD_REQUEST") return;
    if (final.has(error.code)) this.#end("refused", error.message);
  }

  #info(value) {
    switch (value.msg) {
      case "messages_dropped":
        this.on.notice(`${value.dropped} messages were skipped for this page: it did not take them in time.`);
        break;
      case "topic_deleted":
        this.#end("refused", "The topic was deleted.");
        break;
      case "unsubscribed":
        this.#end("refused", "The credential no longer allows to subscribe to this topic.");
        break;
    }
  }

  #closed({ code, reason }) {
    if (this.#ended) return;
    if (["TOKEN_EXPIRED", "UNAUTHORIZED", "REVOKED"].includes(reason)) return this.#end("expired", reason);
    this.#resume();
    this.on.state("away", reason || `code ${code}`);
    const delay = Math.min(longestDelay, 500 * 2 ** this.#failures++) * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => this.#connect(), delay);
  }

  // Where to go on after a lost connection. Read only then: an event is not parsed for it.
  #resume() {
    if (!this.last || !this.epoch) return;
    try { this.#position = { epoch: this.epoch, offset: JSON.parse(this.last).offset }; } catch { /* Begins live. */ }
  }

  #end(state, detail) {
    if (this.#ended) return;
    this.close();
    this.on.state(state, detail);
  }
}

function missing({ missed }) {
  return missed ? `Messages ${missed.from} to ${missed.to} are no longer kept: they are missing here.`
    : "The topic started over: messages may be missing here.";
}
