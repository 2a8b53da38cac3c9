import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Apus, FakeServer } from "../support/FakeServer.js";

const [A, B, C] = ["ws://a/ws", "ws://b/ws", "ws://c/ws"];
let server;
let states;

function watched(urls, options = { minDelay: 100, maxDelay: 1_000 }) {
  const client = server.client(options, urls);
  states = [];
  client.on("state", (change) => states.push(change));
  return client;
}

/** Ends the connection, or the attempt at one; the delay before the next one, which then begins. */
function lost(code, reason) {
  server.socket.drop(code, reason);
  const { delay } = states.findLast(({ state }) => state === "waiting");
  mock.timers.tick(delay);
  return delay;
}

beforeEach(() => {
  server = FakeServer.withMockedTime();
});

test("All servers are tried in their order before the client waits, and it counts such rounds", () => {
  const client = watched(["http://a", new URL("http://b"), "http://c"]);
  const seen = [];
  for (let attempt = 0; attempt < 9; attempt += 1) seen.push([server.socket.url, lost()]);
  const rounds = [50, 100, 200].map((delay) => [[A, 0], [B, 0], [C, delay]]);
  assert.deepEqual(seen, rounds.flat());
  client.close();
});

test("The next server is used when one goes away, with the position, and it stays there", () => {
  const client = watched([A, B]);
  server.socket.open();
  const items = [];
  const subscription = client.subscribe("orders");
  for (const type of ["event", "gap"]) subscription.on(type, (item) => items.push([type, item.payload ?? item.missed]));
  server.socket.subscribe();
  server.socket.event("orders", 1);
  server.socket.say({ type: "info", msg: "shutdown", reconnect_after_ms: 700 });
  assert.equal(lost(1001, "SHUTDOWN"), 700);
  assert.equal(server.socket.url, B);
  assert.equal(client.url, B);
  server.socket.open();
  // It has messages of its own.
  server.socket.subscribe({ since: { epoch: "e1", offset: 1 } }, { epoch: "e2", offset: 0, recovered: false });
  server.socket.event("orders", 1, "other");
  return Promise.resolve().then(() => {
    assert.deepEqual(items, [["event", 1], ["gap", undefined], ["event", "other"]]);
    // One that only breaks is asked again, and what goes away counts as tried.
    assert.equal(lost(1006), 50);
    assert.equal(server.socket.url, B);
    server.socket.open();
    lost(1013, "OVERLOADED");
    assert.equal(server.socket.url, A);
    assert.ok(lost() > 0);
    assert.equal(server.socket.url, B);
    client.close();
  });
});

test("All connections of a client move on together, and once", () => {
  const client = watched([A, B, C]);
  server.socket.open();
  client.subscribe("orders.*");
  client.subscribe("orders.eu");
  assert.equal(server.sockets.length, 2);
  server.socket.open();
  for (const socket of [...server.sockets]) socket.drop(1001, "SHUTDOWN");
  mock.timers.tick(1_000);
  assert.deepEqual(server.sockets.slice(2).map(({ url }) => url), [B, B]);
  client.close();
});

test("A wrong credential, and a token that is not to be had, are no reason for another server", async () => {
  const client = watched([A, B], { apiKey: "wrong" });
  server.socket.open();
  server.socket.refuse(server.socket.take("auth"), "UNAUTHORIZED");
  assert.equal(client.state, "closed");
  const other = watched([A, B], { token: () => { throw new Error("away"); } });
  await new Promise((resolve) => { setImmediate(resolve); });
  assert.equal(other.state, "waiting");
  assert.equal(other.url, A);
  other.close();
});

test("A list without a server, or with something else, is refused", () => {
  assert.throws(() => new Apus([], { WebSocket: server.WebSocket }), TypeError);
  assert.throws(() => new Apus([A, "ftp://b"], { WebSocket: server.WebSocket }), TypeError);
});
