/**
 * Apus for browsers and Node 22 or newer, without dependencies: publish, subscribe, recover.
 *
 *   Apus ──── Link ──── Feed ──── Subscription
 *    │         │         └ one subscription: its position, its buffer; what the application holds is a shell around it
 *    │         └ one WebSocket, opened again when it is lost
 *    └ outbox: publications that are not acknowledged yet, sent again with the same ids after a reconnect
 *
 * An event does not say for which subscription it is, so subscriptions that overlap are on links of their own.
 *
 * Bounded: the outbox by `publishQueue` (beyond it `publish` rejects), each feed by `buffer`. A WebSocket cannot be
 * told to stop reading. A feed that is full therefore leaves its topic, and comes back at its position when there is
 * room: nothing is lost that the topic's history still has. A pattern has no position: its oldest events are dropped,
 * and announced where they would have been.
 *
 * What a server sends is never trusted: what cannot be understood is reported to `on("error")` and ignored.
 */

const OPTIONS = {
  connectTimeout: 10_000, pingInterval: 20_000, minDelay: 250, maxDelay: 30_000, publishQueue: 10_000,
};
/** Events that a subscription holds for a slow consumer, unless it says otherwise. */
const BUFFER = 1_000;
/** Own publications that a subscription with `echo: false` can tell from others' when it recovers. */
const OWN_IDS = 10_000;
/** Longest delay that is taken from a server. */
const MAX_ASSIGNED_DELAY = 600_000;
/** A connection that was cut for the client's own behaviour must hold so long before the backoff starts over. */
const STABLE = 10_000;
/** The reasons of a close 1008 after which to come back. Other rows of the table of close codes are in `isFinal`. */
const POLICY_RETRY = ["SLOW_CONSUMER", "RATE_LIMITED", "NO_PONG"];

const isFinal = (code, reason) =>
  [1002, 1003, 1007, 1009].includes(code) || (code === 1008 && !POLICY_RETRY.includes(reason));

let lastRequest = 0;

/** A refusal by the server or by this client. `code` is for programs, `message` for people. */
export class ApusError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "ApusError";
    this.code = code;
  }
}

/** Makes an error of an `error` message, whatever is in it. */
function refusal(reply) {
  const { code, message } = Object(reply.error);
  return new ApusError(typeof code === "string" ? code : "INTERNAL", typeof message === "string" ? message : "refused");
}

/** A random UUID. `crypto.randomUUID` is missing on pages that came over plain HTTP. */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Whether a topic can match both; for a topic's own name and a pattern, whether that matches. Both as tokens. */
function overlap(a, b) {
  for (let i = 0; i < a.length && i < b.length; i += 1) {
    if (a[i] === ">" || b[i] === ">") return true;
    if (a[i] !== "*" && b[i] !== "*" && a[i] !== b[i]) return false;
  }
  return a.length === b.length;
}

/** `http://host`, `https://host/v1` or the address of a page: all become the address of the WebSocket. */
function socketAddress(address = globalThis.location?.origin) {
  const url = new URL(address, globalThis.location?.href);
  url.protocol = url.protocol.replace(/^http/, "ws");
  if (!/^wss?:$/.test(url.protocol)) throw new TypeError(`not an address of a server: ${address}`);
  if (!url.pathname.endsWith("/ws")) url.pathname = `${url.pathname.replace(/\/$/, "")}/ws`;
  url.hash = "";
  return url.href;
}

const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const range = (value) => isCount(value?.from) && isCount(value.to) ? { from: value.from, to: value.to } : undefined;

/** Calls listeners. An exception of theirs is the page's own, as with `EventTarget`, and disturbs nothing here. */
class Emitter {
  #listeners = new Map();

  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  has(type) { return this.#listeners.get(type)?.size > 0; }

  emit(type, detail) {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        listener(detail);
      } catch (error) {
        queueMicrotask(() => { throw error; });
      }
    }
  }
}

