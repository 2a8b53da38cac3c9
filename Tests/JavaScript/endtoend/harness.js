// What the end-to-end tests stand on: the server as a process, a way to it that can be cut, and a local site for the
// browser's page. Everything is on the loopback and stopped by its own handle.

import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect, createServer as createTCPServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

/** What would configure the server: its own names and the aliases. */
const OURS = /^((APUS|PUBSUB)_.*|HOST|PORT|LOG_LEVEL|MAX(_SUBSCRIBER)?_QUEUE_SIZE|MAX_MESSAGES|TOPIC_HISTORY_SIZE)$/;
export const CLIENT = new URL("../../../Sources/ApusServer/Resources/apus.js", import.meta.url);

const listening = (server) =>
  new Promise((resolve) => { server.listen(0, "127.0.0.1", () => resolve(server.address().port)); });

/** `apus serve` on a free port. */
export class Server {
  static async start(...flags) {
    const server = new Server();
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OURS.test(name)));
    server.process = spawn(process.env.APUS_BIN, ["serve", "--port", "0", ...flags],
      { env: environment, stdio: ["ignore", "ignore", "pipe"] });
    const kill = () => server.process.kill();
    process.once("exit", kill); // When a test file ends early.
    server.exited = new Promise((resolve) => {
      server.process.once("exit", (code) => {
        process.off("exit", kill);
        resolve(code);
      });
    });
    const log = [];
    const address = new Promise((resolve) => {
      createInterface({ input: server.process.stderr }).on("line", (line) => {
        log.push(line);
        const found = / listening .*address=(\S+)/.exec(line);
        if (found) resolve(found[1]);
      });
    });
    server.base = await Promise.race([address, server.exited.then(() => undefined)]);
    if (!server.base) throw new Error(`the server did not start:\n${log.join("\n")}`);
    return server;
  }

  get port() { return Number(new URL(this.base).port); }

  async call(method, path, body, headers = {}) {
    const json = body === undefined ? undefined : JSON.stringify(body);
    const response = await fetch(this.base + path, {
      method, body: json, headers: { ...headers, ...(json && { "Content-Type": "application/json" }) },
    });
    return { status: response.status, body: await response.json() };
  }

  async stop(signal = "SIGTERM") {
    this.process.kill(signal);
    return this.exited;
  }
}

/**
 * A server that asks for credentials, with a key for the test itself and tokens for clients.
 *
 * Its leeway of 30 s lets tokens begin that have ended, so no test has to be fast: with a long grace such a client must
 * renew its token, with none it is cut within a second.
 */
export class GuardedServer {
  static #KEY = { "X-API-Key": "boss-key" };

  static async start(grace) {
    const guarded = new GuardedServer();
    guarded.folder = await mkdtemp(join(tmpdir(), "apus-tokens-"));
    guarded.secret = join(guarded.folder, "secret");
    await writeFile(guarded.secret, "0123456789abcdef0123456789abcdef");
    const keys = JSON.stringify([{ alg: "HS256", file: guarded.secret }]);
    guarded.server = await Server.start("--api-key", "boss-key", "--tokens-keys", keys, "--token-grace", grace);
    return guarded;
  }

  static async startAll() {
    return { renewing: await GuardedServer.start("60s"), expiring: await GuardedServer.start("0s") };
  }

  static addresses(all) { return Object.fromEntries(Object.entries(all).map(([name, { base }]) => [name, base])); }

  get base() { return this.server.base; }

  call(method, path, body) { return this.server.call(method, path, body, GuardedServer.#KEY); }

  /** A token, by `apus token mint`. */
  async mint({ sub = "ann", expires = "1h", allow = ["*:>"] }) {
    const rights = allow.flatMap((right) => ["--allow", right]);
    const { stdout } = await promisify(execFile)(process.env.APUS_BIN, ["token", "mint", "--key-file", this.secret,
      "--alg", "HS256", "--sub", sub, "--expires", expires, ...rights]);
    return stdout.trim();
  }

  async stop() {
    await rm(this.folder, { recursive: true });
    return this.server.stop();
  }
}

/** A way to the server that can be cut, and kept shut. */
export class Proxy {
  #sockets = new Set();
  #isShut = false;

  static async start(port) {
    const proxy = new Proxy();
    proxy.target = port;
    proxy.server = createTCPServer((inbound) => {
      if (proxy.#isShut) return inbound.destroy();
      const outbound = connect(proxy.target, "127.0.0.1");
      for (const [socket, other] of [[inbound, outbound], [outbound, inbound]]) {
        proxy.#sockets.add(socket);
        socket.setNoDelay(true).pipe(other);
        socket.on("error", () => other.destroy());
        socket.on("close", () => {
          proxy.#sockets.delete(socket);
          other.destroy();
        });
      }
      return undefined;
    });
    proxy.port = await listening(proxy.server);
    return proxy;
  }

  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  shut(isShut) {
    this.#isShut = isShut;
    if (isShut) this.cut();
  }

  stop() {
    this.server.close();
    this.cut();
  }
}

/** What a scenario asks for beside the client, also of `others`: done here, because a page can do none of it. */
export function control(server, proxy, others = {}) {
  const topic = (name) => `/topics/${encodeURIComponent(name)}`;
  return async ({ action, name, settings, on }) => {
    const target = on ? others[on] : server;
    const call = async (...request) => {
      const { status, body } = await target.call(...request);
      if (status >= 300) throw new Error(`${request.join(" ")}: ${status} ${JSON.stringify(body)}`);
    };
    switch (action) {
      case "create": return settings ? call("PUT", topic(name), settings) : call("POST", "/topics", { name });
      case "delete": return call("DELETE", topic(name));
      case "publish": return call("POST", `${topic(name)}/messages`, settings);
      case "cut": return proxy.cut();
      case "shut": return proxy.shut(true);
      case "open": return proxy.shut(false);
      case "mint": return target.mint(settings);
      case "revoke": return call("POST", "/revocations", settings);
      default: throw new Error(`no action ${action}`);
    }
  };
}

/** Serves the page and what it imports; takes what the page asks for, and in the end its results. */
export class Site {
  static async start(perform, settings) {
    const site = new Site();
    const here = new URL(".", import.meta.url);
    const files = {
      "/": ["text/html", () => readFile(new URL("page.html", here))],
      "/scenarios.js": ["text/javascript", () => readFile(new URL("scenarios.js", here))],
      "/apus.js": ["text/javascript", () => readFile(CLIENT)],
      "/settings": ["application/json", () => JSON.stringify(settings)],
    };
    site.results = new Promise((resolve) => { site.finish = resolve; });
    site.server = createServer(async (request, response) => {
      if (request.method === "GET") {
        const [type, content] = files[request.url] ?? [];
        response.writeHead(type ? 200 : 404, { "Content-Type": type ?? "text/plain" });
        return response.end(await content?.());
      }
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = JSON.parse(Buffer.concat(chunks));
      if (request.url === "/results") site.finish(body);
      let value;
      let error;
      if (request.url === "/control") {
        value = await perform(body).catch((thrown) => { error = thrown.message; });
      }
      response.writeHead(200, { "Content-Type": "application/json" });
      return response.end(JSON.stringify({ value, error }));
    });
    site.url = `http://127.0.0.1:${await listening(site.server)}/`;
    return site;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}
