// A page in Chromium with an EventSource and one with apus.js, over restarts of the server and of a proxy before it: each
// message that is published when the topic is back arrives, once. Three restarts, or $APUS_RESTARTS.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { inChromium } from "./chromium.js";
import { Gateway } from "./gateway.js";
import { Server } from "./harness.js";

const RESTARTS = Number(process.env.APUS_RESTARTS ?? 3);
const READERS = ["stream", "client"];
const EVENTS = "/topics/t/events";
const SOCKET = "/ws";

/** What the page tells, by reader, and a way to wait for it. */
class Told {
  items = { stream: [], client: [] };
  #waiting = new Set();

  async start() {
    this.server = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const { by, item } = JSON.parse(Buffer.concat(chunks));
      this.items[by].push(item);
      response.end();
      for (const look of [...this.#waiting]) look();
    });
    await new Promise((resolve) => { this.server.listen(0, "127.0.0.1", resolve); });
    this.url = `http://127.0.0.1:${this.server.address().port}/`;
    return this;
  }

  payloads(by) { return this.items[by].filter((item) => typeof item === "number"); }
  count(by, word) { return this.items[by].filter((item) => item === word).length; }

  /** Until the condition holds, which is asked when something was told, and now and then. */
  until(condition) {
    return new Promise((resolve) => {
      const timer = setInterval(() => look(), 20);
      const look = () => {
        if (!condition()) return;
        clearInterval(timer);
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** Ends the server and maybe the gateway, and starts both again. How differs from time to time. */
async function restart(number, gateway, server) {
  const before = [EVENTS, SOCKET].map((path) => gateway.refused.get(path) ?? 0);
  const isGatewayAway = number % 3 === 2;
  if (isGatewayAway) await gateway.shut();
  await server.stop(number % 2 ? "SIGTERM" : "SIGKILL");
  if (number % 3 === 1) {
    // Both find the proxy without its server.
    await told.until(() => [EVENTS, SOCKET].every((path, i) => (gateway.refused.get(path) ?? 0) > before[i]));
  }
  const next = await Server.start();
  gateway.target = next.port;
  if (isGatewayAway) await gateway.open();
  return next;
}

const told = await new Told().start();
const page = await readFile(new URL("restarts.html", import.meta.url), "utf8");
const gateway = await new Gateway(page.replace("TOLD", told.url)).open();
let server = await Server.start();
gateway.target = server.port;
after(async () => {
  told.stop();
  await gateway.shut();
  await server.stop();
});

test(`Chromium: over ${RESTARTS} restarts of server and proxy, each message after the topic is back arrives once`, () =>
  inChromium(`http://127.0.0.1:${gateway.port}/`, (async () => {
    const published = [];
    const publish = async (count) => {
      for (let i = 0; i < count; i += 1) {
        published.push(published.length + 1);
        const { status } = await server.call("POST", "/topics/t/messages", published.at(-1));
        assert.equal(status, 201);
      }
    };
    for (let number = 0; number <= RESTARTS; number += 1) {
      const waits = READERS.map((by) => told.count(by, "waiting"));
      if (number > 0) server = await restart(number, gateway, server);
      // Sometimes the topic is back before the clients are.
      if (number % 2 === 0) await told.until(() => READERS.every((by, i) => told.count(by, "waiting") > waits[i]));
      await server.call("POST", "/topics", { name: "t" });
      for (const count of [3, 2]) {
        await publish(count);
        await told.until(() => READERS.every((by) => told.payloads(by).length >= published.length));
      }
    }
    for (const by of READERS) {
      assert.deepEqual(told.payloads(by), published, by);
      const strange = told.items[by].filter((item) => /^(error|ended|topic_?deleted)/i.test(item));
      assert.deepEqual(strange, [], by);
    }
    // Nothing that the server itself answers ends a browser's stream for good.
    assert.equal(told.count("stream", "closed"), gateway.refused.get(EVENTS) ?? 0);
  })(), 20_000 + RESTARTS * 15_000));
