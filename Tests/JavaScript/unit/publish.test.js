import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { FakeServer, turn } from "../support/FakeServer.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
let server;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  server = new FakeServer();
});

test("A publish resolves to its outcome", async () => {
  const client = server.connected();
  const outcome = client.publish("orders", { total: 3 }, { key: "k", ttl: "30s" });
  const command = server.socket.take("publish", { topic: "orders", outcome: true, key: "k", ttl: "30s" });
  assert.match(command.message.id, UUID);
  assert.deepEqual(command.message.payload, { total: 3 });
  server.socket.ack(command, { epoch: "e1", offset: 17, subscribers: 3, stored: "memory", duplicate: false });
  assert.deepEqual(await outcome, {
    id: command.message.id, topic: "orders", epoch: "e1", offset: 17, subscribers: 3, stored: "memory",
    duplicate: false, ts: "2026-11-21T10:00:00.000Z",
  });
  client.close();
});

test("A batch is one command with an id for each message", async () => {
  const client = server.connected();
  const outcome = client.publishBatch("orders", [1, undefined, "three"]);
  const command = server.socket.take("publish", { message: undefined });
  assert.deepEqual(command.messages.map((message) => message.payload), [1, null, "three"]);
  const ids = command.messages.map((message) => message.id);
  assert.equal(new Set(ids).size, 3);
  server.socket.ack(command, { count: 3, epoch: "e1", offset: 5, subscribers: 0, stored: "memory", duplicate: false });
  const { ids: published, count, offset } = await outcome;
  assert.deepEqual({ published, count, offset }, { published: ids, count: 3, offset: 5 });
  client.close();
});

test("A refusal rejects with the server's code", async () => {
  const client = server.connected();
  const outcome = client.publish("nowhere", 1);
  server.socket.refuse(server.socket.take("publish"), "TOPIC_NOT_FOUND");
  await assert.rejects(outcome, { name: "ApusError", code: "TOPIC_NOT_FOUND", message: "says TOPIC_NOT_FOUND" });
  client.close();
});

test("What is not acknowledged goes out again after a reconnect, in order and with the same ids", async () => {
  const client = server.client();
  const outcomes = [client.publish("a", 1, { id: "x" }), client.publish("a", 2, { id: "y" })];
  assert.equal(server.socket.sent.length, 0);
  server.socket.open();
  server.socket.ack(server.socket.take("publish"), { offset: 1 });
  server.socket.take("publish");
  outcomes.push(client.publish("a", 3, { id: "z" }));
  server.socket.take("publish");
  server.socket.drop();
  mock.timers.tick(250);
  outcomes.push(client.publish("a", 4, { id: "w" }));
  server.socket.open();
  // The first one finds out whether the topic is still there.
  const again = [server.socket.take("publish")];
  assert.equal(server.socket.sent.length, 0);
  server.socket.ack(again[0], { offset: 2 });
  again.push(server.socket.take("publish"), server.socket.take("publish"));
  assert.deepEqual(again.map((command) => command.message), [
    { id: "y", payload: 2 }, { id: "z", payload: 3 }, { id: "w", payload: 4 },
  ]);
  for (const command of again.slice(1)) server.socket.ack(command, { offset: command.message.payload });
  assert.deepEqual((await Promise.all(outcomes)).map(({ id, offset }) => [id, offset]),
    [["x", 1], ["y", 2], ["z", 3], ["w", 4]]);
  client.close();
});

test("A publish from a listener of the state goes out once", () => {
  const client = server.client();
  client.on("state", ({ state }) => { if (state === "open") client.publish("a", 1).catch(() => {}); });
  server.socket.open();
  assert.equal(server.socket.sent.length, 1);
  client.close();
});

test("A server that shuts down gets it on the next connection", async () => {
  const client = server.connected();
  const outcome = client.publish("a", 1, { id: "x" });
  server.socket.refuse(server.socket.take("publish"), "UNAVAILABLE");
  server.socket.drop(1001, "SHUTDOWN");
  mock.timers.tick(250);
  server.socket.open();
  const command = server.socket.take("publish");
  assert.equal(command.message.id, "x");
  server.socket.ack(command, { offset: 1 });
  assert.equal((await outcome).offset, 1);
  client.close();
});

test("The queue is bounded, in messages, and takes more when some are acknowledged", async () => {
  const client = server.client({ publishQueue: 3 });
  const first = client.publish("a", 1);
  const batch = client.publishBatch("a", [2, 3]);
  await assert.rejects(client.publish("a", 4), { code: "QUEUE_FULL" });
  server.socket.open();
  server.socket.ack(server.socket.take("publish"));
  await first;
  const third = client.publish("a", 5);
  await assert.rejects(client.publishBatch("a", [6, 7, 8]), { code: "QUEUE_FULL" });
  server.socket.ack(server.socket.take("publish"));
  server.socket.ack(server.socket.take("publish"));
  await Promise.all([batch, third]);
  client.close();
});

test("Closing rejects what is not acknowledged, and what comes later", async () => {
  const client = server.connected();
  const outcomes = [client.publish("a", 1), client.publish("a", 2)];
  client.close();
  for (const outcome of outcomes) await assert.rejects(outcome, { code: "CLOSED" });
  await assert.rejects(client.publish("a", 3), { code: "CLOSED" });
  assert.equal(client.state, "closed");
  client.close();
});

test("A payload that is no JSON rejects, and takes no room", async () => {
  const client = server.connected({ publishQueue: 1 });
  await assert.rejects(client.publish("a", 1n), TypeError);
  const outcome = client.publish("a", 1);
  await turn();
  server.socket.ack(server.socket.take("publish"));
  await outcome;
  client.close();
});
