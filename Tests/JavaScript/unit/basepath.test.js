// The address that a client has when it is given none: that of the page, below the path of the server's own.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { CLIENT } from "../endtoend/harness.js";
import { FakeServer } from "../support/FakeServer.js";

/** The module as a server with a `base_path` hands it out: that puts its path in. */
async function served(basePath) {
  const text = (await readFile(CLIENT, "utf8")).replace('const BASE_PATH = "";', `const BASE_PATH = "${basePath}";`);
  return import(`data:text/javascript,${encodeURIComponent(text)}`);
}

test("Without an address it is the page's server, below that server's path", async () => {
  globalThis.location = new URL("https://example.org/some/page.html?x=1");
  try {
    for (const [basePath, address] of [["", "wss://example.org/ws"], ["/eu/apus", "wss://example.org/eu/apus/ws"]]) {
      const { Apus } = await served(basePath);
      const server = new FakeServer();
      const options = { WebSocket: server.WebSocket };
      new Apus(undefined, options).close();
      assert.equal(server.socket.url, address);
      // An address that is given is taken as it is.
      for (const [given, url] of [
        ["https://other/", "wss://other/ws"], ["https://other/apus", "wss://other/apus/ws"],
        ["https://other/apus/v1/ws", "wss://other/apus/v1/ws"], ["/below", "wss://example.org/below/ws"],
      ]) {
        new Apus(given, options).close();
        assert.equal(server.socket.url, url);
      }
    }
  } finally {
    delete globalThis.location;
  }
});

test("Where there is no page, an address has to be given", async () => {
  const { Apus } = await served("/apus");
  assert.throws(() => new Apus(undefined, { WebSocket: new FakeServer().WebSocket }), TypeError);
});
