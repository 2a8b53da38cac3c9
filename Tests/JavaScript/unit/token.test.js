// Tokens: where they go, when a provider is asked for another, and what ends a client.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { ApusError } from "../../../Sources/ApusServer/Resources/apus.js";
import { FakeServer, collect, turn } from "../support/FakeServer.js";

const TOKEN = "eyJh.eyJz.c2ln";
let server;
let states;
let errors;

function watched(options) {
  const client = server.client({ minDelay: 100, ...options });
  states = [];
  errors = [];
  client.on("state", (change) => states.push(change));
  client.on("error", (error) => errors.push(error));
  return client;
}

/** A provider that gives T1, T2, …, or what `answers` has for that call. */
function provider(answers = {}) {
  const give = ({ signal }) => {
    give.calls += 1;
    give.signal = signal;
    const answer = answers[give.calls] ?? `T${give.calls}`;
    if (answer instanceof Error) throw answer;
    return answer;
  };
  give.calls = 0;
  return give;
}

const offered = () => server.socket.options?.[1];
const expiring = (validity = 0) => server.socket.say({ type: "info", msg: "token_expiring", expires_in_ms: validity });

/** The delay to the next attempt, which is then made. */
async function next() {
  mock.timers.tick(states.at(-1).delay);
  await turn();
}

beforeEach(() => {
  server = FakeServer.withMockedTime();
});

test("A token goes into a subprotocol, or into a header where there are headers, and never into the address", () => {
  const client = watched({ token: TOKEN });
  assert.deepEqual(server.socket.options, ["apus", `bearer.${TOKEN}`]);
  server.socket.open();
  assert.equal(client.state, "open");
  assert.equal(server.socket.sent.length, 0);
  client.close();

  watched({ token: TOKEN, takesHeaders: true }).close();
  assert.deepEqual(server.socket.options, { headers: { Authorization: `Bearer ${TOKEN}` } });

  // What cannot be a subprotocol is the first message.
  const slashes = watched({ token: "a/b=" });
  assert.equal(server.socket.options, undefined);
  server.socket.open();
  server.socket.ack(server.socket.take("auth", { token: "a/b=", api_key: undefined }));
  assert.equal(slashes.state, "open");
  slashes.close();
  for (const { url } of server.sockets) assert.equal(url, "ws://fake/ws");
});

test("What can be no token is said at once", () => {
  for (const token of ["", " ", "a b", "a\n", 7, null, {}]) {
    assert.throws(() => server.client({ token }), { name: "TypeError", message: /^the token must be/ });
  }
  const both = { apiKey: "k", token: TOKEN };
  assert.throws(() => server.client(both), { name: "TypeError", message: "apiKey and token exclude each other" });
  assert.equal(server.sockets.length, 0);
});

test("After a handshake with a token failed, the first message has the token, so that a refusal is seen", () => {
  const client = watched({ token: TOKEN });
  server.socket.drop();
  mock.timers.tick(states.at(-1).delay);
  assert.equal(server.socket.options, undefined);
  server.socket.open();
  server.socket.ack(server.socket.take("auth", { token: TOKEN }));
  assert.equal(client.state, "open");
  // It was not the token: the next one is as the first.
  server.socket.drop();
  mock.timers.tick(states.at(-1).delay);
  assert.equal(offered(), `bearer.${TOKEN}`);
  server.socket.drop();
  mock.timers.tick(states.at(-1).delay);
  server.socket.open();
  server.socket.refuse(server.socket.take("auth"), "UNAUTHORIZED");
  assert.equal(client.state, "closed");
  assert.equal(states.at(-1).error.code, "UNAUTHORIZED");
  assert.equal(states.at(-1).error.message, "says UNAUTHORIZED");
});

test("With a token that stays the same, no close for it is worth another attempt", () => {
  for (const reason of ["TOKEN_EXPIRED", "REVOKED", "UNAUTHORIZED"]) {
    const client = watched({ token: TOKEN });
    server.socket.open();
    expiring();
    assert.equal(server.socket.sent.length, 0);
    server.socket.drop(1008, reason);
    assert.equal(client.state, "closed");
    assert.equal(states.at(-1).error.code, reason);
  }
  mock.timers.tick(60_000);
  assert.equal(server.sockets.length, 3);
});

test("A provider is asked before each connection, and may take its time", async () => {
  let give;
  const later = new Promise((resolve) => { give = resolve; });
  const token = provider({ 1: later });
  const client = watched({ token });
  const outcome = client.publish("a", 1);
  await turn();
  assert.equal(client.state, "connecting");
  assert.equal(server.sockets.length, 0);
  give("first");
  await turn();
  assert.equal(offered(), "bearer.first");
  server.socket.open();
  server.socket.ack(server.socket.take("publish"), { offset: 1 });
  assert.equal((await outcome).offset, 1);
  server.socket.drop();
  await next();
  assert.equal(offered(), "bearer.T2");
  assert.equal(token.calls, 2);
  client.close();
});

