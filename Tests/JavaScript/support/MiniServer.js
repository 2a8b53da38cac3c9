// As much of an Apus server as recovery takes, in plain Node: real sockets that a test can cut or feed with bytes that
// no server would send, and a naive log that the client's results can be compared with.

import { createHash } from "node:crypto";
import { createServer } from "node:http";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export class MiniServer {
  topics = new Map();
  connections = new Set();
  #server = createServer((request, response) => response.writeHead(404).end());

  /**
   * `history`: messages that each topic keeps. `onConnection` may do something else than serve it. `makesTopics`: those
   * that are asked for are there. `knowsWait`: a subscribe may wait for its topic.
   */
  constructor({ history = 100, onConnection, makesTopics = true, knowsWait = true } = {}) {
    Object.assign(this, { history, makesTopics, knowsWait });
    this.#server.on("upgrade", (request, socket) => {
      const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + GUID).digest("base64");
      socket.on("error", () => {});
      socket.setNoDelay(true);
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
      const connection = new Connection(this, socket);
      this.connections.add(connection);
      socket.on("close", () => this.connections.delete(connection));
      onConnection?.(connection);
    });
  }

  async start() {
    await new Promise((resolve) => { this.#server.listen(0, "127.0.0.1", resolve); });
    this.url = `ws://127.0.0.1:${this.#server.address().port}/ws`;
    return this;
  }

  stop() {
    this.cut();
    this.#server.close();
  }

  /** Ends every connection without a word. */
  cut() {
    for (const connection of this.connections) connection.socket.destroy();
  }

  /** Forgets everything, as a server in memory does when it is started again. */
  restart() {
    this.cut();
    this.topics.clear();
  }

  topic(name) {
    if (!this.topics.has(name) && this.makesTopics) this.create(name, `epoch-${name}`);
    return this.topics.get(name);
  }

  create(name, epoch) {
    this.topics.set(name, { epoch, last: 0, log: [], ids: new Map() });
    for (const connection of this.connections) {
      if (connection.topics.has(name)) connection.send({ type: "info", topic: name, msg: "topic_created", epoch });
    }
  }

  publish(name, message) {
    const topic = this.topic(name);
    const duplicate = topic.ids.has(message.id);
    if (duplicate) return { topic, offset: topic.ids.get(message.id), duplicate };
    topic.last += 1;
    const event = { type: "event", topic: name, message, offset: topic.last, ts: new Date().toISOString() };
    topic.ids.set(message.id, topic.last);
    topic.log.push(event);
    if (topic.log.length > this.history) topic.log.shift();
    for (const connection of this.connections) if (connection.topics.has(name)) connection.send(event);
    return { topic, offset: topic.last, duplicate };
  }
}

class Connection {
  topics = new Set();
  #server;
  #received = Buffer.alloc(0);

  constructor(server, socket) {
    this.#server = server;
    this.socket = socket;
    socket.on("data", (data) => {
      this.#received = Buffer.concat([this.#received, data]);
      for (let frame = this.#frame(); frame; frame = this.#frame()) {
        if (frame.opcode === 1) this.#handle(JSON.parse(frame.payload));
        if (frame.opcode === 8) socket.end(Buffer.from([0x88, 0]));
      }
    });
  }

  /** Takes a whole frame off what was received. Clients mask, and ours sends no fragments. */
  #frame() {
    const data = this.#received;
    if (data.length < 6) return undefined;
    let length = data[1] & 0x7f;
    let start = 2;
    if (length === 126) {
      length = data.readUInt16BE(2);
      start = 4;
    } else if (length === 127) {
      length = Number(data.readBigUInt64BE(2));
      start = 10;
    }
    if (data.length < start + 4 + length) return undefined;
    const mask = data.subarray(start, start + 4);
    const payload = Buffer.from(data.subarray(start + 4, start + 4 + length));
    for (let i = 0; i < length; i += 1) payload[i] ^= mask[i % 4];
    this.#received = data.subarray(start + 4 + length);
    return { opcode: data[0] & 0x0f, payload };
  }

  send(message) {
    const payload = Buffer.from(JSON.stringify(message));
    const head = payload.length < 126 ? Buffer.from([0x81, payload.length]) : Buffer.from([0x81, 126, 0, 0]);
    if (payload.length >= 126) head.writeUInt16BE(payload.length, 2);
    this.socket.write(Buffer.concat([head, payload]));
  }

  #handle(command) {
    const { type, topic: name, request_id, since, wait } = command;
    const ack = { type: "ack", request_id, topic: name, status: "ok" };
    if (type === "ping") return this.send({ type: "pong", request_id });
    const topic = this.#server.topic(name);
    if (!topic && wait && this.#server.knowsWait) {
      this.topics.add(name);
      return this.send({ ...ack, waiting: true });
    }
    if (!topic) return this.send({ type: "error", request_id, error: { code: "TOPIC_NOT_FOUND", message: name } });
    if (type === "unsubscribe") {
      this.topics.delete(name);
      return this.send(ack);
    }
    if (type === "publish") {
      const { offset, duplicate } = this.#server.publish(name, command.message);
      return this.send({ ...ack, epoch: topic.epoch, offset, subscribers: 0, stored: "memory", duplicate });
    }
    const first = topic.last - topic.log.length + 1;
    const isPosition = typeof since === "object";
    const isKept = isPosition && since.epoch === topic.epoch && since.offset + 1 >= first;
    const recovered = isPosition ? isKept : undefined;
    const start = isKept ? since.offset : since ? first - 1 : topic.last;
    const isMissed = recovered === false && since.epoch === topic.epoch;
    const missed = isMissed ? { from: since.offset + 1, to: first - 1 } : undefined;
    this.send({ ...ack, epoch: topic.epoch, offset: start, recovered, missed });
    for (const event of topic.log) if (event.offset > start) this.send(event);
    this.topics.add(name);
    return undefined;
  }
}
