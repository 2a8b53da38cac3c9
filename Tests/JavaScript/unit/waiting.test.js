// Topics that are not there, or not yet: after a restart of a server in memory, or because nobody made them.

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

/** Takes a subscribe that may wait, and says that the topic is not there. */
function keepWaiting(members = {}) {
  const command = server.socket.take("subscribe", { wait: true, ...members });
  server.socket.ack(command, { waiting: true });
}

const inform = (topic, msg, members) => server.socket.say({ type: "info", topic, msg, ...members });

/** What listeners of a subscription hear, without its events. */
function heard(subscription) {
  const seen = [];
  for (const type of ["waiting", "topicCreated", "gap", "topicDeleted", "subscribed", "end"]) {
    subscription.on(type, () => seen.push(type));
  }
  return seen;
}

beforeEach(() => {
  server = FakeServer.withMockedTime();
  client = server.connected({ pingInterval: 0 });
});

test("A topic that is gone after a reconnect is waited for, and what it then has follows a gap", async () => {
  const subscription = client.subscribe("orders", { notices: true });
  const collected = collect(subscription);
  server.socket.subscribe({ wait: undefined }, { epoch: "e1", offset: 7 });
  server.socket.event("orders", 8);
  reconnect();
  keepWaiting({ since: { epoch: "e1", offset: 8 } });
  await turn();
  assert.deepEqual(offsets(collected.items), [8, "waiting"]);
  assert.deepEqual(collected.items[1], { type: "waiting", topic: "orders" });
  assert.deepEqual(subscription.position, { epoch: "e1", offset: 8 });
  inform("orders", "topic_created", { epoch: "e2" });
  inform("orders", "not_recovered", { epoch: "e2", offset: 0, recovered: false });
  server.socket.event("orders", 1);
  await turn();
  assert.deepEqual(offsets(collected.items), [8, "waiting", "gap", "topicCreated", 1]);
  assert.deepEqual(collected.items[2].position, { epoch: "e2", offset: 0 });
  assert.deepEqual(collected.items[3], {
    type: "topicCreated", topic: "orders", position: { epoch: "e2", offset: 0 },
  });
  assert.deepEqual(subscription.position, { epoch: "e2", offset: 1 });
  assert.equal(collected.ended, undefined);
  client.close();
});

test("A server that does not know of waiting is asked again with backoff", async () => {
  const subscription = client.subscribe("orders", { notices: true });
  const collected = collect(subscription);
  server.socket.subscribe();
  server.socket.event("orders", 1);
  reconnect();
  for (const delay of [125, 250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]) {
    server.socket.refuse(server.socket.take("subscribe", { since: { epoch: "e1", offset: 1 } }), "TOPIC_NOT_FOUND");
    mock.timers.tick(delay - 1);
    assert.equal(server.socket.sent.length, 0);
    mock.timers.tick(1);
  }
  server.socket.subscribe({ wait: true }, { epoch: "e2", offset: 0, recovered: false });
  server.socket.event("orders", 1);
  await turn();
  assert.deepEqual(offsets(collected.items), [1, "waiting", "gap", "topicCreated", 1]);
  client.close();
});

test("While it waits, reconnects are not told again, and none loses where it is", async () => {
  const collected = collect(client.subscribe("orders", { notices: true }));
  server.socket.subscribe();
  server.socket.event("orders", 3);
  for (let restart = 0; restart < 5; restart += 1) {
    reconnect();
    keepWaiting({ since: { epoch: "e1", offset: 3 } });
  }
  reconnect();
  server.socket.subscribe({ since: { epoch: "e1", offset: 3 } }, { epoch: "e2", offset: 0, recovered: false });
  server.socket.event("orders", 1);
  await turn();
  assert.deepEqual(offsets(collected.items), [3, "waiting", "gap", "topicCreated", 1]);
  client.close();
});

test("The first subscribe to a topic that is not there is an error, unless it may wait", async () => {
  await assert.rejects(async () => {
    const { ready } = client.subscribe("nowhere");
    server.socket.refuse(server.socket.take("subscribe", { wait: undefined }), "TOPIC_NOT_FOUND");
    await ready;
  }, { code: "TOPIC_NOT_FOUND" });
  for (const answer of [keepWaiting, () => server.socket.refuse(server.socket.take("subscribe"), "TOPIC_NOT_FOUND")]) {
    const subscription = client.subscribe("nowhere", { wait: true });
    const seen = heard(subscription);
    answer();
    await subscription.ready;
    assert.deepEqual(seen, ["waiting"]);
    assert.equal(subscription.position, undefined);
    subscription.close();
    server.socket.sent.length = 0;
  }
  client.close();
});

