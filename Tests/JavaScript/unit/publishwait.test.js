// Publications whose topic is not there (any more) after a reconnect.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { FakeServer, turn } from "../support/FakeServer.js";

let server;

function reconnect() {
  server.socket.drop();
  mock.timers.tick(60_000);
  server.socket.open();
}

const payloads = () => server.socket.sent.map((command) => command.message.payload);
const missing = () => server.socket.refuse(server.socket.take("publish"), "TOPIC_NOT_FOUND");
const published = (payload) => {
  const command = server.socket.take("publish");
  assert.equal(command.message.payload, payload);
  server.socket.ack(command, { offset: payload });
};

/** Settles to the offset or the code of the refusal. */
const settled = (outcome) => outcome.then(({ offset }) => offset, ({ code }) => code);

beforeEach(() => {
  server = FakeServer.withMockedTime();
});

test("One that waited for the connection waits for its topic too, with backoff", async () => {
  const client = server.connected();
  server.socket.drop();
  const outcome = settled(client.publish("orders", 1));
  mock.timers.tick(125);
  server.socket.open();
  for (const delay of [125, 250, 500]) {
    missing();
    mock.timers.tick(delay - 1);
    assert.deepEqual(payloads(), []);
    mock.timers.tick(1);
  }
  published(1);
  assert.equal(await outcome, 1);
  client.close();
});

test("It waits as long as it may, and is then refused with the reason", async () => {
  const client = server.connected({ publishWait: 2_000 });
  server.socket.drop();
  const outcomes = [client.publish("orders", 1), client.publish("orders", 2, { wait: 600 }),
    client.publish("orders", 3, { wait: 0 })].map(settled);
  mock.timers.tick(125);
  server.socket.open();
  missing();
  assert.equal(await outcomes[2], "TOPIC_NOT_FOUND");
  const begin = Date.now();
  let last;
  outcomes[1].then(() => { last = Date.now() - begin; });
  while (Date.now() - begin < 1_900) {
    mock.timers.tick(100);
    if (server.socket.sent.length > 0) missing();
    await turn();
  }
  assert.equal(await outcomes[1], "TOPIC_NOT_FOUND");
  assert.equal(last, 600);
  assert.equal(client.state, "open");
  mock.timers.tick(100);
  missing();
  assert.equal(await outcomes[0], "TOPIC_NOT_FOUND");
  mock.timers.tick(60_000);
  assert.ok(server.socket.sent.every(({ type }) => type === "ping"));
  client.close();
});

test("All of a topic's keep their order, also if it is made in their midst", async () => {
  const client = server.connected();
  server.socket.drop();
  const outcomes = [1, 2, 3].map((number) => settled(client.publish("orders", number)));
  mock.timers.tick(125);
  server.socket.open();
  // Only the first goes out, so nothing can overtake it.
  assert.deepEqual(payloads(), [1]);
  missing();
  outcomes.push(settled(client.publish("orders", 4)));
  assert.deepEqual(payloads(), []);
  mock.timers.tick(125);
  outcomes.push(settled(client.publish("orders", 5)));
  published(1);
  for (const number of [2, 3, 4, 5]) published(number);
  assert.deepEqual(await Promise.all(outcomes), [1, 2, 3, 4, 5]);
  outcomes.push(settled(client.publish("orders", 6)), settled(client.publish("orders", 7)));
  assert.deepEqual(payloads(), [6, 7]);
  client.close();
});

test("A topic that waits holds up no other", async () => {
  const client = server.connected();
  server.socket.drop();
  const outcomes = [["a", 1], ["b", 2], ["a", 3], ["b", 4]].map((each) => settled(client.publish(...each)));
  mock.timers.tick(125);
  server.socket.open();
  assert.deepEqual(payloads(), [1, 2]);
  missing();
  published(2);
  published(4);
  assert.deepEqual([await outcomes[1], await outcomes[3]], [2, 4]);
  client.close();
  assert.equal(await outcomes[0], "CLOSED");
  mock.timers.tick(60_000);
});

test("One to a topic that was there before the connection was lost waits, one to another does not", async () => {
  const client = server.connected();
  const before = settled(client.publish("orders", 1));
  published(1);
  assert.equal(await before, 1);
  reconnect();
  const outcomes = [settled(client.publish("orders", 2)), settled(client.publish("typo", 3))];
  missing();
  missing();
  assert.equal(await outcomes[1], "TOPIC_NOT_FOUND");
  mock.timers.tick(125);
  published(2);
  assert.equal(await outcomes[0], 2);
  client.close();
});

test("On the first connection, and where the deletion is known, the refusal comes at once", async () => {
  const client = server.client();
  const early = settled(client.publish("orders", 1));
  server.socket.open();
  missing();
  assert.equal(await early, "TOPIC_NOT_FOUND");

  reconnect();
  const there = settled(client.publish("orders", 2));
  published(2);
  assert.equal(await there, 2);
  const deleted = settled(client.publish("orders", 3));
  missing();
  assert.equal(await deleted, "TOPIC_NOT_FOUND");

  client.subscribe("orders");
  server.socket.subscribe();
  server.socket.say({ type: "info", topic: "orders", msg: "topic_deleted" });
  reconnect();
  const told = settled(client.publish("orders", 4));
  missing();
  assert.equal(await told, "TOPIC_NOT_FOUND");
  client.close();
});

test("With `wait`, one waits on the first connection too", async () => {
  const client = server.connected();
  const outcomes = [1, 2, 3].map((number) => settled(client.publish("orders", number, { wait: 10_000 })));
  const refused = settled(client.publish("orders", 4));
  missing();
  const late = settled(client.publish("orders", 5, { wait: 10_000 }));
  missing();
  missing();
  missing();
  mock.timers.tick(125);
  for (const number of [1, 2, 3, 4, 5]) published(number);
  assert.deepEqual(await Promise.all([...outcomes, refused, late]), [1, 2, 3, 4, 5]);
  client.close();
});

