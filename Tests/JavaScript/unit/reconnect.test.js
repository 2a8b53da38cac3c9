import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Apus, FakeServer, collect } from "../support/FakeServer.js";

let server;
let states;

function watched(options) {
  const client = server.client(options);
  states = [];
  client.on("state", (change) => states.push(change));
  return client;
}

beforeEach(() => {
  server = FakeServer.withMockedTime();
});

test("Addresses of the server become those of its WebSocket", () => {
  const addresses = {
    "http://host:8080": "ws://host:8080/ws",
    "https://host": "wss://host/ws",
    "https://host/v1": "wss://host/v1/ws",
    "https://host/v1/": "wss://host/v1/ws",
    "ws://host:8080/ws": "ws://host:8080/ws",
    "wss://host/v1/ws": "wss://host/v1/ws",
    "ws://host": "ws://host/ws",
  };
  for (const [address, expected] of Object.entries(addresses)) {
    server.client({}, address).close();
    assert.equal(server.socket.url, expected);
  }
  for (const address of ["ftp://host", "host:8080", "localhost", "", "http://"]) {
    assert.throws(() => server.client({}, address), { name: "TypeError", message: /^not an address of a server/ });
  }
});

test("What is missing for a client is said", (t) => {
  const message = 'the address of the server is missing: new Apus("http://localhost:8080")';
  const address = { name: "TypeError", message };
  assert.throws(() => new Apus(), address);
  assert.throws(() => new Apus(undefined, { WebSocket: server.WebSocket }), address);
  // A page that is a file.
  globalThis.location = { origin: "null", href: "file:///home/me/page.html" };
  t.after(() => delete globalThis.location);
  assert.throws(() => new Apus(), address);
  globalThis.location = { origin: "https://host", href: "https://host/page" };
  new Apus(undefined, { WebSocket: server.WebSocket }).close();
  assert.equal(server.socket.url, "wss://host/ws");
  new Apus("/v1", { WebSocket: server.WebSocket }).close();
  assert.equal(server.socket.url, "wss://host/v1/ws");
  const socket = { name: "TypeError", message: /^there is no WebSocket here/ };
  assert.throws(() => new Apus("ws://host", { WebSocket: undefined }), socket);
});

test("The backoff doubles, has full jitter, ends at its maximum, and starts over after a connection", () => {
  const client = watched({ minDelay: 100, maxDelay: 1_000 });
  const delays = [];
  for (let attempt = 0; attempt < 6; attempt += 1) {
    server.socket.drop();
    delays.push(states.at(-1).delay);
    mock.timers.tick(delays.at(-1) - 1);
    assert.equal(client.state, "waiting");
    mock.timers.tick(1);
    assert.equal(client.state, "connecting");
  }
  assert.deepEqual(delays, [50, 100, 200, 400, 500, 500]);
  server.socket.open();
  server.socket.drop();
  assert.equal(states.at(-1).delay, 50);
  client.close();
});

test("It comes back, or not, as the table of close codes says", () => {
  const rows = [
    [1001, "SHUTDOWN", true], [1002, "PROTOCOL_ERROR", false], [1003, "", false], [1007, "INVALID_UTF8", false],
    [1008, "SLOW_CONSUMER", true], [1008, "RATE_LIMITED", true], [1008, "NO_PONG", true],
    [1008, "UNAUTHORIZED", false], [1008, "FORBIDDEN", false], [1008, "", false],
    [1009, "MESSAGE_TOO_BIG", false], [1013, "OVERLOADED", true], [1006, "", true], [1011, "", true], [1012, "", true],
  ];
  for (const [code, reason, comesBack] of rows) {
    const client = watched();
    server.socket.open();
    server.socket.drop(code, reason);
    assert.equal(client.state, comesBack ? "waiting" : "closed", `${code} ${reason}`);
    if (!comesBack) assert.equal(states.at(-1).error.code, reason || `CLOSE_${code}`);
    client.close();
  }
});

test("A final close rejects publications and fails loops with its reason", async () => {
  const client = watched();
  server.socket.open();
  const outcome = client.publish("a", 1);
  const collected = collect(client.subscribe("a"));
  server.socket.drop(1007, "INVALID_UTF8");
  await assert.rejects(outcome, { code: "INVALID_UTF8" });
  await collected.done;
  assert.equal(collected.ended.code, "INVALID_UTF8");
});

test("A deleted topic's close: back for the other subscriptions, otherwise only when there is something to do", () => {
  const client = watched();
  server.socket.open();
  client.subscribe("a");
  client.subscribe("b");
  const deleted = (topic) => {
    server.socket.say({ type: "info", topic, msg: "topic_deleted" });
    server.socket.drop(1000, "TOPIC_DELETED");
    mock.timers.tick(60_000);
  };
  for (const topic of ["a", "b"]) server.socket.subscribe({ topic });
  deleted("a");
  assert.equal(server.sockets.length, 2);
  server.socket.open();
  server.socket.subscribe({ topic: "b" });
  deleted("b");
  assert.equal(server.sockets.length, 2);
  assert.equal(client.state, "idle");
  client.publish("c", 1).catch(() => {});
  assert.equal(server.sockets.length, 3);
  client.close();
});

