import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeServer, collect, offsets, turn } from "../support/FakeServer.js";
import { chosenSeed, random } from "../support/random.js";

test("What is no message is reported, and the client goes on", async () => {
  const server = new FakeServer();
  const client = server.connected();
  const collected = collect(client.subscribe("orders"));
  const reported = [];
  client.on("error", (error) => reported.push(error.code));
  server.socket.subscribe();
  const broken = [
    "", "{", "null", "7", "[]", "\"text\"", "{}", "{\"type\":5}", "{\"type\":\"strange\"}", "\u0000",
    { type: "event", topic: "orders", offset: 1 }, { type: "event", topic: "orders", message: 7, offset: 1 },
    { type: "event", topic: "orders", message: {}, offset: "1" }, { type: "event", topic: "orders", message: {} },
    { type: "error" }, { type: "error", error: null }, { type: "error", error: { code: 7, message: [] } },
  ];
  for (const message of broken) server.socket.say(message);
  server.socket.onmessage({ data: new ArrayBuffer(3) });
  server.socket.onmessage({ data: undefined });
  assert.deepEqual(reported, [...Array(14).fill("MALFORMED"), ...Array(3).fill("INTERNAL"), "MALFORMED", "MALFORMED"]);
  server.socket.event("orders", 1);
  await turn();
  assert.deepEqual(offsets(collected.items), [1]);
  assert.equal(client.state, "open");
  client.close();
});

test("Nothing that a server can say makes it throw", async () => {
  const seed = chosenSeed();
  const pick = random(seed);
  const odd = [null, true, 0, -1, 1.5, 1e300, "", "orders", "a.b", "a.*", ">", "e1", "__proto__", [], {}, undefined,
    { from: 1, to: "2" }, { id: 3 }, { id: "x", payload: 1 }, { code: "TOPIC_NOT_FOUND" }, { code: "RATE_LIMITED" }];
  const words = {
    type: ["event", "info", "ack", "error", "pong"],
    msg: ["messages_dropped", "topic_deleted", "topic_created", "not_recovered", "shutdown", "joined", "left",
      "slow_consumer_warning", "ping"],
    topic: ["orders", "a.b", "a.*"],
  };
  const names = ["type", "msg", "topic", "offset", "epoch", "message", "error", "recovered", "missed", "dropped",
    "from", "to", "key", "ts", "lag", "queue", "client_id", "reconnect_after_ms", "request_id", "count", "waiting"];
  for (let round = 0; round < 300; round += 1) {
    const server = new FakeServer();
    const client = server.connected({ pingInterval: 0 });
    const options = { buffer: 2, notices: true, wait: pick(2) === 0 };
    const loops = ["orders", "a.*", "a.b"].map((topic) => collect(client.subscribe(topic, options)));
    const outcome = client.publish("orders", 1).catch(() => {});
    for (const socket of server.sockets) {
      if (!socket.isOpen) socket.open();
      if (pick(2)) socket.subscribe({}, { epoch: "e1", offset: 0 });
    }
    const requests = server.sockets.flatMap((socket) => socket.sent.map((command) => command.request_id));
    for (let i = 0; i < 30 && client.state === "open"; i += 1) {
      const message = {};
      for (const name of names) {
        if (pick(3) === 0) continue;
        const known = words[name] ?? (name === "request_id" ? requests : undefined);
        message[name] = known && pick(4) ? known[pick(known.length)] : odd[pick(odd.length)];
      }
      const socket = server.sockets[pick(server.sockets.length)];
      if (!socket.isOpen) continue;
      try {
        if (pick(30) === 0) socket.drop(1009);
        else socket.say(message);
      } catch (error) {
        assert.fail(`seed ${seed}, said ${JSON.stringify(message)}: ${error.stack}`);
      }
      if (pick(4) === 0) await turn();
    }
    client.close();
    await Promise.all([outcome, ...loops.map((loop) => loop.done)]);
  }
});