test("Connections that need a token at the same time share a call", async () => {
  const token = provider();
  const client = watched({ token });
  client.subscribe("a");
  client.subscribe("a");
  await turn();
  assert.deepEqual(server.sockets.map(({ options }) => options[1]), ["bearer.T1", "bearer.T1"]);
  assert.equal(token.calls, 1);
  client.close();
});

test("A token that expires is renewed on the open connection, while messages flow", async () => {
  const token = provider();
  const client = watched({ token, pingInterval: 0 });
  const collected = collect(client.subscribe("a"));
  await turn();
  const { socket } = server;
  socket.open();
  socket.subscribe();
  mock.timers.tick(60_000);
  socket.event("a", 1);
  expiring(30_000);
  expiring(29_000);
  await turn();
  const auth = socket.take("auth", { token: "T2", api_key: undefined });
  assert.deepEqual([socket.sent.length, token.calls], [0, 2]);
  socket.event("a", 2);
  socket.ack(auth);
  socket.event("a", 3);
  await turn();
  assert.deepEqual(collected.items.map(({ offset }) => offset), [1, 2, 3]);
  mock.timers.tick(60_000);
  expiring(30_000);
  await turn();
  socket.take("auth", { token: "T3" });
  assert.deepEqual([server.sockets.length, errors.length, client.state], [1, 0, "open"]);
  client.close();
});

test("A token that is announced as soon as it came is renewed when half of it is over", async () => {
  const token = provider();
  const client = watched({ token, pingInterval: 0 });
  await turn();
  server.socket.open();
  for (const call of [2, 3]) {
    expiring(20_000);
    mock.timers.tick(9_999);
    await turn();
    assert.equal(server.socket.sent.length, 0);
    mock.timers.tick(1);
    await turn();
    server.socket.ack(server.socket.take("auth", { token: `T${call}` }));
  }
  // Whatever a server says, it is no reason to wait for long.
  expiring(1e300);
  await turn();
  server.socket.take("auth", { token: "T4" });
  client.close();
});

test("A renewal that fails, hangs or is refused is tried again while the connection lasts", async () => {
  const token = provider({ 2: new Error("the login page is away"), 3: new Promise(() => {}), 4: "two words", 5: 5 });
  const client = watched({ token, connectTimeout: 1_000, pingInterval: 0 });
  await turn();
  server.socket.open();
  expiring();
  await turn();
  assert.equal(errors.at(-1).code, "TOKEN_UNAVAILABLE");
  assert.equal(errors.at(-1).message, "the token provider failed: the login page is away");
  assert.equal(errors.at(-1).cause.message, "the login page is away");
  mock.timers.tick(50);
  await turn();
  const { signal } = token;
  assert.equal(signal.aborted, false);
  mock.timers.tick(1_000);
  await turn();
  assert.equal(signal.aborted, true);
  assert.match(errors.at(-1).message, /no answer within 1000 ms$/);
  for (const pause of [100, 200]) {
    mock.timers.tick(pause);
    await turn();
    assert.match(errors.at(-1).message, /it returned no text, or one with spaces$/);
  }
  mock.timers.tick(400);
  await turn();
  server.socket.refuse(server.socket.take("auth", { token: "T6" }), "UNAUTHORIZED");
  assert.equal(errors.at(-1).code, "UNAUTHORIZED");
  assert.deepEqual([errors.length, client.state], [5, "open"]);
  mock.timers.tick(800);
  await turn();
  server.socket.ack(server.socket.take("auth", { token: "T7" }));
  mock.timers.tick(60_000);
  await turn();
  assert.equal(token.calls, 7);
  client.close();
});

test("A renewal that is late ends with its connection, and the next one begins with a new token", async () => {
  const token = provider({ 2: new Error("away"), 3: new Promise(() => {}) });
  const client = watched({ token });
  const outcome = client.publish("a", 1);
  await turn();
  server.socket.open();
  server.socket.take("publish");
  expiring();
  await turn();
  server.socket.drop(1008, "TOKEN_EXPIRED");
  assert.equal(client.state, "waiting");
  await next();
  // The provider hangs, and so does this attempt.
  mock.timers.tick(10_000);
  await turn();
  assert.deepEqual(states.at(-1), { state: "waiting", delay: 100, code: undefined, reason: "TOKEN_UNAVAILABLE" });
  await next();
  assert.equal(offered(), "bearer.T4");
  server.socket.open();
  server.socket.ack(server.socket.take("publish"), { offset: 1 });
  assert.equal((await outcome).offset, 1);
  client.close();
});

test("A provider that says that there is no token for good ends the client with that error", async () => {
  const loggedOut = new ApusError("UNAUTHORIZED", "logged out");
  for (const isOpen of [false, true]) {
    const client = watched({ token: provider({ [isOpen ? 2 : 1]: loggedOut }) });
    const outcome = assert.rejects(client.publish("a", 1), loggedOut);
    await turn();
    if (isOpen) {
      server.socket.open();
      expiring();
    }
    await turn();
    await outcome;
    assert.equal(client.state, "closed");
    assert.equal(states.at(-1).error, loggedOut);
    assert.equal(errors.length, 0);
  }
});

