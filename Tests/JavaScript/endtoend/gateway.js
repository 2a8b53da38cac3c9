// An HTTP proxy before the server, as one is before most: it answers 502 while the server is away, and can be away itself.

import { createServer, request as forward } from "node:http";
import { connect } from "node:net";

export class Gateway {
  /** How often it had no server, by the path that was asked for. */
  refused = new Map();
  #server;
  #sockets = new Set();
  #page;

  /** `page` is what it has itself, at `/`. */
  constructor(page) { this.#page = page; }

  /** Listens: at any port at first, and at the same one later. */
  async open() {
    this.#server = createServer((request, response) => this.#request(request, response));
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on("connection", (socket) => this.#keep(socket));
    await new Promise((resolve) => { this.#server.listen(this.port ?? 0, "127.0.0.1", resolve); });
    this.port = this.#server.address().port;
    return this;
  }

  /** Ends everything that goes through it, and listens no more. */
  async shut() {
    const closed = new Promise((resolve) => { this.#server.close(resolve); });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }

  #refuse(path) {
    const [name] = path.split("?");
    this.refused.set(name, (this.refused.get(name) ?? 0) + 1);
  }

  #request(request, response) {
    const { method, url: path, headers } = request;
    if (path === "/") return response.writeHead(200, { "Content-Type": "text/html" }).end(this.#page);
    const upstream = forward({ host: "127.0.0.1", port: this.target, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
      // Cut short there, cut short here.
      answer.on("error", () => response.destroy());
    });
    upstream.on("error", () => {
      if (response.headersSent) return response.destroy();
      this.#refuse(path);
      return response.writeHead(502).end();
    });
    response.on("close", () => upstream.destroy());
    return request.pipe(upstream);
  }

  #upgrade(request, socket, head) {
    const upstream = connect(this.target, "127.0.0.1");
    this.#keep(upstream);
    let isConnected = false;
    upstream.on("connect", () => {
      isConnected = true;
      const lines = [`${request.method} ${request.url} HTTP/1.1`];
      const { rawHeaders } = request;
      for (let i = 0; i < rawHeaders.length; i += 2) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
      upstream.write(`${lines.join("\r\n")}\r\n\r\n`);
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
    });
    upstream.on("close", () => {
      if (isConnected) return socket.destroy();
      this.#refuse(request.url);
      return socket.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    socket.on("close", () => upstream.destroy());
  }
}