test("It goes out at once when a subscription sees the topic again", async () => {
  const client = server.connected({ minDelay: 10_000 });
  client.subscribe("orders");
  server.socket.subscribe();
  server.socket.drop();
  const outcome = settled(client.publish("orders", 1));
  mock.timers.tick(10_000);
  server.socket.open();
  server.socket.ack(server.socket.take("subscribe"), { waiting: true });
  missing();
  mock.timers.tick(100);
  assert.deepEqual(payloads(), []);
  server.socket.say({ type: "info", topic: "orders", msg: "topic_created", epoch: "e2" });
  published(1);
  assert.equal(await outcome, 1);
  client.close();
});

test("A restart while it waits begins its time anew", async () => {
  const client = server.connected({ publishWait: 1_000 });
  server.socket.drop();
  const outcome = settled(client.publish("orders", 1));
  mock.timers.tick(125);
  server.socket.open();
  for (let restart = 0; restart < 10; restart += 1) {
    missing();
    mock.timers.tick(125);
    assert.deepEqual(payloads(), [1]);
    reconnect();
  }
  published(1);
  assert.equal(await outcome, 1);
  client.close();
});

test("What waits counts to the queue's bound", async () => {
  const client = server.connected({ publishQueue: 2 });
  server.socket.drop();
  const outcomes = [1, 2].map((number) => settled(client.publish("orders", number)));
  mock.timers.tick(125);
  server.socket.open();
  missing();
  assert.equal(await settled(client.publish("orders", 3)), "QUEUE_FULL");
  client.close();
  assert.deepEqual(await Promise.all(outcomes), ["CLOSED", "CLOSED"]);
});

test("One that is refused for itself lets the next one find out", async () => {
  const client = server.connected();
  server.socket.drop();
  const outcomes = [1, 2, 3].map((number) => settled(client.publish("orders", number)));
  mock.timers.tick(125);
  server.socket.open();
  server.socket.refuse(server.socket.take("publish"), "BAD_REQUEST");
  assert.deepEqual(payloads(), [2]);
  missing();
  mock.timers.tick(125);
  published(2);
  published(3);
  assert.deepEqual(await Promise.all(outcomes), ["BAD_REQUEST", 2, 3]);
  client.close();
});

test("One that is refused for the time being is sent again, for as long as is reasonable", async () => {
  const client = server.connected({ pingInterval: 0, publishWait: 0 });
  const unavailable = () => server.socket.refuse(server.socket.take("publish"), "UNAVAILABLE");
  const outcomes = [1, 2].map((number) => settled(client.publish("orders", number)));
  unavailable();
  unavailable();
  mock.timers.tick(125);
  published(1);
  published(2);
  assert.deepEqual(await Promise.all(outcomes), [1, 2]);
  const refused = settled(client.publish("orders", 3));
  const begin = Date.now();
  unavailable();
  while (Date.now() - begin < 30_000) {
    mock.timers.tick(100);
    if (server.socket.sent.length > 0) unavailable();
  }
  assert.equal(await refused, "UNAVAILABLE");
  client.close();
});

const limited = (ms) => server.socket.refuse(server.socket.take("publish"), "RATE_LIMITED", { retry_after_ms: ms });

test("After a rate limit one is sent when the server says, and twice as many after each that is taken", async () => {
  const client = server.connected({ pingInterval: 0 });
  const outcomes = [1, 2, 3, 4, 5, 6].map((number) => settled(client.publish("orders", number)));
  for (let count = 0; count < 6; count += 1) limited(2_000);
  mock.timers.tick(1_999);
  assert.deepEqual(payloads(), []);
  mock.timers.tick(1);
  assert.deepEqual(payloads(), [1]);
  published(1);
  assert.deepEqual(payloads(), [2]);
  published(2);
  assert.deepEqual(payloads(), [3, 4]);
  published(3);
  assert.deepEqual(payloads(), [4, 5, 6]);
  limited(2_000);
  limited(2_000);
  mock.timers.tick(2_000);
  // One that comes back keeps its place.
  assert.deepEqual(payloads(), [6, 4]);
  limited(2_000);
  published(4);
  assert.deepEqual(payloads(), [5]);
  published(5);
  published(6);
  assert.deepEqual(await Promise.all(outcomes), [1, 2, 3, 4, 5, 6]);
  client.close();
});

test("A rate limit that lasts longer than is reasonable rejects at once, and says how long", async () => {
  const client = server.connected({ pingInterval: 0 });
  const outcome = assert.rejects(client.publish("orders", 1), { code: "RATE_LIMITED", retryAfter: 3_600_000 });
  limited(3_600_000);
  await outcome;
  for (const nonsense of [-1, "soon", null]) {
    const refused = assert.rejects(client.publish("orders", 1), (error) => !("retryAfter" in error));
    server.socket.refuse(server.socket.take("publish"), "BAD_REQUEST", { retry_after_ms: nonsense });
    await refused;
  }
  client.close();
});

test("A shutdown in the middle of waiting keeps everything for the next server", async () => {
  const client = server.connected();
  server.socket.drop();
  const outcomes = [1, 2].map((number) => settled(client.publish("orders", number)));
  mock.timers.tick(125);
  server.socket.open();
  missing();
  mock.timers.tick(125);
  server.socket.refuse(server.socket.take("publish"), "UNAVAILABLE");
  reconnect();
  published(1);
  published(2);
  assert.deepEqual(await Promise.all(outcomes), [1, 2]);
  client.close();
});