test("Nothing of a topic that was waited for is missed, even if it is made while the connection is away", async () => {
  for (const options of [{}, { lastN: 3 }, { since: "10m" }]) {
    const subscription = client.subscribe("orders", { wait: true, notices: true, ...options });
    const collected = collect(subscription);
    keepWaiting({ last_n: options.lastN, since: options.since });
    reconnect();
    server.socket.subscribe({ since: "all", last_n: undefined, wait: true }, { epoch: "e1", offset: 0 });
    for (const offset of [1, 2]) server.socket.event("orders", offset);
    reconnect();
    // What it had at once was more than it keeps.
    server.socket.subscribe({ since: { epoch: "e1", offset: 2 } }, { epoch: "e1", offset: 2, recovered: true });
    await turn();
    assert.deepEqual(offsets(collected.items), ["waiting", "topicCreated", 1, 2]);
    subscription.close();
    server.socket.sent.length = 0;
  }
  client.close();
});

test("What a topic that was waited for no longer keeps is a gap from its first offset", async () => {
  const collected = collect(client.subscribe("orders", { wait: true, notices: true }));
  keepWaiting();
  reconnect();
  server.socket.subscribe({ since: "all" }, { epoch: "e1", offset: 40 });
  server.socket.event("orders", 41);
  await turn();
  assert.deepEqual(offsets(collected.items), ["waiting", "gap", "topicCreated", 41]);
  assert.deepEqual(collected.items[1].missed, { from: 1, to: 40 });
  client.close();
});

test("A position of an earlier epoch is told as a gap when the topic comes, over reconnects too", async () => {
  for (const hasReconnect of [false, true]) {
    const since = { epoch: "e0", offset: 9 };
    const subscription = client.subscribe("orders", { wait: true, notices: true, since });
    const collected = collect(subscription);
    keepWaiting({ since });
    if (hasReconnect) {
      reconnect();
      server.socket.subscribe({ since, wait: true }, { epoch: "e1", offset: 0, recovered: false });
    } else {
      inform("orders", "not_recovered", { epoch: "e1", offset: 0, recovered: false });
      inform("orders", "topic_created", { epoch: "e1" });
    }
    server.socket.event("orders", 1);
    await turn();
    assert.deepEqual(offsets(collected.items), ["waiting", "gap", "topicCreated", 1]);
    subscription.close();
    server.socket.sent.length = 0;
  }
  client.close();
});

test("A deletion that is heard of ends a subscription, also one that waited after a reconnect", async () => {
  const collected = collect(client.subscribe("orders", { notices: true }));
  server.socket.subscribe();
  reconnect();
  keepWaiting();
  inform("orders", "topic_created", { epoch: "e2" });
  server.socket.event("orders", 1);
  inform("orders", "topic_deleted");
  await collected.done;
  assert.deepEqual(offsets(collected.items), ["waiting", "gap", "topicCreated", 1, "topicDeleted"]);
  // The server was asked to wait, and would go on with it.
  server.socket.take("unsubscribe", { topic: "orders" });
  client.close();
});

test("With `wait`, a deletion that is heard of is told, and waited over", async () => {
  for (const answer of [
    () => {
      keepWaiting({ since: "all" });
      inform("orders", "topic_created", { epoch: "e2" });
      server.socket.knowsWaiting = true;
    },
    () => {
      server.socket.refuse(server.socket.take("subscribe"), "TOPIC_NOT_FOUND");
      mock.timers.tick(125);
      server.socket.subscribe({ since: "all", wait: true }, { epoch: "e2", offset: 0 });
    },
    () => {
      reconnect(1000, "TOPIC_DELETED");
      server.socket.subscribe({ since: "all", wait: true }, { epoch: "e2", offset: 0 });
    },
  ]) {
    client.close();
    server = new FakeServer();
    client = server.connected({ pingInterval: 0 });
    const since = { epoch: "e1", offset: 0 };
    const subscription = client.subscribe("orders", { wait: true, notices: true, since });
    const collected = collect(subscription);
    server.socket.subscribe({ wait: true, since }, { ...since, recovered: true });
    server.socket.event("orders", 1);
    inform("orders", "topic_deleted");
    answer();
    server.socket.event("orders", 1);
    await turn();
    assert.deepEqual(offsets(collected.items), [1, "topicDeleted", "waiting", "topicCreated", 1]);
    assert.deepEqual(subscription.position, { epoch: "e2", offset: 1 });
    inform("orders", "topic_deleted");
    // Once a server is known to go on by itself, nothing is asked that could cross with what it says.
    assert.equal(server.socket.sent.length, server.socket.knowsWaiting ? 0 : 1);
    if (server.socket.knowsWaiting) {
      inform("orders", "topic_created", { epoch: "e3" });
      server.socket.event("orders", 1);
      await turn();
      assert.deepEqual(offsets(collected.items.slice(5)), ["topicDeleted", "waiting", "topicCreated", 1]);
    }
    subscription.close();
    server.socket.sent.length = 0;
  }
  client.close();
});

test("Where it left a full buffer's topic on the same connection, a topic that is gone was deleted", async () => {
  const subscription = client.subscribe("orders", { buffer: 1, notices: true });
  server.socket.subscribe();
  for (const offset of [1, 2]) server.socket.event("orders", offset);
  server.socket.take("unsubscribe");
  const collected = collect(subscription);
  await turn();
  server.socket.refuse(server.socket.take("subscribe", { wait: undefined }), "TOPIC_NOT_FOUND");
  await collected.done;
  assert.deepEqual(offsets(collected.items), [1, "gap", "topicDeleted"]);
  client.close();
});

