// The scenarios in headless Chromium, from $CHROMIUM or the PATH: a page runs them and posts what came of it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Proxy, Server, Site, control } from "./harness.js";
import { scenarios } from "./scenarios.js";

const LIMIT = 100_000;

/** Runs the browser on the page until it has posted its results. */
async function inChromium(site) {
  const profile = await mkdtemp(join(tmpdir(), "apus-chromium-"));
  const program = process.env.CHROMIUM ?? "chromium";
  const browser = spawn(program, [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", `--user-data-dir=${profile}`,
    // Without it, headless Chromium loads the page and is done.
    "--remote-debugging-port=0", site.url,
  ], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  browser.stderr.on("data", (data) => { said = (said + data).slice(-4_000); });
  let timer;
  const exited = new Promise((resolve) => {
    browser.once("error", (error) => resolve(error));
    browser.once("exit", (code) => resolve(new Error(`${program} ended with ${code}:\n${said}`)));
  });
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve(new Error(`no results after ${LIMIT / 1_000} s:\n${said}`)), LIMIT);
  });
  const results = await Promise.race([site.results, exited, late]);
  clearTimeout(timer);
  browser.kill();
  await exited;
  await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  if (results instanceof Error) throw new Error(`Chromium is needed (the package 'chromium'): ${results.message}`);
  return results;
}

const server = await Server.start();
const proxy = await Proxy.start(server.port);
const site = await Site.start(control(server, proxy), { url: `http://127.0.0.1:${proxy.port}` });
let results;
try {
  results = await inChromium(site);
} finally {
  site.stop();
  proxy.stop();
  await server.stop();
}

for (const { name, error, milliseconds } of results) {
  test(`Chromium: ${name}, there ${milliseconds ?? "?"} ms`, () => assert.ok(error === undefined, error));
}
test("Chromium: every scenario was run", () => {
  for (const name of Object.keys(scenarios)) assert.ok(results.some((result) => result.name === name), name);
});
