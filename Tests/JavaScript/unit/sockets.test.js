// With the platform's own WebSocket.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { Apus } from "../support/FakeServer.js";
import { MiniServer } from "../support/MiniServer.js";
import { chosenSeed, random } from "../support/random.js";

const OPTIONS = { minDelay: 5, maxDelay: 20 };

const state = (client, wanted) => new Promise((resolve) => {
  const off = client.on("state", (change) => {
    if (change.state !== wanted) return;
    off();
    resolve(change);
  });
});

test("Cut again and again, every message arrives once and in order, and every publish resolves", async () => {
  const seed = chosenSeed();
  const pick = random(seed);
  const server = await new MiniServer({ history: 10_000 }).start();
  const publisher = new Apus(server.url, OPTIONS);
  const readers = [1, 10, 1_000].map((buffer) =>
    ({ client: new Apus(server.url, OPTIONS), buffer, seen: [], notices: 0 }));
  const total = 600;
  const reading = readers.map(async (reader) => {
    const since = { epoch: "epoch-orders", offset: 0 };
    const subscription = reader.client.subscribe("orders", { buffer: reader.buffer, since });
    for (const type of ["gap", "dropped"]) subscription.on(type, () => { reader.notices += 1; });
    for await (const event of subscription) {
      reader.seen.push(event.offset);
      if (event.offset === total) break;
      if (pick(20) === 0) await new Promise((resolve) => { setTimeout(resolve, pick(5)); });
    }
  });
  const outcomes = [];
  for (let number = 0; number < total; number += 1) {
    outcomes.push(publisher.publish("orders", number));
    if (pick(20) === 0) await new Promise((resolve) => { setTimeout(resolve, pick(10)); });
    if (pick(25) === 0) server.cut();
  }
  const published = await Promise.all(outcomes);
  await Promise.all(reading);
  const expected = Array.from({ length: total }, (_, i) => i + 1);
  assert.deepEqual(published.map((outcome) => outcome.offset), expected, `publishes, seed ${seed}`);
  for (const { seen, notices, buffer } of readers) {
    assert.deepEqual(seen, expected, `buffer ${buffer}, seed ${seed}`);
    assert.equal(notices, 0, `seed ${seed}`);
  }
  for (const { client } of readers) client.close();
  publisher.close();
  server.stop();
});

for (const knowsWait of [true, false]) {
  const kind = knowsWait ? "one that knows of waiting" : "one that does not";
  test(`Restarted again and again, ${kind}: what is published when the topic is back arrives once`, async () => {
    const seed = chosenSeed();
    const pick = random(seed);
    const pause = (below) => new Promise((resolve) => { setTimeout(resolve, pick(below)); });
    const server = await new MiniServer({ history: 10_000, makesTopics: false, knowsWait }).start();
    server.create("orders", "epoch-0");
    const publisher = new Apus(server.url, OPTIONS);
    const readers = [{ buffer: 3 }, {}, { wait: true }].map((options) => {
      const reader = { client: new Apus(server.url, OPTIONS), epochs: new Map(), order: [] };
      reader.subscription = reader.client.subscribe("orders", { notices: true, ...options });
      return reader;
    });
    await Promise.all(readers.map(({ subscription }) => subscription.ready));
    const restarts = 8;
    const reading = readers.map(async (reader) => {
      for await (const item of reader.subscription) {
        if (item.type !== "event") reader.order.push(item.type);
        if (item.type !== "event") continue;
        const { epoch, offset } = item.position;
        reader.epochs.set(epoch, [...reader.epochs.get(epoch) ?? [], offset]);
        if (epoch === `epoch-${restarts}` && item.payload === "last") break;
        if (pick(10) === 0) await pause(3);
      }
    });
    const outcomes = [];
    for (let restart = 0; restart <= restarts; restart += 1) {
      for (let number = 0; number < 40; number += 1) {
        outcomes.push(publisher.publish("orders", `${restart}-${number}`));
        if (pick(10) === 0) await pause(5);
        if (pick(40) === 0) server.cut();
      }
      if (restart === restarts) break;
      server.restart();
      await pause(40);
      server.create("orders", `epoch-${restart + 1}`);
    }
    outcomes.push(publisher.publish("orders", "last"));
    const published = await Promise.all(outcomes);
    await Promise.all(reading);
    // All go to one epoch after the other, in the order of the calls.
    const places = published.map(({ epoch, offset }) => Number(epoch.slice(6)) * 1_000 + offset);
    assert.deepEqual(places, places.toSorted((a, b) => a - b), `publishes, seed ${seed}`);
    for (const [i, { epochs, order }] of readers.entries()) {
      for (const [epoch, seen] of epochs) {
        const whole = Array.from({ length: seen.length }, (_, index) => index + 1);
        assert.deepEqual(seen, whole, `reader ${i}, ${epoch}, seed ${seed}`);
      }
      assert.equal(epochs.get(`epoch-${restarts}`).length, server.topic("orders").last, `reader ${i}, seed ${seed}`);
      assert.ok(order.filter((type) => type === "gap").length >= epochs.size - 1, `reader ${i}, seed ${seed}`);
      assert.equal(order.includes("topicDeleted"), false);
    }
    for (const { client } of [{ client: publisher }, ...readers]) client.close();
    server.stop();
  });
}

test("Bytes that are no WebSocket end the connection, not the client", async () => {
  const garbage = [
    Buffer.from("HTTP/1.1 200 OK\r\n\r\nhello"), Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.from([0x83, 0x01, 0x00]),
    Buffer.from([0x81, 0x02, 0xc3, 0x28]), Buffer.from([0x89, 0x7e, 0x01, 0x00]), Buffer.from([0x88, 0x01, 0x03]),
    Buffer.from([0x81, 0x85, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
  ];
  for (const bytes of garbage) {
    const server = await new MiniServer({ onConnection: (connection) => connection.socket.write(bytes) }).start();
    const client = new Apus(server.url, OPTIONS);
    const { delay } = await state(client, "waiting");
    assert.ok(delay >= 0);
    client.close();
    server.stop();
  }
});

test("Where nobody answers, it goes on trying", async () => {
  const server = await new MiniServer().start();
  server.stop();
  const client = new Apus(server.url, OPTIONS);
  for (let attempt = 0; attempt < 3; attempt += 1) await state(client, "waiting");
  const outcome = client.publish("a", 1);
  client.close();
  await assert.rejects(outcome, { code: "CLOSED" });
});

test("A server that takes the connection and says nothing is given up", async () => {
  const sockets = [];
  const server = createServer((socket) => sockets.push(socket.on("error", () => {})));
  await new Promise((resolve) => { server.listen(0, "127.0.0.1", resolve); });
  const client = new Apus(`ws://127.0.0.1:${server.address().port}`, { ...OPTIONS, connectTimeout: 50 });
  assert.equal((await state(client, "waiting")).reason, "CONNECT_TIMEOUT");
  client.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});
