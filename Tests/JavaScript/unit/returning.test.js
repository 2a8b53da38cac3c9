// What a browser tells of: the network is back, the page is. And that nothing listens to it for ever.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Apus, FakeServer, collect, turn } from "../support/FakeServer.js";

/** A target that knows how many listen to it. */
class Target extends EventTarget {
  count = 0;

  addEventListener(...all) {
    this.count += 1;
    super.addEventListener(...all);
  }

  removeEventListener(...all) {
    this.count -= 1;
    super.removeEventListener(...all);
  }

  tell(type) { this.dispatchEvent(new Event(type)); }
}

let page;
let view;
let server;

beforeEach(() => {
  server = FakeServer.withMockedTime();
  page = Object.assign(new Target(), { visibilityState: "visible" });
  view = new Target();
  globalThis.document = page;
  globalThis.addEventListener = (...all) => view.addEventListener(...all);
  globalThis.removeEventListener = (...all) => view.removeEventListener(...all);
});

afterEach(() => {
  for (const name of ["document", "addEventListener", "removeEventListener"]) delete globalThis[name];
});

const RETURNS = [() => view.tell("online"), () => view.tell("pageshow"), () => page.tell("visibilitychange")];

test("A client that waits for its next attempt connects at once", () => {
  for (const comeBack of RETURNS) {
    const client = server.client({ minDelay: 10_000 });
    client.subscribe("orders");
    client.subscribe("orders");
    const { length } = server.sockets;
    for (const socket of server.sockets.slice(-2)) socket.drop();
    comeBack();
    assert.equal(client.state, "connecting");
    // Both of its connections, and each once.
    assert.equal(server.sockets.length, length + 2);
    for (const again of RETURNS) again();
    assert.equal(server.sockets.length, length + 2);
    client.close();
  }
});

test("A page that is hidden is not back", () => {
  const client = server.client();
  server.socket.drop();
  page.visibilityState = "hidden";
  page.tell("visibilitychange");
  view.tell("pageshow");
  assert.equal(client.state, "waiting");
  client.close();
});

test("What the server asked for is kept: its own delay, and patience", () => {
  for (const [code, reason, before] of [
    [1001, "SHUTDOWN", { type: "info", msg: "shutdown", reconnect_after_ms: 7_321 }], [1008, "SLOW_CONSUMER"],
    [1013, "OVERLOADED"],
  ]) {
    const client = server.connected();
    if (before) server.socket.say(before);
    server.socket.drop(code, reason);
    for (const comeBack of RETURNS) comeBack();
    assert.equal(client.state, "waiting", reason);
    client.close();
  }
});

test("An open connection has to give a sign of life, soon", () => {
  for (const sign of [{ type: "pong" }, { type: "info", msg: "ping" }, undefined]) {
    const client = server.connected({ pingInterval: 0 });
    const { socket } = server;
    for (const comeBack of RETURNS) comeBack();
    assert.equal(socket.sent.length, 1);
    const { request_id } = socket.take("ping");
    mock.timers.tick(4_999);
    if (sign) socket.say({ request_id, ...sign });
    mock.timers.tick(1);
    assert.equal(client.state, sign ? "open" : "waiting");
    // And the next time again.
    if (sign) {
      view.tell("online");
      assert.equal(socket.sent.length, 1);
    }
    client.close();
  }
});

test("An attempt to connect that hangs is given up for a new one, one that has just begun is not", () => {
  const client = server.client({ pingInterval: 0 });
  const first = server.socket;
  view.tell("online");
  assert.equal(server.sockets.length, 1);
  mock.timers.tick(1_001);
  view.tell("online");
  assert.equal(server.sockets.length, 2);
  assert.ok(first.isClosedByClient);
  server.socket.open();
  assert.equal(client.state, "open");
  mock.timers.tick(60_000);
  first.drop();
  assert.equal(client.state, "open");
  client.close();
});

test("A closed client listens to nothing, and is not woken", () => {
  const clients = [server.client(), server.client(), server.connected()];
  assert.deepEqual([view.count, page.count], [6, 3]);
  clients[0].close();
  clients[1].close();
  clients[1].close();
  server.socket.drop(1002, "PROTOCOL_ERROR");
  assert.deepEqual([view.count, page.count], [0, 0]);
  const { length } = server.sockets;
  for (const comeBack of RETURNS) comeBack();
  assert.equal(server.sockets.length, length);
  assert.throws(() => new Apus("ftp://host"), TypeError);
  assert.equal(view.count, 0);
});

test("However a subscription ends, nothing listens to its signal any more", async () => {
  const signal = Object.assign(new Target(), { aborted: false });
  const client = server.connected();
  for (let i = 0; i < 3_000; i += 1) client.subscribe("orders", { signal }).close();
  assert.equal(signal.count, 0);
  server.socket.sent.length = 0;
  const ends = [
    () => server.socket.refuse(server.socket.take("subscribe"), "FORBIDDEN"),
    () => {
      server.socket.subscribe();
      server.socket.say({ type: "info", topic: "orders", msg: "topic_deleted" });
    },
    () => {
      signal.aborted = true;
      signal.tell("abort");
    },
    () => client.close(),
  ];
  for (const end of ends) {
    signal.aborted = false;
    const collected = collect(client.subscribe("orders", { signal }));
    assert.equal(signal.count, 1);
    end();
    await collected.done;
    assert.equal(signal.count, 0);
  }
});

test("Leaving a loop lets go of the signal", async () => {
  const signal = Object.assign(new Target(), { aborted: false });
  const client = server.connected();
  const collected = collect(client.subscribe("orders", { signal }), { count: 1 });
  server.socket.subscribe();
  server.socket.event("orders", 1);
  await collected.done;
  await turn();
  assert.equal(signal.count, 0);
  client.close();
});