test("Listeners hear of waiting at once, without anybody who takes events", () => {
  const subscription = client.subscribe("orders");
  const seen = heard(subscription);
  server.socket.subscribe();
  server.socket.event("orders", 1);
  reconnect();
  keepWaiting();
  inform("orders", "topic_created", { epoch: "e2" });
  assert.deepEqual(seen, ["subscribed", "waiting", "topicCreated", "subscribed"]);
  client.close();
});

test("Where nobody takes events, the end and the notices before it are told at once", async () => {
  const subscription = client.subscribe("orders", { notices: true });
  const seen = heard(subscription);
  server.socket.subscribe();
  server.socket.event("orders", 1);
  inform("orders", "topic_deleted");
  assert.deepEqual(seen, ["subscribed", "topicDeleted", "end"]);
  const collected = collect(subscription);
  await collected.done;
  assert.deepEqual(offsets(collected.items), [1, "topicDeleted"]);
  assert.deepEqual(seen, ["subscribed", "topicDeleted", "end"]);
  client.close();
});

test("A loop that is busy gets the end after its events, and listeners then", async () => {
  const subscription = client.subscribe("orders");
  const seen = heard(subscription);
  const loop = subscription[Symbol.asyncIterator]();
  server.socket.subscribe();
  for (const offset of [1, 2]) server.socket.event("orders", offset);
  assert.equal((await loop.next()).value.offset, 1);
  inform("orders", "topic_deleted");
  assert.deepEqual(seen, ["subscribed"]);
  assert.equal((await loop.next()).value.offset, 2);
  assert.equal((await loop.next()).done, true);
  assert.deepEqual(seen, ["subscribed", "topicDeleted", "end"]);
  client.close();
});

test("A subscription that waits can be closed, and leaves nothing behind", () => {
  const polled = client.subscribe("a", { wait: true });
  server.socket.refuse(server.socket.take("subscribe"), "TOPIC_NOT_FOUND");
  polled.close();
  const told = client.subscribe("b", { wait: true });
  keepWaiting();
  told.close();
  server.socket.take("unsubscribe", { topic: "b" });
  mock.timers.tick(1_000);
  assert.equal(server.socket.sent.length, 0);
  inform("b", "topic_created", { epoch: "e1" });
  client.close();
});

test("Closing from a listener of the news leaves nothing behind", () => {
  const closed = client.subscribe("orders", { wait: true });
  closed.on("waiting", () => closed.close());
  server.socket.subscribe();
  inform("orders", "topic_deleted");
  assert.deepEqual(server.socket.sent.splice(0).map((command) => command.type), ["unsubscribe"]);

  const cases = [["waiting", 1], ["waiting", 2], ["topicCreated", 1], ["topicDeleted", 1], ["subscribed", 2]];
  for (const [type, nth] of cases) {
    let count = 0;
    const { socket } = server;
    const subscription = client.subscribe("orders", { wait: true });
    subscription.on("event", () => {});
    subscription.on(type, () => { if ((count += 1) === nth) subscription.close(); });
    keepWaiting();
    for (const epoch of ["e1", "e2"]) {
      inform("orders", "topic_created", { epoch });
      inform("orders", "topic_deleted");
    }
    // Nothing is asked for again after that, and a subscription of the same topic finds its place.
    const types = socket.sent.splice(0).map((command) => command.type);
    assert.deepEqual(types, ["unsubscribe"], `${type} ${nth}`);
    mock.timers.tick(60_000);
    assert.equal(socket.sent.length, 0);
    subscription.close();
    socket.sent.length = 0;
    client.subscribe("orders").close();
    assert.equal(server.sockets.length, 1);
    socket.sent.length = 0;
  }
  client.close();
});

test("However often the topic comes and goes, an idle consumer's buffer is bounded", async () => {
  for (const options of [{}, { wait: true }]) {
    const subscription = client.subscribe("orders", { buffer: 5, notices: true, ...options });
    server.socket.subscribe();
    for (let restart = 0; restart < 50; restart += 1) {
      const { socket } = server;
      if (options.wait) {
        inform("orders", "topic_deleted");
        if (socket.sent.length > 0 && socket.sent[0].type === "subscribe") keepWaiting();
      } else {
        reconnect();
        if (server.socket.sent.length > 0) keepWaiting();
      }
      inform("orders", "topic_created", { epoch: `e${restart + 2}` });
    }
    const collected = collect(subscription);
    await turn();
    assert.ok(collected.items.length <= 5 + 3, `${collected.items.length} items`);
    subscription.close();
    await collected.done;
    server.socket.sent.length = 0;
  }
  client.close();
});

test("A pattern never waits: it hears of what is made", async () => {
  const collected = collect(client.subscribe("a.*", { wait: true, notices: true }));
  server.socket.subscribe({ wait: undefined }, {});
  inform("a.b", "topic_created", { epoch: "e1" });
  reconnect();
  server.socket.subscribe({ wait: undefined }, {});
  await turn();
  assert.deepEqual(offsets(collected.items), ["gap"]);
  client.close();
});
