// The scenarios in headless Chromium: a page runs them and posts what came of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inChromium } from "./chromium.js";
import { GuardedServer, Proxy, Server, Site, control } from "./harness.js";
import { scenarios } from "./scenarios.js";

const LIMIT = 100_000;

const server = await Server.start();
const proxy = await Proxy.start(server.port);
const others = await GuardedServer.startAll();
const guarded = GuardedServer.addresses(others);
const site = await Site.start(control(server, proxy, others), { url: `http://127.0.0.1:${proxy.port}`, guarded });
let results;
try {
  results = await inChromium(site.url, site.results, LIMIT);
} finally {
  site.stop();
  proxy.stop();
  await Promise.all([server, ...Object.values(others)].map((each) => each.stop()));
}

for (const { name, error, milliseconds } of results) {
  test(`Chromium: ${name}, there ${milliseconds ?? "?"} ms`, () => assert.ok(error === undefined, error));
}
test("Chromium: every scenario was run", () => {
  for (const name of Object.keys(scenarios)) assert.ok(results.some((result) => result.name === name), name);
});
