// A server that does what a test tells it to, without sockets: it hands out a WebSocket class, and every socket made of
// that can be looked at and spoken through.

import assert from "node:assert/strict";
import { mock } from "node:test";
import { Apus } from "../../../Sources/ApusServer/Resources/apus.js";

export { Apus };

export class FakeServer {
  sockets = [];

  /** A server before a test, in which only `mock.timers` moves the time, and chance is always in the middle. */
  static withMockedTime() {
    mock.timers.reset();
    mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
    mock.restoreAll();
    mock.method(Math, "random", () => 0.5);
    return new FakeServer();
  }

  constructor() {
    const server = this;
    this.WebSocket = class extends FakeSocket {
      constructor(url, options) {
        super(url, options);
        server.sockets.push(this);
      }
    };
  }

  /** The newest socket. */
  get socket() { return this.sockets.at(-1); }

  client(options = {}, url = "ws://fake/ws") {
    return new Apus(url, { clientId: "me", WebSocket: this.WebSocket, ...options });
  }

  /** A client that is connected. */
  connected(options) {
    const client = this.client(options);
    this.socket.open();
    return client;
  }
}

class FakeSocket {
  isOpen = false;
  isClosedByClient = false;
  sent = [];

  constructor(url, options) {
    this.url = url;
    this.options = options;
  }

  send(text) {
    assert.ok(this.isOpen, "sent on a socket that is not open");
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.isOpen = false;
    this.isClosedByClient = true;
    this.closeCode = code;
  }

  // From here on: what a server does.

  open() {
    this.isOpen = true;
    this.onopen({});
  }

  /** Takes the oldest command that was not taken yet, which must be of this type and have these members. */
  take(type, members = {}) {
    const command = this.sent.shift();
    assert.equal(command?.type, type);
    for (const [name, value] of Object.entries(members)) assert.deepEqual(command[name], value, name);
    return command;
  }

  say(message) {
    this.onmessage({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }

  ack(command, members = {}) {
    const { request_id, topic } = command;
    this.say({ type: "ack", request_id, topic, status: "ok", ...members, ts: "2026-11-21T10:00:00.000Z" });
  }

  refuse(command, code, more = {}) {
    this.say({ type: "error", request_id: command.request_id, error: { code, message: `says ${code}`, ...more } });
  }

  event(topic, offset, payload = offset, members = {}) {
    const message = { id: `id-${offset}`, payload };
    this.say({ type: "event", topic, message, offset, ...members, ts: "2026-11-21T10:00:00.000Z" });
  }

  /** Takes a subscribe and acks it, by default from an empty topic's start. */
  subscribe(members = {}, answer = { epoch: "e1", offset: 0 }) {
    const command = this.take("subscribe", members);
    this.ack(command, answer);
    return command;
  }

  drop(code = 1006, reason = "") {
    this.isOpen = false;
    this.onclose({ code, reason });
  }
}

/** Lets everything go on that waits for nothing but its turn. */
export const turn = () => new Promise((resolve) => { setImmediate(resolve); });

/** Collects what a loop over the subscription gets. `items` grows, `ended` says how it ended. */
export function collect(subscription, { count = Infinity } = {}) {
  const collected = { items: [], ended: undefined };
  collected.done = (async () => {
    try {
      for await (const item of subscription) {
        collected.items.push(item);
        if (collected.items.length === count) break;
      }
      collected.ended = "done";
    } catch (error) {
      collected.ended = error;
    }
  })();
  return collected;
}

export const offsets = (items) => items.map((item) => item.offset ?? item.type);
