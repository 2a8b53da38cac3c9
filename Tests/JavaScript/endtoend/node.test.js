import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { Apus } from "../../../Sources/ApusServer/Resources/apus.js";
import { CLIENT, GuardedServer, Proxy, Server, control } from "./harness.js";
import { runScenario, scenarios } from "./scenarios.js";

const FAST = { minDelay: 10, maxDelay: 100 };
const server = await Server.start();
const proxy = await Proxy.start(server.port);
const others = await GuardedServer.startAll();
const guarded = GuardedServer.addresses(others);
after(async () => {
  proxy.stop();
  for (const each of [server, ...Object.values(others)]) assert.equal(await each.stop(), 0);
});

for (const name of Object.keys(scenarios)) {
  test(`Node: ${name}`, () => {
    const url = `http://127.0.0.1:${proxy.port}`;
    return runScenario(name, { Apus, url, guarded, control: control(server, proxy, others) });
  });
}

const until = (client, wanted) => new Promise((resolve) => {
  if (client.state === wanted) resolve({});
  else client.on("state", (change) => { if (change.state === wanted) resolve(change); });
});

test("The server has the client at /apus.js, for pages of any origin", async () => {
  for (const [path, file] of [["/apus.js", CLIENT], ["/apus.d.ts", new URL("apus.d.ts", CLIENT)]]) {
    const response = await fetch(server.base + path);
    assert.equal(response.status, 200, path);
    assert.match(response.headers.get("content-type"), path.endsWith(".js") ? /^text\/javascript/ : /^text\//);
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    assert.equal(await response.text(), await readFile(file, "utf8"));
  }
});

test("A key opens the connection, a wrong one and none are final", async (t) => {
  const guarded = await Server.start("--api-key", "secret");
  t.after(() => guarded.stop());
  await guarded.call("POST", "/topics", { name: "orders" }, { "X-API-Key": "secret" });
  const client = new Apus(guarded.base, { ...FAST, apiKey: "secret" });
  t.after(() => client.close());
  assert.equal((await client.publish("orders", 1)).offset, 1);
  for (const apiKey of ["wrong", undefined]) {
    const stranger = new Apus(guarded.base, { ...FAST, apiKey });
    await assert.rejects(stranger.publish("orders", 2), { code: "UNAUTHORIZED" });
    await until(stranger, "closed");
  }
});

test("On Node, too, a token may be a subprotocol; the server answers with another one", async (t) => {
  const protocols = [];
  class Watched extends WebSocket {
    constructor(...given) {
      super(...given);
      this.addEventListener("open", () => protocols.push(this.protocol));
    }
  }
  const token = await others.renewing.mint({});
  for (const WebSocket of [Watched, undefined]) {
    const client = new Apus(guarded.renewing, { ...FAST, token, ...(WebSocket && { WebSocket }) });
    t.after(() => client.close());
    await assert.rejects(client.publish("nowhere", 1), { code: "TOPIC_NOT_FOUND" });
  }
  assert.deepEqual(protocols, ["apus"]);
});

test("A shutdown assigns the delay; what is not published and subscribed then goes to the next server", async (t) => {
  const first = await Server.start();
  const way = await Proxy.start(first.port);
  const client = new Apus(`http://127.0.0.1:${way.port}`, FAST);
  t.after(() => {
    client.close();
    way.stop();
    return first.stop();
  });
  await first.call("POST", "/topics", { name: "orders" });
  const subscription = client.subscribe("orders", { notices: true });
  await subscription.ready;
  const waiting = until(client, "waiting");
  assert.equal(await first.stop(), 0);
  const { code, reason, delay } = await waiting;
  assert.deepEqual([code, reason], [1001, "SHUTDOWN"]);
  // The server's are whole milliseconds, the client's own are not.
  assert.ok(Number.isInteger(delay), `${delay} is not from the server`);
  const outcome = client.publish("orders", 1);
  const second = await Server.start();
  t.after(() => second.stop());
  await second.call("POST", "/topics", { name: "orders" });
  way.target = second.port;
  assert.equal((await outcome).offset, 1);
  const seen = [];
  for await (const item of subscription) {
    seen.push(item.payload ?? item.type);
    if (seen.length === 2) break;
  }
  // Another epoch: the client says that something may be missing, and goes on.
  assert.deepEqual(seen, ["gap", 1]);
});