/** A subscription: where it is in its topic, and what the consumer has not taken yet. */
class Feed extends Emitter {
  /** `away` → `joining` → `live`; with the connection back to `away`; `full` until there is room; `ended` for good. */
  stage = "away";
  /** The position of the last event taken in, `undefined` with a pattern: where the next connection goes on. */
  received;
  /** The position of the last item that the consumer got. */
  position;
  /** Ids of this client's own publications, where these are not wanted. */
  own;
  link;
  #options;
  #host;
  /** Whether the server acknowledged it once: from then on, `received` says where to go on, and not the options. */
  #isKnown = false;
  #retries = 0;
  #retry;
  #buffer = [];
  #skipped = { dropped: 0, gap: false };
  /** Calls of `next` that have no item yet. */
  #waiting = [];
  #isHanding = false;
  #isFinished = false;
  #error;
  #settle;

  constructor(topic, options, host) {
    super();
    if (typeof topic !== "string") throw new TypeError("the topic must be a string");
    this.topic = topic;
    this.tokens = topic.split(".");
    this.isPattern = /[*>]/.test(topic);
    this.limit = Math.max(1, options.buffer ?? BUFFER);
    if (options.echo === false) this.own = new Set();
    this.#options = options;
    this.#host = host;
    this.ready = new Promise((resolve, reject) => { this.#settle = { resolve, reject }; });
    this.ready.catch(() => {});
  }

  on(type, listener) {
    const off = super.on(type, listener);
    // What came before the listener is handed to it, but not before the caller has `off`.
    if (type === "event") queueMicrotask(() => this.#pump());
    return off;
  }

  next() {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#pump();
    });
  }

  get command() {
    const { since, lastN, overflow, queue, echo, presence, clientId } = this.#options;
    const command = { type: "subscribe", topic: this.topic, client_id: clientId, overflow, queue, echo, presence };
    if (this.#isKnown) return { ...command, since: this.received };
    return { ...command, since, last_n: lastN, positions: since === undefined && !this.isPattern ? true : undefined };
  }

  get farewell() { return { type: "unsubscribe", topic: this.topic, client_id: this.#options.clientId }; }

  /** The connection is gone. */
  lost() {
    clearTimeout(this.#retry);
    if (this.stage === "joining" || this.stage === "live") this.stage = "away";
  }

  answered(reply) {
    if (this.stage !== "joining") return;
    this.stage = "away";
    if (reply.type === "ack") this.#joined(reply);
    else this.#refused(refusal(reply));
  }

  #joined({ epoch, offset, recovered, missed }) {
    const isGap = recovered === false || (this.#isKnown && recovered !== true);
    const start = typeof epoch === "string" && isCount(offset) ? { epoch, offset } : undefined;
    this.stage = "live";
    this.#isKnown = true;
    this.#retries = 0;
    if (isGap || !this.received) this.received = start;
    this.position ??= start;
    if (isGap) {
      this.#push({ type: "gap", topic: this.topic, recovered: false, missed: range(missed), position: start }, true);
    }
    this.#settle.resolve();
    this.emit("subscribed", { topic: this.topic, position: start, recovered });
  }

  #refused(error) {
    if (error.code === "UNAVAILABLE") return; // The server is about to close the connection.
    if (error.code === "OVERLOADED" || error.code === "RATE_LIMITED") {
      this.#retry = setTimeout(() => this.link.join(this), this.#host.backoff(this.#retries++));
    } else if (error.code === "TOPIC_NOT_FOUND" && this.#isKnown) {
      // Deleted while nobody was listening: what was published since the position is not to be had.
      this.#push({ type: "gap", topic: this.topic, recovered: false }, true);
      this.deleted(this.topic);
    } else {
      this.end(error);
    }
  }

  event(data) {
    if (this.stage !== "live") return;
    const { topic, message, key, offset, timestamp, ts = timestamp } = data;
    if (!message || typeof message !== "object" || (this.received && !isCount(offset))) {
      this.#host.malformed(data);
      return;
    }
    if (this.received && offset <= this.received.offset) return;
    const position = this.received && { epoch: this.received.epoch, offset };
    const { id, payload } = message;
    const item = { type: "event", topic, id, payload, message, key, offset, ts, position };
    if (this.own?.has(id) || this.#push(item)) this.received = position;
  }

  dropped(data) {
    if (this.stage !== "live") return;
    const { topic, dropped, to } = data;
    const isAhead = this.received && isCount(to) && to > this.received.offset;
    const position = isAhead ? { epoch: this.received.epoch, offset: to } : undefined;
    const item = { type: "dropped", topic, dropped: isCount(dropped) ? dropped : 0, ...range(data), position };
    if (this.#push(item) && isAhead) this.received = position;
  }

  deleted(topic) {
    this.#push({ type: "topicDeleted", topic }, true);
    if (this.isPattern) return;
    this.stage = "away"; // There is nothing left to unsubscribe from.
    this.end();
  }

  /** Ends it for the consumer too: at once, or (without `discard`) when what is buffered has been taken. */
  end(error, discard = false) {
    if (discard) this.#buffer.length = 0;
    if (this.stage !== "ended") {
      const isSubscribed = this.stage === "joining" || this.stage === "live";
      this.lost();
      this.stage = "ended";
      this.#error = error;
      this.#settle.reject(error ?? new ApusError("CLOSED", "closed before it was subscribed"));
      this.#host.release(this, isSubscribed, error);
    }
    this.#pump();
  }

  /** Buffers an item and hands on what it can. False when there was no room: then the topic was left. */
  #push(item, isLasting = false) {
    if (this.#buffer.length >= this.limit && this.isPattern) {
      const { type, dropped } = this.#buffer.shift();
      if (type === "event" || type === "dropped") this.#skipped.dropped += dropped ?? 1;
      else this.#skipped.gap = true;
    }
    // Coming back brings events again, and the notice of a drop; what comes once and never again is always taken.
    if (this.#buffer.length >= this.limit && !isLasting) {
      this.stage = "full";
      this.link.leave(this);
      return false;
    }
    this.#buffer.push(item);
    this.#pump();
    return true;
  }

  #take() {
    const { dropped, gap } = this.#skipped;
    if (dropped === 0 && !gap) return this.#buffer.shift();
    this.#skipped = { dropped: 0, gap: false };
    return gap ? { type: "gap", topic: this.topic, recovered: false } : { type: "dropped", topic: this.topic, dropped };
  }

  /** Hands items to whoever wants them: listeners at once, a loop one for each `next`. Then comes back if it left. */
  #pump() {
    if (this.#isHanding) return;
    this.#isHanding = true;
    while (this.#buffer.length > 0 && (this.has("event") || this.#waiting.length > 0)) this.#hand(this.#take());
    this.#isHanding = false;
    if (this.stage === "ended" && this.#buffer.length === 0) this.#finish();
    if (this.stage !== "full" || this.#buffer.length > this.limit >> 1) return;
    this.stage = "away";
    this.link.join(this);
  }

  #hand(item) {
    if (item.position) this.position = item.position;
    const isForLoop = !this.has("event") && (item.type === "event" || this.#options.notices);
    this.emit(item.type, item);
    if (isForLoop) this.#waiting.shift().resolve({ done: false, value: item });
  }

  #finish() {
    const waiting = this.#waiting.splice(0);
    const error = this.#error;
    // Thrown by one `next`, once; after it the loop is over.
    if (error && waiting.length > 0) {
      this.#error = undefined;
      waiting.shift().reject(error);
    }
    for (const { resolve } of waiting) resolve({ done: true, value: undefined });
    if (!this.#isFinished) this.emit("end", error);
    this.#isFinished = true;
  }
}

/** What the application holds of a subscription: `for await` it, or give it listeners. */
export class Subscription {
  #feed;

  constructor(feed) { this.#feed = feed; }

  get topic() { return this.#feed.topic; }
  get position() { return this.#feed.position; }
  get ready() { return this.#feed.ready; }
  on(type, listener) { return this.#feed.on(type, listener); }
  close() { this.#feed.end(undefined, true); }

  [Symbol.asyncIterator]() {
    return {
      next: () => this.#feed.next(),
      return: async (value) => {
        this.close();
        return { done: true, value };
      },
      [Symbol.asyncIterator]() { return this; },
    };
  }
}

/** One WebSocket. It is opened again when it is lost, with exponential backoff and full jitter. */
class Link {
  state = "idle";
  /** By topic. No two accept the same topic, so that an event is for one. */
  feeds = new Map();
  #host;
  #socket;
  #timer;
  #requests = new Map();
  #attempt = 0;
  #assignedDelay;
  #settling;
  #silence = 0;
  #unsent = 0;

  constructor(host) { this.#host = host; }

  accepts(feed) {
    if (!feed.isPattern) return !this.#feed(feed.topic);
    return ![...this.feeds.values()].some((other) => overlap(other.tokens, feed.tokens));
  }

  wake() { if (this.state === "idle") this.#connect(); }
  send(text) { if (this.state === "open") this.#socket.send(text); }
  leave(feed) { if (this.state === "open") this.#request(feed.farewell, () => {}); }

  join(feed) {
    if (this.state !== "open" || feed.stage !== "away") return;
    feed.stage = "joining";
    this.#request(feed.command, (reply) => feed.answered(reply));
  }

  close() {
    this.state = "closed";
    this.#drop();
  }

  #connect() {
    const { url, apiKey, connectTimeout, WebSocket } = this.#host.options;
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost(socket, 1006, "CONNECT_TIMEOUT"), connectTimeout);
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#lost(socket, code, reason);
    // A connection that could not be made has no `close` on every platform.
    socket.onerror = () => this.#lost(socket, 1006, "");
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      if (apiKey === undefined) this.#ready();
      else this.#request({ type: "auth", api_key: apiKey }, (reply) => this.#authenticated(reply));
    };
    this.state = "connecting";
    this.#host.turned(this);
  }

  #authenticated(reply) {
    const error = reply.type === "error" ? refusal(reply) : undefined;
    if (error?.code === "UNAUTHORIZED") this.#host.fail(error);
    else this.#ready(); // Where no keys are asked for, `auth` is refused otherwise, and not needed.
  }

  #ready() {
    const { pingInterval } = this.#host.options;
    clearTimeout(this.#timer);
    if (pingInterval > 0) this.#timer = setInterval(() => this.#beat(), pingInterval);
    this.#settling = setTimeout(() => { this.#attempt = 0; }, STABLE);
    this.#silence = 0;
    this.#unsent = 0;
    this.state = "open";
    for (const feed of this.feeds.values()) this.join(feed);
    this.#host.opened(this);
    if (this.state === "open") this.#host.turned(this);
  }

  /** Browsers do not show the server's pings, and a connection can die without a word. */
  #beat() {
    const unsent = this.#socket.bufferedAmount ?? 0;
    // What is being sent is taken, so that the answer to the last ping may have to wait behind it.
    this.#silence = unsent < this.#unsent ? 0 : this.#silence + 1;
    this.#unsent = unsent;
    if (this.#silence > 2) this.#lost(this.#socket, 1006, "NO_PONG");
    else this.#request({ type: "ping" }, () => {});
  }

  #lost(socket, code, reason) {
    if (socket !== this.#socket) return;
    const wasOpen = this.state === "open";
    const assigned = this.#assignedDelay;
    this.#drop();
    if (isFinal(code, reason)) {
      this.#host.fail(new ApusError(reason || `CLOSE_${code}`, `the server closed the connection: ${code} ${reason}`));
      return;
    }
    // The topic is gone, which ended its subscription. For the others, and what is to be published, life goes on.
    if (reason === "TOPIC_DELETED" && !this.#host.needs(this)) {
      this.state = "idle";
      this.#host.turned(this, { code, reason });
      return;
    }
    const wasCut = code === 1008 || code === 1013;
    if (wasOpen && !wasCut) this.#attempt = 0;
    const delay = assigned ?? this.#host.backoff(this.#attempt++);
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.state = "waiting";
    this.#host.turned(this, { delay, code, reason });
  }

  #request(command, done) {
    const id = (lastRequest += 1);
    this.#requests.set(id, done);
    this.#socket.send(JSON.stringify({ ...command, request_id: id }));
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#assignedDelay = undefined;
    clearTimeout(this.#timer); // An interval, too.
    clearTimeout(this.#settling);
    this.#requests.clear();
    for (const feed of this.feeds.values()) feed.lost();
    socket?.close(1000);
  }

  #receive(data) {
    this.#silence = 0;
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      // Reported below.
    }
    switch (message?.type) {
      case "event": return void this.#feed(message.topic)?.event(message);
      case "info": return this.#inform(message);
      case "ack": case "pong": case "error": return this.#answer(message);
      default: return this.#host.malformed(data);
    }
  }

  #feed(topic) {
    if (typeof topic !== "string") return undefined;
    const exact = this.feeds.get(topic);
    if (exact) return exact;
    const tokens = topic.split(".");
    for (const feed of this.feeds.values()) if (feed.isPattern && overlap(feed.tokens, tokens)) return feed;
    return undefined;
  }

  #inform(message) {
    const delay = message.reconnect_after_ms;
    if (message.msg === "shutdown" && delay >= 0) this.#assignedDelay = Math.min(delay, MAX_ASSIGNED_DELAY);
    const feed = this.#feed(message.topic);
    if (!feed) return;
    const { msg, topic, client_id: clientId, lag, queue } = message;
    if (msg === "messages_dropped") feed.dropped(message);
    else if (msg === "topic_deleted" && feed.stage === "live") feed.deleted(topic);
    else if (msg === "slow_consumer_warning") feed.emit("warning", { topic, lag, queue });
    else if (msg === "joined" || msg === "left") feed.emit("presence", { topic, change: msg, clientId });
  }

  #answer(reply) {
    const done = this.#requests.get(reply.request_id);
    this.#requests.delete(reply.request_id);
    if (done) done(reply);
    else this.#host.answered(reply);
  }
}

/** A client. It connects at once, stays connected, and keeps its subscriptions and publications across reconnects. */
export class Apus {
  #emitter = new Emitter();
  #links;
  #outbox = new Map();
  #queued = 0;
  #feeds = new Set();
  #options;
  #host;

  constructor(url, options = {}) {
    const clientId = `js-${uuid().slice(0, 8)}`;
    this.#options = { ...OPTIONS, clientId, WebSocket: globalThis.WebSocket, ...options, url: socketAddress(url) };
    const { minDelay, maxDelay } = this.#options;
    if (!this.#options.WebSocket) throw new TypeError("no WebSocket here: Node 22 or newer, or the option WebSocket");
    this.#host = {
      options: this.#options,
      opened: (link) => {
        if (link === this.#links[0]) for (const { text } of this.#outbox.values()) link.send(text);
      },
      answered: (reply) => this.#answered(reply),
      needs: (link) => link.feeds.size > 0 || (link === this.#links[0] && this.#outbox.size > 0),
      turned: (link, detail) => {
        if (link === this.#links[0]) this.#emitter.emit("state", { state: link.state, ...detail });
      },
      fail: (error) => this.#end(error),
      release: (feed, isSubscribed, error) => this.#release(feed, isSubscribed, error),
      backoff: (attempt) => Math.random() * Math.min(maxDelay, minDelay * 2 ** attempt),
      malformed: (data) => this.#emitter.emit("error", Object.assign(
        new ApusError("MALFORMED", "the server sent what is no message of Apus"), { data })),
    };
    this.#links = [new Link(this.#host)];
    this.#links[0].wake();
  }

  get state() { return this.#links[0].state; }
  get clientId() { return this.#options.clientId; }
  on(type, listener) { return this.#emitter.on(type, listener); }
  close() { this.#end(); }

  subscribe(topic, options = {}) {
    if (this.state === "closed") throw new ApusError("CLOSED", "the client is closed");
    const { signal, since } = options;
    const settled = { clientId: this.clientId, ...options, since: since instanceof Date ? since.toISOString() : since };
    const feed = new Feed(topic, settled, this.#host);
    feed.link = this.#links.find((link) => link.accepts(feed));
    if (!feed.link) this.#links.push(feed.link = new Link(this.#host));
    feed.link.feeds.set(topic, feed);
    this.#feeds.add(feed);
    feed.link.wake();
    feed.link.join(feed);
    if (signal?.aborted) feed.end(undefined, true);
    else signal?.addEventListener("abort", () => feed.end(undefined, true), { once: true });
    return new Subscription(feed);
  }

  async publish(topic, payload, { id = uuid(), key, ttl } = {}) {
    const message = { id, payload: payload === undefined ? null : payload };
    return { id, ...await this.#publish({ topic, message, key, ttl }, [id]) };
  }

  async publishBatch(topic, payloads, { ids = payloads.map(uuid), key, ttl } = {}) {
    const messages = payloads.map((payload, i) => ({ id: ids[i], payload: payload === undefined ? null : payload }));
    return { ids, ...await this.#publish({ topic, messages, key, ttl }, ids) };
  }

  async #publish(fields, ids) {
    const { publishQueue } = this.#options;
    if (this.state === "closed") throw new ApusError("CLOSED", "the client is closed");
    if (this.#queued + ids.length > publishQueue) {
      throw new ApusError("QUEUE_FULL", `more than ${publishQueue} messages would wait for their acknowledgement`);
    }
    const requestID = (lastRequest += 1);
    const text = JSON.stringify({ type: "publish", ...fields, outcome: true, request_id: requestID });
    for (const { own } of this.#feeds) {
      for (const id of own ? ids : []) own.add(id);
      while (own?.size > OWN_IDS) own.delete(own.values().next().value);
    }
    this.#queued += ids.length;
    try {
      const answer = new Promise((resolve, reject) => this.#outbox.set(requestID, { text, resolve, reject }));
      this.#links[0].wake();
      this.#links[0].send(text);
      const { type, request_id, topic, status, timestamp, ts = timestamp, ...outcome } = await answer;
      return { topic: fields.topic, ...outcome, ts };
    } finally {
      this.#queued -= ids.length;
    }
  }

  #answered(reply) {
    const waiting = this.#outbox.get(reply.request_id);
    const error = reply.type === "error" ? refusal(reply) : undefined;
    if (!waiting) {
      if (error) this.#emitter.emit("error", error);
    } else if (error?.code !== "UNAVAILABLE") { // A server that shuts down: it goes out again on the next connection.
      this.#outbox.delete(reply.request_id);
      if (error) waiting.reject(error);
      else waiting.resolve(reply);
    }
  }

  #release(feed, isSubscribed, error) {
    const { link } = feed;
    if (isSubscribed) link.leave(feed);
    link.feeds.delete(feed.topic);
    this.#feeds.delete(feed);
    if (link !== this.#links[0] && link.feeds.size === 0) {
      link.close();
      this.#links = this.#links.filter((other) => other !== link);
    }
    if (error && this.state !== "closed") this.#emitter.emit("error", error);
  }

  #end(error) {
    if (this.state === "closed") return;
    for (const link of this.#links) link.close();
    const reason = error ?? new ApusError("CLOSED", "the client was closed");
    for (const { reject } of this.#outbox.values()) reject(reason);
    this.#outbox.clear();
    for (const feed of [...this.#feeds]) feed.end(error, error === undefined);
    this.#emitter.emit("state", { state: "closed", error });
  }
}