test("A client that was cut for its own behaviour does not start over with each connection", () => {
  const client = watched({ minDelay: 100 });
  const cut = (code, reason) => {
    server.socket.drop(code, reason);
    const { delay } = states.at(-1);
    mock.timers.tick(delay);
    server.socket.open();
    return delay;
  };
  server.socket.open();
  assert.deepEqual([cut(1008, "SLOW_CONSUMER"), cut(1008, "SLOW_CONSUMER"), cut(1013, "OVERLOADED")], [50, 100, 200]);
  mock.timers.tick(10_001);
  assert.equal(cut(1008, "SLOW_CONSUMER"), 50);
  client.close();
});

test("A shutdown assigns the delay, once", () => {
  const client = watched({ minDelay: 100 });
  server.socket.open();
  server.socket.say({ type: "info", msg: "shutdown", reconnect_after_ms: 7_321 });
  server.socket.drop(1001, "SHUTDOWN");
  assert.equal(states.at(-1).delay, 7_321);
  mock.timers.tick(7_321);
  server.socket.drop();
  assert.equal(states.at(-1).delay, 50);
  client.close();
});

test("A delay without measure is cut to one with", () => {
  const client = watched();
  server.socket.open();
  server.socket.say({ type: "info", msg: "shutdown", reconnect_after_ms: 1e300 });
  server.socket.drop(1001, "SHUTDOWN");
  assert.equal(states.at(-1).delay, 600_000);
  client.close();
});

test("The key is the first message, and nothing else goes out before its ack", () => {
  const client = watched({ apiKey: "secret" });
  client.subscribe("a");
  client.publish("a", 1).catch(() => {});
  server.socket.open();
  const auth = server.socket.take("auth", { api_key: "secret" });
  assert.equal(server.socket.sent.length, 0);
  assert.equal(client.state, "connecting");
  server.socket.ack(auth);
  assert.equal(client.state, "open");
  server.socket.take("subscribe");
  server.socket.take("publish");
  assert.ok(!server.socket.url.includes("secret"));
  client.close();
});

test("A wrong key is final, one that is not asked for does no harm", () => {
  const wrong = watched({ apiKey: "wrong" });
  server.socket.open();
  server.socket.refuse(server.socket.take("auth"), "UNAUTHORIZED");
  assert.equal(wrong.state, "closed");
  assert.equal(states.at(-1).error.code, "UNAUTHORIZED");

  const needless = watched({ apiKey: "needless" });
  server.socket.open();
  server.socket.refuse(server.socket.take("auth"), "BAD_REQUEST");
  assert.equal(needless.state, "open");
  needless.close();
});

test("A connection that is not made in time is given up", () => {
  const client = watched({ connectTimeout: 1_000 });
  const hanging = server.socket;
  mock.timers.tick(1_000);
  assert.ok(hanging.isClosedByClient);
  assert.deepEqual(states.at(-1), { state: "waiting", delay: 125, code: 1006, reason: "CONNECT_TIMEOUT" });
  // What it says afterwards counts no more.
  hanging.open();
  hanging.drop(1009);
  assert.equal(client.state, "waiting");
  client.close();
});

test("A connection that is silent although asked is given up", () => {
  const client = watched({ pingInterval: 1_000 });
  server.socket.open();
  for (let i = 0; i < 5; i += 1) {
    mock.timers.tick(1_000);
    server.socket.say({ type: "pong", request_id: server.socket.take("ping").request_id });
  }
  mock.timers.tick(2_000);
  assert.equal(client.state, "open");
  mock.timers.tick(1_000);
  assert.equal(client.state, "waiting");
  assert.equal(states.at(-1).reason, "NO_PONG");
  client.close();
});

test("A connection that takes what is sent is not silent", () => {
  const client = watched({ pingInterval: 1_000 });
  server.socket.open();
  for (let left = 20; left > 0; left -= 1) {
    server.socket.bufferedAmount = left;
    mock.timers.tick(1_000);
    assert.equal(client.state, "open");
  }
  mock.timers.tick(3_000);
  assert.equal(states.at(-1).reason, "NO_PONG");
  client.close();
});

test("Closing from a listener of the state leaves nothing behind", () => {
  for (const when of ["connecting", "open", "waiting"]) {
    const client = server.client();
    client.on("state", ({ state }) => { if (state === when) client.close(); });
    server.socket.open();
    if (client.state !== "closed") server.socket.drop();
    const { length } = server.sockets;
    mock.timers.tick(600_000);
    if (client.state !== "closed") server.socket.open();
    mock.timers.tick(600_000);
    assert.equal(client.state, "closed", when);
    assert.ok(server.sockets.length <= length + 1);
    assert.ok(!server.socket.isOpen);
  }
});
