// Commands that are larger than the server takes: it closes the connection, and does not say for which.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { FakeServer, collect, offsets, turn } from "../support/FakeServer.js";

let server;

function tooBig() {
  server.socket.drop(1009, "MESSAGE_TOO_BIG");
  mock.timers.tick(250);
  server.socket.open();
}

const text = (length) => "x".repeat(length);
const settled = (outcome) => outcome.then(({ offset }) => offset, ({ code }) => code);

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  server = new FakeServer();
});

test("A publish that is too large fails alone, whatever else is on its way", async () => {
  const client = server.connected();
  const collected = collect(client.subscribe("orders"));
  server.socket.subscribe();
  const outcomes = [text(10), text(2_000), text(20)].map((payload) => settled(client.publish("orders", payload)));
  server.socket.ack(server.socket.take("publish"), { offset: 1 });
  server.socket.event("orders", 1);
  tooBig();
  assert.equal(await outcomes[1], "MESSAGE_TOO_BIG");
  server.socket.subscribe({ since: { epoch: "e1", offset: 1 } }, { epoch: "e1", offset: 1, recovered: true });
  const { message } = server.socket.sent[0];
  assert.equal(message.payload.length, 20);
  server.socket.ack(server.socket.take("publish"), { offset: 2 });
  server.socket.event("orders", 2);
  await turn();
  assert.deepEqual([await outcomes[0], await outcomes[2]], [1, 2]);
  assert.deepEqual(offsets(collected.items), [1, 2]);
  assert.equal(client.state, "open");
  client.close();
});

test("Of several that are too large each fails, and none that is not", async () => {
  const client = server.connected();
  const sizes = [5_000, 10, 3_000, 3_000, 4_000, 900, 1_001];
  const outcomes = sizes.map((size) => settled(client.publish(`t${size}`, text(size))));
  // A server that takes 1,100 bytes.
  for (let round = 0; round < 10 && server.socket.sent.length > 0; round += 1) {
    const { socket } = server;
    while (socket.isOpen && socket.sent.length > 0) {
      const { length } = JSON.stringify(socket.sent[0]);
      if (length > 1_100) tooBig();
      else socket.ack(socket.take("publish"), { offset: length });
    }
  }
  const codes = (await Promise.all(outcomes)).map((outcome) => (outcome === "MESSAGE_TOO_BIG" ? "big" : "taken"));
  assert.deepEqual(codes, ["big", "taken", "big", "big", "big", "taken", "big"]);
  client.close();
});

test("The size counts in bytes", async () => {
  const client = server.connected();
  const outcomes = [client.publish("orders", text(1_500)), client.publish("orders", "☃".repeat(1_000))].map(settled);
  tooBig();
  assert.equal(await outcomes[1], "MESSAGE_TOO_BIG");
  server.socket.ack(server.socket.take("publish"), { offset: 1 });
  assert.equal(await outcomes[0], 1);
  client.close();
});

test("What is as large is refused without the connection, until that is lost for another reason", async () => {
  const client = server.connected();
  const first = settled(client.publish("orders", text(2_000)));
  tooBig();
  assert.equal(await first, "MESSAGE_TOO_BIG");
  assert.equal(await settled(client.publish("orders", text(2_001))), "MESSAGE_TOO_BIG");
  assert.equal(await settled(client.publishBatch("orders", [text(1_000), text(1_001)])), "MESSAGE_TOO_BIG");
  assert.equal(server.socket.sent.length, 0);
  const smaller = settled(client.publish("orders", text(1_000)));
  server.socket.ack(server.socket.take("publish"), { offset: 1 });
  assert.equal(await smaller, 1);
  // Another server may take more.
  server.socket.drop();
  mock.timers.tick(250);
  server.socket.open();
  const again = settled(client.publish("orders", text(2_000)));
  server.socket.ack(server.socket.take("publish"), { offset: 2 });
  assert.equal(await again, 2);
  client.close();
});

test("A subscribe that is too large fails alone, too", async () => {
  const client = server.connected();
  const errors = [];
  client.on("error", (error) => errors.push(error.code));
  const outcome = settled(client.publish("orders", text(100)));
  const [long, short] = [text(3_000), "orders"].map((topic) => client.subscribe(topic));
  tooBig();
  await assert.rejects(long.ready, { code: "MESSAGE_TOO_BIG" });
  server.socket.subscribe({ topic: "orders" });
  await short.ready;
  server.socket.ack(server.socket.take("publish"), { offset: 1 });
  assert.equal(await outcome, 1);
  assert.deepEqual(errors, ["MESSAGE_TOO_BIG"]);
  // On a connection of its own, that goes with it.
  const other = client.subscribe("orders", { clientId: text(3_000) });
  server.socket.open();
  server.socket.drop(1009, "MESSAGE_TOO_BIG");
  await assert.rejects(other.ready, { code: "MESSAGE_TOO_BIG" });
  mock.timers.tick(60_000);
  assert.equal(server.sockets.length, 3);
  client.close();
});

test("Where no command can be meant, the close is final", async () => {
  for (const begin of [() => {}, () => mock.timers.tick(20_000)]) {
    const client = server.connected();
    begin();
    server.socket.drop(1009, "MESSAGE_TOO_BIG");
    assert.equal(client.state, "closed");
  }
  const client = server.client({ apiKey: text(3_000) });
  client.publish("orders", 1).catch(() => {});
  server.socket.open();
  server.socket.drop(1009, "MESSAGE_TOO_BIG");
  assert.equal(client.state, "closed");
});

test("A client that is closed from the refusal stays closed", async () => {
  const client = server.connected();
  client.on("error", () => client.close());
  const subscription = client.subscribe(text(2_000));
  server.socket.drop(1009, "MESSAGE_TOO_BIG");
  await assert.rejects(subscription.ready, { code: "MESSAGE_TOO_BIG" });
  mock.timers.tick(60_000);
  assert.equal(client.state, "closed");
  assert.equal(server.sockets.length, 1);
});
