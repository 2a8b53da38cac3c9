import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { FakeServer, collect, offsets, turn } from "../support/FakeServer.js";

let server;
let client;

/** The connection is lost and made again. */
function reconnect(code, reason) {
  server.socket.drop(code, reason);
  mock.timers.tick(60_000);
  server.socket.open();
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  server = new FakeServer();
  client = server.connected();
});

test("After a reconnect it goes on after the last event, and an event that comes twice is handed on once", async () => {
  const collected = collect(client.subscribe("orders", { lastN: 9 }));
  server.socket.subscribe({ last_n: 9 });
  server.socket.event("orders", 1);
  server.socket.event("orders", 2);
  reconnect();
  server.socket.subscribe(
    { since: { epoch: "e1", offset: 2 }, last_n: undefined, positions: undefined },
    { epoch: "e1", offset: 2, recovered: true },
  );
  for (const offset of [2, 3, 3, 4]) server.socket.event("orders", offset);
  await turn();
  assert.deepEqual(offsets(collected.items), [1, 2, 3, 4]);
  client.close();
});

test("Events that were buffered survive the connection, and are not asked for again", async () => {
  const subscription = client.subscribe("orders");
  server.socket.subscribe();
  for (const offset of [1, 2, 3]) server.socket.event("orders", offset);
  reconnect();
  server.socket.subscribe({ since: { epoch: "e1", offset: 3 } }, { epoch: "e1", offset: 3, recovered: true });
  server.socket.event("orders", 4);
  const collected = collect(subscription, { count: 4 });
  await collected.done;
  assert.deepEqual(offsets(collected.items), [1, 2, 3, 4]);
  client.close();
});

test("A connection lost before the ack asks the same again; one lost before any event starts from the ack", () => {
  client.subscribe("orders", { since: "10m" });
  server.socket.take("subscribe", { since: "10m" });
  reconnect();
  server.socket.subscribe({ since: "10m" }, { epoch: "e1", offset: 7 });
  reconnect();
  server.socket.take("subscribe", { since: { epoch: "e1", offset: 7 } });
  client.close();
});

test("What cannot be recovered is a gap, with what is missing, in its place among the events", async () => {
  const collected = collect(client.subscribe("orders", { notices: true }));
  server.socket.subscribe();
  server.socket.event("orders", 1);
  reconnect();
  server.socket.subscribe({}, { epoch: "e1", offset: 57, recovered: false, missed: { from: 2, to: 57 } });
  server.socket.event("orders", 58);
  reconnect();
  server.socket.subscribe({ since: { epoch: "e1", offset: 58 } }, { epoch: "e2", offset: 0, recovered: false });
  server.socket.event("orders", 1);
  await turn();
  assert.deepEqual(offsets(collected.items), [1, "gap", 58, "gap", 1]);
  const [, first, , second] = collected.items;
  assert.deepEqual(first, {
    type: "gap", topic: "orders", recovered: false, missed: { from: 2, to: 57 }, position: { epoch: "e1", offset: 57 },
  });
  assert.deepEqual(second.missed, undefined);
  assert.deepEqual(collected.items[4].position, { epoch: "e2", offset: 1 });
  client.close();
});

test("Listeners hear of gaps without `notices`, loops then see only events", async () => {
  const subscription = client.subscribe("orders", { since: { epoch: "e0", offset: 9 } });
  const gaps = [];
  subscription.on("gap", (gap) => gaps.push(gap.recovered));
  const collected = collect(subscription);
  server.socket.subscribe({}, { epoch: "e1", offset: 0, recovered: false });
  server.socket.event("orders", 1);
  await turn();
  assert.deepEqual(gaps, [false]);
  assert.deepEqual(offsets(collected.items), [1]);
  client.close();
});

test("A pattern cannot recover: each reconnect is a gap, and `lastN` is asked for only once", async () => {
  const collected = collect(client.subscribe("orders.*", { notices: true, lastN: 3 }));
  server.socket.subscribe({ last_n: 3 }, {});
  server.socket.event("orders.eu", undefined);
  reconnect();
  server.socket.subscribe({ last_n: undefined, since: undefined, positions: undefined }, {});
  await turn();
  assert.deepEqual(offsets(collected.items), ["event", "gap"]);
  client.close();
});

