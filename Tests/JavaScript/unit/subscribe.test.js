import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeServer, collect, offsets, turn } from "../support/FakeServer.js";

test("A subscription asks for positions and yields events with theirs", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const collected = collect(client.subscribe("orders"));
  server.socket.subscribe({ topic: "orders", client_id: "me", positions: true, last_n: undefined });
  server.socket.event("orders", 1, { total: 3 }, { key: "k" });
  await turn();
  assert.deepEqual(collected.items, [{
    type: "event", topic: "orders", id: "id-1", payload: { total: 3 }, message: { id: "id-1", payload: { total: 3 } },
    key: "k", offset: 1, ts: "2026-11-21T10:00:00.000Z", position: { epoch: "e1", offset: 1 },
  }]);
  client.close();
});

test("Options go to the server, positions only where they are allowed", () => {
  const server = new FakeServer();
  const client = server.connected();
  client.subscribe("a", { lastN: 5, overflow: "latest", queue: 7, echo: false, presence: true, clientId: "you" });
  server.socket.take("subscribe", {
    last_n: 5, positions: true, overflow: "latest", queue: 7, echo: false, presence: true, client_id: "you",
  });
  client.subscribe("b", { since: "10m" });
  server.socket.take("subscribe", { since: "10m", positions: undefined });
  client.subscribe("c", { since: { epoch: "e", offset: 3 } });
  server.socket.take("subscribe", { since: { epoch: "e", offset: 3 } });
  client.subscribe("d", { since: new Date(0) });
  server.socket.take("subscribe", { since: "1970-01-01T00:00:00.000Z" });
  client.subscribe("x.*", { lastN: 2 });
  server.socket.take("subscribe", { topic: "x.*", last_n: 2, positions: undefined });
  client.close();
});

test("`ready` says when it is subscribed, and `position` where, on an empty topic too", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const subscription = client.subscribe("orders");
  assert.equal(subscription.position, undefined);
  server.socket.subscribe({}, { epoch: "e9", offset: 0 });
  await subscription.ready;
  assert.deepEqual(subscription.position, { epoch: "e9", offset: 0 });
  client.close();
});

test("A refused subscription fails the loop, `ready` and the listeners", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const errors = [];
  client.on("error", (error) => errors.push(error.code));
  const subscription = client.subscribe("nowhere");
  subscription.on("end", (error) => errors.push(error.code));
  const collected = collect(subscription);
  server.socket.refuse(server.socket.take("subscribe"), "TOPIC_NOT_FOUND");
  await collected.done;
  assert.equal(collected.ended.code, "TOPIC_NOT_FOUND");
  assert.equal(collected.ended.message, "says TOPIC_NOT_FOUND");
  await assert.rejects(subscription.ready, { code: "TOPIC_NOT_FOUND" });
  assert.deepEqual(errors.sort(), ["TOPIC_NOT_FOUND", "TOPIC_NOT_FOUND"]);
  assert.equal(client.state, "open");
  client.close();
});

test("Listeners get events at once, also those that came before them", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const subscription = client.subscribe("orders");
  server.socket.subscribe();
  server.socket.event("orders", 1);
  const seen = [];
  const off = subscription.on("event", (event) => seen.push(event.offset));
  await turn();
  server.socket.event("orders", 2);
  assert.deepEqual(seen, [1, 2]);
  assert.deepEqual(subscription.position, { epoch: "e1", offset: 2 });
  off();
  server.socket.event("orders", 3);
  assert.deepEqual(seen, [1, 2]);
  client.close();
});

test("Leaving the loop unsubscribes, and the rest of what was buffered is gone", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const collected = collect(client.subscribe("orders"), { count: 1 });
  server.socket.subscribe();
  server.socket.event("orders", 1);
  server.socket.event("orders", 2);
  await collected.done;
  assert.deepEqual(offsets(collected.items), [1]);
  server.socket.take("unsubscribe", { topic: "orders", client_id: "me" });
  server.socket.event("orders", 3);
  client.close();
});

test("An abort signal closes the subscription", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const abort = new AbortController();
  const collected = collect(client.subscribe("orders", { signal: abort.signal }));
  server.socket.subscribe();
  abort.abort();
  await collected.done;
  assert.equal(collected.ended, "done");
  server.socket.take("unsubscribe");
  const late = collect(client.subscribe("orders", { signal: abort.signal }));
  await late.done;
  assert.equal(late.ended, "done");
  client.close();
});

