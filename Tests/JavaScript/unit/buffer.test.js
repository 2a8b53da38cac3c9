import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeServer, offsets, turn } from "../support/FakeServer.js";

/** Takes items from the subscription, one by one: a consumer whose pace the test sets. */
async function take(loop, count) {
  const items = [];
  while (items.length < count) items.push((await loop.next()).value);
  return items;
}

test("A full buffer leaves the topic and comes back at its position when half of it is free", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const loop = client.subscribe("orders", { buffer: 4 })[Symbol.asyncIterator]();
  server.socket.subscribe();
  for (let offset = 1; offset <= 5; offset += 1) server.socket.event("orders", offset);
  server.socket.ack(server.socket.take("unsubscribe"));
  server.socket.event("orders", 6); // Was on its way.
  assert.deepEqual(offsets(await take(loop, 1)), [1]);
  assert.equal(server.socket.sent.length, 0);
  assert.deepEqual(offsets(await take(loop, 1)), [2]);
  server.socket.subscribe({ since: { epoch: "e1", offset: 4 } }, { epoch: "e1", offset: 4, recovered: true });
  for (let offset = 5; offset <= 6; offset += 1) server.socket.event("orders", offset);
  assert.deepEqual(offsets(await take(loop, 4)), [3, 4, 5, 6]);
  client.close();
});

test("While it is away a reconnect does not bring it back, its consumer does", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const server = new FakeServer();
  const client = server.connected();
  const loop = client.subscribe("orders", { buffer: 1 })[Symbol.asyncIterator]();
  server.socket.subscribe();
  server.socket.event("orders", 1);
  server.socket.event("orders", 2);
  server.socket.drop();
  t.mock.timers.tick(250);
  server.socket.open();
  assert.equal(server.socket.sent.length, 0);
  assert.deepEqual(offsets(await take(loop, 1)), [1]);
  server.socket.subscribe({ since: { epoch: "e1", offset: 1 } }, { epoch: "e1", offset: 1, recovered: true });
  client.close();
});

test("A consumer that drains while there is no connection is subscribed with the next one", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const server = new FakeServer();
  const client = server.connected();
  const loop = client.subscribe("orders", { buffer: 1 })[Symbol.asyncIterator]();
  server.socket.subscribe();
  server.socket.event("orders", 1);
  server.socket.event("orders", 2);
  server.socket.drop();
  await take(loop, 1);
  t.mock.timers.tick(250);
  server.socket.open();
  server.socket.take("subscribe", { since: { epoch: "e1", offset: 1 } });
  client.close();
});

test("What history no longer has when it comes back is a gap", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const loop = client.subscribe("orders", { buffer: 1, notices: true })[Symbol.asyncIterator]();
  server.socket.subscribe();
  server.socket.event("orders", 1);
  server.socket.event("orders", 2);
  server.socket.take("unsubscribe");
  await take(loop, 1);
  server.socket.subscribe({}, { epoch: "e1", offset: 8, recovered: false, missed: { from: 2, to: 8 } });
  // The notice fills the buffer, so the event behind it makes the topic be left again: from behind the gap.
  server.socket.event("orders", 9);
  server.socket.take("unsubscribe");
  assert.deepEqual((await take(loop, 1))[0].missed, { from: 2, to: 8 });
  server.socket.subscribe({ since: { epoch: "e1", offset: 8 } }, { epoch: "e1", offset: 8, recovered: true });
  server.socket.event("orders", 9);
  assert.deepEqual(offsets(await take(loop, 1)), [9]);
  client.close();
});

test("A topic deleted while it was away is a gap and its end", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const loop = client.subscribe("orders", { buffer: 1, notices: true })[Symbol.asyncIterator]();
  server.socket.subscribe();
  server.socket.event("orders", 1);
  server.socket.event("orders", 2);
  server.socket.take("unsubscribe");
  server.socket.say({ type: "info", topic: "orders", msg: "topic_deleted" });
  await take(loop, 1);
  server.socket.refuse(server.socket.take("subscribe"), "TOPIC_NOT_FOUND");
  assert.deepEqual(offsets(await take(loop, 2)), ["gap", "topicDeleted"]);
  assert.equal((await loop.next()).done, true);
  client.close();
});

test("A pattern drops its oldest events and says how many, where they would have been", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const loop = client.subscribe("a.*", { buffer: 2, notices: true })[Symbol.asyncIterator]();
  server.socket.subscribe({}, {});
  for (let number = 1; number <= 5; number += 1) server.socket.event("a.b", undefined, number);
  server.socket.say({ type: "info", topic: "a.b", msg: "messages_dropped", dropped: 10 });
  const items = await take(loop, 3);
  assert.deepEqual(items[0], { type: "dropped", topic: "a.*", dropped: 4 });
  assert.equal(items[1].payload, 5);
  assert.equal(items[2].dropped, 10);
  for (let number = 6; number <= 7; number += 1) server.socket.event("a.b", undefined, number);
  server.socket.say({ type: "info", topic: "a.b", msg: "messages_dropped", dropped: 3 });
  for (let number = 8; number <= 10; number += 1) server.socket.event("a.b", undefined, number);
  const rest = await take(loop, 3);
  assert.equal(rest[0].dropped, 6);
  assert.deepEqual(rest.slice(1).map((item) => item.payload), [9, 10]);
  assert.equal(server.socket.sent.length, 0);
  client.close();
});

test("Without a consumer nothing is lost, and no more than the buffer is held", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const subscription = client.subscribe("orders");
  server.socket.subscribe();
  for (let offset = 1; offset <= 1_500; offset += 1) server.socket.event("orders", offset);
  server.socket.take("unsubscribe");
  const seen = [];
  subscription.on("event", (event) => seen.push(event.offset));
  await turn();
  assert.equal(seen.length, 1_000);
  server.socket.take("subscribe", { since: { epoch: "e1", offset: 1_000 } });
  client.close();
});
