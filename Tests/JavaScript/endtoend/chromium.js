// Headless Chromium, from $CHROMIUM or the PATH.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Opens the address until what is awaited there has come, which is then returned; throws after `limit` milliseconds. */
export async function inChromium(address, awaited, limit) {
  const profile = await mkdtemp(join(tmpdir(), "apus-chromium-"));
  const program = process.env.CHROMIUM ?? "chromium";
  const browser = spawn(program, [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", `--user-data-dir=${profile}`,
    // Without it, headless Chromium loads the page and is done.
    "--remote-debugging-port=0", address,
  ], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  browser.stderr.on("data", (data) => { said = (said + data).slice(-4_000); });
  let timer;
  const exited = new Promise((resolve) => {
    browser.once("error", ({ message }) => resolve(message));
    browser.once("exit", (code) => resolve(`${program} ended with ${code}:\n${said}`));
  });
  const early = exited.then((what) => { throw new Error(`Chromium is needed (the package 'chromium'): ${what}`); });
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${limit / 1_000} s:\n${said}`)), limit);
  });
  try {
    return await Promise.race([awaited, early, late]);
  } finally {
    clearTimeout(timer);
    browser.kill();
    await exited;
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