test("Events of a subscription that was closed do not reach one made after it", async () => {
  const server = new FakeServer();
  const client = server.connected();
  client.subscribe("orders").close();
  const old = server.socket.take("subscribe");
  server.socket.take("unsubscribe");
  const collected = collect(client.subscribe("orders"));
  const command = server.socket.take("subscribe");
  server.socket.ack(old, { epoch: "e1", offset: 0 });
  server.socket.event("orders", 1);
  server.socket.ack(command, { epoch: "e1", offset: 1 });
  server.socket.event("orders", 2);
  await turn();
  assert.deepEqual(offsets(collected.items), [2]);
  client.close();
});

test("Subscriptions that overlap are on connections of their own", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const first = collect(client.subscribe("orders.eu"));
  const main = server.socket;
  main.subscribe();
  client.subscribe("orders.us");
  main.subscribe();
  assert.equal(server.sockets.length, 1);

  const second = client.subscribe("orders.*");
  const other = server.socket;
  assert.equal(server.sockets.length, 2);
  other.open();
  other.subscribe({ topic: "orders.*" }, {});
  const seen = collect(second);
  main.event("orders.eu", 1);
  other.event("orders.eu", undefined, "pattern");
  await turn();
  assert.deepEqual(first.items.map((event) => event.payload), [1]);
  assert.deepEqual(seen.items.map((event) => event.payload), ["pattern"]);
  assert.equal(seen.items[0].position, undefined);

  // The same topic twice does so, too.
  const again = client.subscribe("orders.eu");
  assert.equal(server.sockets.length, 3);
  again.close();

  // The connection goes when nothing needs it.
  second.close();
  assert.ok(other.isClosedByClient);
  assert.equal(client.state, "open");
  client.close();
});

test("Patterns get the events of every topic that they match", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const one = collect(client.subscribe("a.*.c"));
  const rest = collect(client.subscribe("b.>"));
  server.socket.subscribe({ topic: "a.*.c" }, {});
  server.socket.subscribe({ topic: "b.>" }, {});
  for (const topic of ["a.b.c", "a.b.d", "a.c", "b", "b.x", "b.x.y", "a.b.c.d"]) server.socket.event(topic, undefined);
  await turn();
  assert.equal(server.sockets.length, 1);
  assert.deepEqual(one.items.map((event) => event.topic), ["a.b.c"]);
  assert.deepEqual(rest.items.map((event) => event.topic), ["b.x", "b.x.y"]);
  client.close();
});

test("With `echo: false`, own publications stay away after a reconnect too", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const server = new FakeServer();
  const client = server.connected();
  const collected = collect(client.subscribe("chat", { echo: false }));
  server.socket.subscribe({ echo: false });
  client.publish("chat", "mine", { id: "id-1" }).catch(() => {});
  server.socket.drop();
  t.mock.timers.tick(250);
  server.socket.open();
  server.socket.subscribe({ since: { epoch: "e1", offset: 0 } }, { epoch: "e1", offset: 0, recovered: true });
  server.socket.event("chat", 1);
  server.socket.event("chat", 2);
  await turn();
  assert.deepEqual(offsets(collected.items), [2]);
  client.close();
});

test("Presence and warnings reach their listeners", () => {
  const server = new FakeServer();
  const client = server.connected();
  const subscription = client.subscribe("orders", { presence: true });
  const seen = [];
  subscription.on("presence", (change) => seen.push(change));
  subscription.on("warning", (warning) => seen.push(warning));
  server.socket.subscribe();
  server.socket.say({ type: "info", topic: "orders", msg: "joined", client_id: "x" });
  server.socket.say({ type: "info", topic: "orders", msg: "slow_consumer_warning", lag: 812, queue: 1000 });
  assert.deepEqual(seen, [
    { topic: "orders", change: "joined", clientId: "x" }, { topic: "orders", lag: 812, queue: 1000 },
  ]);
  client.close();
});

test("Closing the client ends loops, and nothing can be subscribed afterwards", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const collected = collect(client.subscribe("orders"));
  server.socket.subscribe();
  client.close();
  await collected.done;
  assert.equal(collected.ended, "done");
  assert.ok(server.socket.isClosedByClient);
  assert.equal(server.socket.closeCode, 1000);
  assert.throws(() => client.subscribe("orders"), { code: "CLOSED" });
});

test("A listener that throws disturbs neither the others nor the client, and its error is not swallowed", (t) => {
  const server = new FakeServer();
  const client = server.connected();
  const subscription = client.subscribe("orders");
  server.socket.subscribe();
  const seen = [];
  const later = [];
  subscription.on("event", () => { throw new Error("the page's own"); });
  subscription.on("event", (event) => seen.push(event.offset));
  t.mock.method(globalThis, "queueMicrotask", (job) => later.push(job));
  server.socket.event("orders", 1);
  server.socket.event("orders", 2);
  assert.deepEqual(seen, [1, 2]);
  assert.throws(later[0], /the page's own/);
  client.close();
});