test("A drop that the server tells of is a notice, and is not asked for again", async () => {
  const collected = collect(client.subscribe("orders", { notices: true }));
  server.socket.subscribe();
  server.socket.event("orders", 1);
  server.socket.say({ type: "info", topic: "orders", msg: "messages_dropped", dropped: 37, from: 2, to: 38 });
  await turn();
  assert.deepEqual(collected.items[1], {
    type: "dropped", topic: "orders", dropped: 37, from: 2, to: 38, position: { epoch: "e1", offset: 38 },
  });
  reconnect();
  server.socket.take("subscribe", { since: { epoch: "e1", offset: 38 } });
  client.close();
});

test("A deleted topic ends its subscription after the last event; a pattern goes on", async () => {
  const subscription = client.subscribe("orders", { notices: true });
  const pattern = collect(client.subscribe("a.*", { notices: true }));
  server.socket.subscribe();
  server.socket.subscribe({}, {});
  server.socket.event("orders", 1);
  for (const topic of ["orders", "a.b"]) server.socket.say({ type: "info", topic, msg: "topic_deleted" });
  server.socket.event("a.c", undefined);
  const collected = collect(subscription);
  await collected.done;
  await turn();
  assert.deepEqual(offsets(collected.items), [1, "topicDeleted"]);
  assert.equal(collected.ended, "done");
  assert.deepEqual(offsets(pattern.items), ["topicDeleted", "event"]);
  assert.equal(server.socket.sent.length, 0);
  client.close();
});

test("A server without positions is used as it is, and its reconnects are gaps", async () => {
  const collected = collect(client.subscribe("orders", { notices: true }));
  server.socket.subscribe({}, {});
  server.socket.event("orders", undefined);
  server.socket.say({ type: "info", topic: "orders", msg: "messages_dropped", dropped: 2 });
  reconnect();
  server.socket.subscribe({ since: undefined }, {});
  server.socket.event("orders", undefined);
  await turn();
  assert.deepEqual(offsets(collected.items), ["event", "dropped", "gap", "event"]);
  client.close();
});

test("A subscribe that is refused for the time being is tried again, and on the next connection", () => {
  client.subscribe("orders");
  for (const code of ["RATE_LIMITED", "OVERLOADED", "UNAVAILABLE"]) {
    server.socket.refuse(server.socket.take("subscribe"), code);
    assert.equal(server.socket.sent.length, 0);
    mock.timers.tick(1_000);
  }
  server.socket.refuse(server.socket.take("subscribe"), "UNAVAILABLE");
  reconnect(1001, "SHUTDOWN");
  server.socket.subscribe();
  client.close();
});

test("What a lost connection still says counts no more", async () => {
  const collected = collect(client.subscribe("orders"));
  const old = server.socket;
  old.subscribe();
  reconnect();
  server.socket.subscribe({}, { epoch: "e1", offset: 0, recovered: true });
  old.event("orders", 9);
  server.socket.event("orders", 1);
  await turn();
  assert.deepEqual(offsets(collected.items), [1]);
  client.close();
});

test("A gap is told even where the buffer is full", async () => {
  const subscription = client.subscribe("orders", { buffer: 1, notices: true });
  server.socket.subscribe();
  server.socket.event("orders", 1);
  reconnect();
  server.socket.subscribe({}, { epoch: "e2", offset: 4, recovered: false });
  const collected = collect(subscription);
  await turn();
  assert.deepEqual(offsets(collected.items), [1, "gap"]);
  assert.deepEqual(subscription.position, { epoch: "e2", offset: 4 });
  client.close();
});

test("A listener that asks for the next item does not get it before the one at hand", async () => {
  const subscription = client.subscribe("orders", { notices: true });
  const loop = subscription[Symbol.asyncIterator]();
  const asked = [];
  subscription.on("dropped", () => asked.push(loop.next()));
  server.socket.subscribe();
  server.socket.say({ type: "info", topic: "orders", msg: "messages_dropped", dropped: 1, from: 1, to: 1 });
  server.socket.event("orders", 2);
  asked.unshift(loop.next());
  const items = await Promise.all(asked);
  assert.deepEqual(offsets(items.map((item) => item.value)), ["dropped", 2]);
  client.close();
});