test("A provider whose tokens are refused is asked a few times, and then no more", async () => {
  const token = provider();
  const client = watched({ token });
  await turn();
  const delays = [];
  for (let attempt = 1; client.state !== "closed"; attempt += 1) {
    if (offered()) {
      server.socket.drop();
    } else {
      server.socket.open();
      server.socket.refuse(server.socket.take("auth", { token: `T${attempt}` }), "UNAUTHORIZED");
    }
    if (client.state === "closed") break;
    delays.push(states.at(-1).delay);
    await next();
  }
  assert.deepEqual(delays, [50, 100, 200, 400, 800]);
  assert.deepEqual([token.calls, errors.length], [6, 4]);
  assert.equal(states.at(-1).error.code, "UNAUTHORIZED");
  mock.timers.tick(600_000);
  await turn();
  assert.equal(token.calls, 6);
});

test("Refusals count in a row only: what the server answers in between starts the count over", async () => {
  const token = provider();
  const client = watched({ token });
  await turn();
  for (let round = 0; round < 10; round += 1) {
    server.socket.open();
    const outcome = client.publish("a", 1);
    server.socket.ack(server.socket.take("publish"), { offset: 1 });
    await outcome;
    server.socket.drop(1008, "UNAUTHORIZED");
    assert.equal(client.state, "waiting");
    await next();
  }
  client.close();
});

test("A revocation is final, whatever the provider would say", async () => {
  const token = provider();
  const client = watched({ token });
  await turn();
  server.socket.open();
  server.socket.drop(1008, "REVOKED");
  assert.equal(client.state, "closed");
  assert.equal(states.at(-1).error.code, "REVOKED");
  assert.equal(token.calls, 1);
});

test("Closing the client ends a call of the provider, and nothing comes of it", async () => {
  const token = provider({ 1: new Promise(() => {}) });
  const client = watched({ token });
  await turn();
  client.close();
  assert.equal(token.signal.aborted, true);
  await turn();
  mock.timers.tick(60_000);
  await turn();
  assert.deepEqual([server.sockets.length, errors.length, client.state], [0, 0, "closed"]);
});

test("Closing from a listener of the state while a provider is asked leaves nothing behind", async () => {
  const client = server.client({ token: provider() });
  client.on("state", ({ state }) => { if (state === "waiting") client.close(); });
  await turn();
  server.socket.drop();
  mock.timers.tick(600_000);
  await turn();
  assert.deepEqual([server.sockets.length, client.state], [1, "closed"]);
});

test("Rights that are gone end just the subscription that needs them", async () => {
  const client = watched({ token: TOKEN });
  server.socket.open();
  const [gone, stays] = ["a", "b.*"].map((topic) => collect(client.subscribe(topic)));
  server.socket.subscribe({ topic: "a" });
  server.socket.subscribe({ topic: "b.*" }, {});
  server.socket.event("a", 1);
  server.socket.say({ type: "info", topic: "a", msg: "unsubscribed", reason: "FORBIDDEN" });
  // A topic of a pattern is not the pattern.
  server.socket.say({ type: "info", topic: "b.c", msg: "unsubscribed", reason: "FORBIDDEN" });
  server.socket.event("a", 2);
  server.socket.event("b.c", undefined, "still there");
  await turn();
  assert.deepEqual(gone.items.map(({ offset }) => offset), [1]);
  assert.equal(gone.ended.code, "FORBIDDEN");
  assert.deepEqual(errors.map(({ code }) => code), ["FORBIDDEN"]);
  assert.deepEqual(stays.items.map(({ payload }) => payload), ["still there"]);
  assert.equal(server.socket.sent.length, 0);
  client.close();
});

test("What is forbidden fails alone", async () => {
  const client = watched({ token: TOKEN });
  server.socket.open();
  const subscription = client.subscribe("a");
  const outcome = client.publish("a", 1);
  server.socket.refuse(server.socket.take("subscribe"), "FORBIDDEN");
  server.socket.refuse(server.socket.take("publish"), "FORBIDDEN");
  await assert.rejects(outcome, { code: "FORBIDDEN" });
  await assert.rejects(subscription.ready, { code: "FORBIDDEN" });
  assert.equal(client.state, "open");
  client.close();
});

test("No error and no change of state shows a credential", async () => {
  const shown = [];
  const show = (value) => shown.push(`${value?.stack} ${JSON.stringify(value)} ${JSON.stringify(value?.error)}`);
  for (const options of [{ token: TOKEN }, { token: async () => TOKEN }, { apiKey: TOKEN }]) {
    const client = server.client(options);
    client.on("state", show);
    client.on("error", show);
    client.publish("a", 1).catch(show);
    for (let attempt = 0; attempt < 20 && client.state !== "closed"; attempt += 1) {
      await turn();
      if (!server.socket.options) {
        server.socket.open();
        server.socket.refuse(server.socket.take("auth"), "UNAUTHORIZED");
      } else {
        server.socket.drop();
      }
      mock.timers.tick(60_000);
    }
    assert.equal(client.state, "closed");
  }
  assert.throws(() => server.client({}, `ftp://host/?token=${TOKEN}`), (error) => show(error) > 0);
  assert.ok(shown.length > 10);
  assert.deepEqual(shown.filter((text) => text.includes(TOKEN)), []);
});
