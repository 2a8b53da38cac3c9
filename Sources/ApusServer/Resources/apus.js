/**
 * Apus for browsers and Node 22 or newer, without dependencies: publish, subscribe, recover.
 *
 *   Apus ──── Link ──── Feed ──── Subscription
 *    │         │         └ one subscription: its position, its buffer; what the application holds is a shell around it
 *    │         └ one WebSocket, opened again when it is lost
 *    ├ Servers: those that there are, and the one that all links connect to now
 *    ├ Credential: the token, or the function that is asked for one before each connection, and when one expires
 *    └ Outbox: publications that are not acknowledged yet, sent again with the same ids after a reconnect
 *
 * An event does not say for which subscription it is, so subscriptions that overlap are on links of their own.
 *
 * Bounded: the outbox by `publishQueue` (beyond it `publish` rejects), each feed by `buffer`. A WebSocket cannot be
 * told to stop reading. A feed that is full therefore leaves its topic, and comes back at its position when there is
 * room: nothing is lost that the topic's history still has. A pattern has no position: its oldest events are dropped,
 * and announced where they would have been.
 *
 * Topics of a server in memory are gone after its restart, until somebody makes them again. To a client that looks like
 * their deletion while it was away; so only a deletion that it hears of ends a subscription, which waits otherwise.
 *
 * What a server sends is never trusted: what cannot be understood is reported to `on("error")` and ignored.
 */

/** What a server that was given a `base_path` has before all its paths: it puts that in here. */
const BASE_PATH = "";
const OPTIONS = {
  connectTimeout: 10_000, pingInterval: 20_000, minDelay: 250, maxDelay: 30_000, publishQueue: 10_000,
  publishWait: 30_000,
};
/** Events that a subscription holds for a slow consumer, unless it says otherwise. */
const BUFFER = 1_000;
/** Own publications that a subscription with `echo: false` can tell from others' when it recovers. */
const OWN_IDS = 10_000;
/** Topics that the outbox remembers to have been there. */
const KNOWN_TOPICS = 10_000;
/** Longest delay that is taken from a server. */
const MAX_ASSIGNED_DELAY = 600_000;
/** A connection that was cut for the client's own behaviour must hold so long before the backoff starts over. */
const STABLE = 10_000;
/** How long a connection may take to give a sign of life when the network or the page is back. */
const RETURN_TIMEOUT = 5_000;
/** An attempt to connect that is younger is not given up for another when the network is back. */
const RETURN_RETRY = 1_000;
/** Notices that listeners get without waiting for the events before them. */
const AT_ONCE = ["waiting", "topicCreated"];
/** The close code after a message that was larger than the server takes. */
const TOO_BIG = 1009;
/** The state of a topic that is known to be deleted, instead of the number of lost connections. */
const DELETED = -1;
/** Shortest time between two attempts to publish to a topic that is not there. */
const SCOUT_SPACING = 100;
/** How long a publication is sent again that the server refuses for the time being, without closing the connection. */
const UNAVAILABLE_WAIT = 30_000;
/** The codes of such refusals. */
const UNAVAILABLE = ["UNAVAILABLE", "RATE_LIMITED"];
/** How often in a row a token of a provider may be refused. */
const MAX_REFUSALS = 5;
/** Longest delay before a renewal that failed is tried again. A token that expires is announced 30 s before. */
const RENEWAL_DELAY = 5_000;
/** Longest time until the end of a token that is taken from a server. */
const MAX_VALIDITY = 60_000;
/** What a subprotocol may consist of (RFC 9110 section 5.6.2). A JWT does. */
const SUBPROTOCOL = /^[\w!#$%&'*+.^`|~-]+$/;
/** The reasons of a close 1008 after which to come back. Other rows of the table of close codes are in `isFinal`. */
const POLICY_RETRY = ["SLOW_CONSUMER", "RATE_LIMITED", "NO_PONG"];
/** SHUTDOWN, and what a proxy says of a server that restarts; OVERLOADED: another server may do better. */
const AWAY = [1001, 1012, 1013];
/** Whether the global `WebSocket` takes header fields: that of Node does, that of a page does not. */
const TAKES_HEADERS = globalThis.process?.versions?.node !== undefined && globalThis.document === undefined;

const isFinal = (code, reason) =>
  [1002, 1003, 1007, TOO_BIG].includes(code) || (code === 1008 && !POLICY_RETRY.includes(reason));

let lastRequest = 0;

/** A refusal by the server or by this client. `code` is for programs, `message` for people. */
export class ApusError extends Error {
  constructor(code, message, retryAfter) {
    super(message);
    this.name = "ApusError";
    this.code = code;
    if (retryAfter !== undefined) this.retryAfter = retryAfter;
  }
}

/** Makes an error of an `error` message, whatever is in it. */
function refusal(reply) {
  const { code, message, retry_after_ms: wait } = Object(reply.error);
  return new ApusError(typeof code === "string" ? code : "INTERNAL", typeof message === "string" ? message : "refused",
    Number.isFinite(wait) && wait >= 0 ? wait : undefined);
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

const byteCount = (text) => new TextEncoder().encode(text).length;
// A character is three bytes at the most: most texts need not be counted.
const isAsLarge = (text, bytes) => text.length * 3 >= bytes && byteCount(text) >= bytes;
const isToken = (value) => typeof value === "string" && /^[!-~]+$/.test(value);
const tooBig = (bytes) => new ApusError("MESSAGE_TOO_BIG", `the server takes no message of ${bytes} bytes`);

/** Calls `listener` when the network or the page is back; returns what ends that. Node has nothing of the kind. */
function onReturn(listener) {
  const { document } = globalThis;
  const onPage = () => { if (document?.visibilityState !== "hidden") listener(); };
  const sources = [[globalThis, "online", listener], [globalThis, "pageshow", onPage],
    [document, "visibilitychange", onPage]];
  for (const [target, type, heard] of sources) target?.addEventListener?.(type, heard);
  return () => { for (const [target, type, heard] of sources) target?.removeEventListener?.(type, heard); };
}

/** `http://host`, `https://host/v1` or the address of a page: all become the address of the WebSocket. */
function socketAddress(given) {
  const { origin } = globalThis.location ?? {};
  // A page that is a file has the origin "null".
  const address = given ?? (origin && origin !== "null" ? origin + BASE_PATH : undefined);
  if (address === undefined) {
    throw new TypeError('the address of the server is missing: new Apus("http://localhost:8080")');
  }
  let url;
  try {
    url = new URL(address, globalThis.location?.href);
    url.protocol = url.protocol.replace(/^http/, "ws");
  } catch {
    // Said below.
  }
  if (!/^wss?:$/.test(url?.protocol)) {
    const shown = `${address}`.split("?")[0]; // There may be a key behind it.
    throw new TypeError(`not an address of a server, which begins with http, https, ws or wss: ${shown}`);
  }
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

/** The servers in their order, and the one that connections are made to now. Those that are open stay where they are. */
class Servers {
  #index = 0;

  constructor(given) {
    this.urls = (Array.isArray(given) ? given : [given]).map((address) => socketAddress(address));
    if (this.urls.length === 0) throw new TypeError("the list of servers is empty");
  }

  get current() { return this.urls[this.#index]; }

  /** Moves on from a server, unless another connection has done so already. */
  moveOn(url) {
    if (url === this.current) this.#index = (this.#index + 1) % this.urls.length;
  }
}

/** Where tokens come from: a text, or a function, which is asked by all connections together once at a time. */
class Credential {
  #given;
  #host;
  #call;
  #abort;

  constructor(given, host) {
    if (typeof given !== "function" && !isToken(given)) {
      throw new TypeError("the token must be a text without spaces, or a function that returns one");
    }
    this.#given = given;
    this.#host = host;
  }

  get isProvided() { return typeof this.#given === "function"; }
  /** The token, where it is a text. */
  get token() { return this.#given; }

  /** A token of the function. Rejects after the failure is reported; where it is for good, the client has ended. */
  obtain() {
    this.#call ??= this.#ask().finally(() => { this.#call = undefined; });
    return this.#call;
  }

  close() { this.#abort?.abort(new ApusError("CLOSED", "the client was closed")); }

  async #ask() {
    const { connectTimeout } = this.#host.options;
    const abort = new AbortController();
    const { signal } = abort;
    this.#abort = abort;
    const late = new Error(`no answer within ${connectTimeout} ms`);
    const timer = setTimeout(() => abort.abort(late), connectTimeout);
    const aborted = new Promise((_, reject) => { signal.onabort = () => reject(signal.reason); });
    try {
      const token = await Promise.race([(async () => this.#given({ signal }))(), aborted]);
      if (!isToken(token)) throw new TypeError("it returned no text, or one with spaces");
      return token;
    } catch (error) {
      if (error instanceof ApusError && error.code === "UNAUTHORIZED") {
        this.#host.fail(error);
      } else {
        const failure = new ApusError("TOKEN_UNAVAILABLE", `the token provider failed: ${error?.message ?? error}`);
        this.#host.report(Object.assign(failure, { cause: error }));
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A subscription: where it is in its topic, and what the consumer has not taken yet. */
class Feed extends Emitter {
  /**
   * `away` → `joining` → `live`, or `waiting` for its topic; with the connection back to `away`; `full` until there is
   * room; `ended` for good.
   */
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
  /** The connection on which its topic was last there. */
  #liveOn;
  /** Whether it ever was, so that nothing from before its deletion is owed. */
  #wasLive = false;
  /** Whether its topic was not there when last asked for: all that it has by now came later. */
  #isAbsent = false;
  /** Whether the consumer knows of that. */
  #isAbsenceTold = false;
  /** The `since` and `wait` of the last command. */
  #asked = {};
  #retries = 0;
  #retry;
  #buffer = [];
  #skipped = { dropped: 0, gap: false };
  /** Calls of `next` that have no item yet. */
  #waiting = [];
  /** Whether anybody ever took events, or wanted to. */
  #isConsumed = false;
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
    if (type === "event") {
      this.#isConsumed = true;
      // What came before the listener is handed to it, but not before the caller has `off`.
      queueMicrotask(() => this.#pump());
    }
    return off;
  }

  next() {
    this.#isConsumed = true;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#pump();
    });
  }

  /** The command that subscribes. */
  ask() {
    const { since, lastN, overflow, queue, echo, presence, clientId, wait } = this.#options;
    const command = { type: "subscribe", topic: this.topic, client_id: clientId, overflow, queue, echo, presence };
    // Where it was there on this very connection and is not any more, it was deleted.
    const isBack = this.#isKnown && this.#liveOn !== this.link.connection;
    if (!this.isPattern && (wait || isBack)) command.wait = true;
    if (!this.#isKnown) {
      Object.assign(command, { since, last_n: lastN });
      if (since === undefined && !this.isPattern) command.positions = true;
    } else if (this.received) {
      command.since = this.received;
    } else if (this.#isAbsent) {
      command.since = Object(since) === since && !this.#wasLive ? since : "all";
    }
    this.#asked = command;
    return command;
  }

  get farewell() { return { type: "unsubscribe", topic: this.topic, client_id: this.#options.clientId }; }

  /** The connection is gone. */
  lost() {
    clearTimeout(this.#retry);
    if (["joining", "live", "waiting"].includes(this.stage)) this.stage = "away";
  }

  answered(reply) {
    if (this.stage !== "joining") return;
    this.stage = "away";
    if (reply.type !== "ack") return this.#refused(refusal(reply));
    this.#settle.resolve();
    if (reply.waiting !== true) return this.#joined(reply);
    this.stage = "waiting";
    this.link.knowsWaiting = true;
    return this.#absent();
  }

  #joined({ epoch, offset, recovered, missed }) {
    const start = typeof epoch === "string" && isCount(offset) ? { epoch, offset } : undefined;
    if (this.#isAbsent && this.#asked.since === "all") {
      // It was made since: nothing is missing if all of it is still kept.
      const isWhole = start?.offset === 0;
      return this.#live(start, { recovered, isGap: !isWhole, missed: start && { from: 1, to: start.offset } });
    }
    const isGap = recovered === false || (this.#isKnown && recovered !== true);
    return this.#live(start, { recovered, isGap, missed: range(missed) });
  }

  /** The topic that was waited for is made, and its first event has offset 1. */
  created({ epoch }) {
    if (this.stage !== "waiting") return;
    const { since } = this.#asked;
    const start = typeof epoch === "string" ? { epoch, offset: 0 } : undefined;
    this.#live(start, { isGap: Object(since) === since && since.epoch !== epoch });
  }

  #live(start, { recovered, isGap, missed }) {
    const { topic } = this;
    this.stage = "live";
    this.#isKnown = true;
    this.#liveOn = this.link.connection;
    this.#wasLive = true;
    this.#isAbsent = false;
    this.#retries = 0;
    if (isGap || !this.received) this.received = start;
    this.position ??= start;
    if (!this.isPattern) this.#host.there(this);
    if (isGap) this.#push({ type: "gap", topic, recovered: false, missed, position: start }, true);
    if (this.#isAbsenceTold) this.#tell({ type: "topicCreated", topic, position: start }, true);
    this.#isAbsenceTold = false;
    if (this.stage !== "ended") this.emit("subscribed", { topic, position: start, recovered });
  }

  /** The topic is not there, and is waited for. */
  #absent() {
    this.#isKnown = true;
    this.#isAbsent = true;
    this.#liveOn = undefined;
    if (!this.#isAbsenceTold) this.#isAbsenceTold = this.#tell({ type: "waiting", topic: this.topic });
  }

  #refused(error) {
    if (["UNAVAILABLE", "OVERLOADED", "RATE_LIMITED"].includes(error.code)) {
      this.#askLater();
    } else if (error.code === "TOPIC_NOT_FOUND" && this.#asked.wait) {
      // A server that does not know of waiting.
      this.#settle.resolve();
      this.#askLater();
      this.#absent();
    } else if (error.code === "TOPIC_NOT_FOUND" && this.#isKnown) {
      // Deleted while its buffer was full: what was published since the position is not to be had.
      this.#push({ type: "gap", topic: this.topic, recovered: false }, true);
      this.deleted(this.topic);
    } else {
      this.end(error);
    }
  }

  #askLater() {
    this.#retry = setTimeout(() => this.link.join(this), this.#host.backoff(this.#retries++));
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
    this.#host.gone(topic);
    this.#push({ type: "topicDeleted", topic }, true);
    if (this.isPattern || this.stage === "ended") return;
    if (this.#options.wait) {
      this.received = undefined;
      this.#absent();
      // Not every server goes on waiting by itself; one of which that is not known is asked.
      if (this.stage === "full" || this.stage === "ended") return;
      if (this.link.knowsWaiting) {
        this.stage = "waiting";
        this.#asked.since = undefined;
      } else {
        this.stage = "away";
        this.link.join(this);
      }
    } else {
      // One that was asked to wait would do so again; otherwise there is nothing left to unsubscribe from.
      if (!this.#asked.wait) this.stage = "away";
      this.end();
    }
  }

  /** The server ended it, and only it. */
  unsubscribed(reason) {
    if (this.stage !== "live" && this.stage !== "waiting") return;
    this.stage = "away";
    const code = typeof reason === "string" ? reason : "INTERNAL";
    this.end(new ApusError(code, `the server ended the subscription to ${this.topic}`));
  }

  /** Ends it for the consumer too: at once, or (without `discard`) when what is buffered has been taken. */
  end(error, discard = false) {
    if (discard) this.#buffer.length = 0;
    if (this.stage !== "ended") {
      const isSubscribed = ["joining", "live", "waiting"].includes(this.stage);
      this.lost();
      this.stage = "ended";
      this.#error = error;
      this.#settle.reject(error ?? new ApusError("CLOSED", "closed before it was subscribed"));
      this.#host.release(this, isSubscribed, error);
    }
    this.#pump();
  }

  /** News for listeners at once, and for a loop that wants notices in their place. False when that has no room. */
  #tell(notice, isLasting) {
    this.emit(notice.type, notice);
    return !this.#options.notices || this.#push(notice, isLasting);
  }

  /** Buffers an item and hands on what it can. False when there was no room: then the topic was left. */
  #push(item, isLasting = false) {
    if (this.#buffer.length >= this.limit && this.isPattern) {
      const { type, dropped } = this.#buffer.shift();
      if (type === "event" || type === "dropped") this.#skipped.dropped += dropped ?? 1;
      else this.#skipped.gap = true;
    }
    // Coming back brings events again, and the notice of a drop; what comes once and never again is always taken.
    const isTaken = this.#buffer.length < this.limit || isLasting;
    if (isTaken) {
      this.#buffer.push(item);
      this.#pump();
    }
    // Many connections after each other must not fill it with notices either.
    if ((!isTaken || this.#buffer.length > this.limit) && this.stage !== "ended") this.#leave();
    return isTaken;
  }

  #leave() {
    if (this.stage === "full") return;
    clearTimeout(this.#retry);
    this.stage = "full";
    this.link.leave(this);
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
    if (this.stage === "ended" && (this.#buffer.length === 0 || !this.#isConsumed)) this.#finish();
    if (this.stage !== "full" || this.#buffer.length > this.limit >> 1) return;
    this.stage = "away";
    this.link.join(this);
  }

  #hand(item) {
    if (item.position) this.position = item.position;
    const isForLoop = !this.has("event") && (item.type === "event" || this.#options.notices);
    if (!AT_ONCE.includes(item.type) && !(this.#isFinished && item.type !== "event")) this.emit(item.type, item);
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
    if (this.#isFinished) return;
    this.#isFinished = true;
    // Where nobody takes events, there is no place among them to wait for.
    for (const item of this.#buffer) {
      if (item.type !== "event" && !AT_ONCE.includes(item.type)) this.emit(item.type, item);
    }
    this.emit("end", error);
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
  /** Counts connections, and attempts at them. */
  connection = 0;
  /** Whether the server at the other end is known to wait for topics by itself. */
  knowsWaiting = false;
  #host;
  #socket;
  #timer;
  /** By request id: the texts of commands without an answer, and what to do with that. */
  #requests = new Map();
  /** Counts attempts. With several servers an attempt is a round: all are tried, one right after the other. */
  #attempt = 0;
  /** How many servers were tried in this round. */
  #tried = 0;
  #url;
  #assignedDelay;
  #begunAt = 0;
  #settling;
  #silence = 0;
  #unsent = 0;
  /** Whether the wait for the next attempt is the client's own, and so ends when the network or the page is back. */
  #mayHurry = false;
  #returnTimer;
  /** Whether the handshake has the token. A page is not told that one was refused for it. */
  #isTokenOffered = false;
  /** Whether the next token goes into the first message instead, where a refusal is seen. */
  #isHandshakeSuspect = false;
  /** How many tokens in a row were refused. */
  #refusals = 0;
  #authenticatedAt = 0;
  /** While the token is being renewed: the timer of the next attempt, or `true`. */
  #renewal;

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
    this.#request(feed.ask(), (reply) => feed.answered(reply), feed);
  }

  /** The network or the page is back: no reason to wait any longer, and the connection may have died unnoticed. */
  hurry() {
    const socket = this.#socket;
    const isStale = this.state === "connecting" && Date.now() - this.#begunAt > RETURN_RETRY;
    if (isStale) this.#drop();
    if (isStale || (this.state === "waiting" && this.#mayHurry)) {
      clearTimeout(this.#timer);
      this.#connect();
    } else if (this.state === "open" && this.#returnTimer === undefined) {
      this.#returnTimer = setTimeout(() => this.#lost(socket, 1006, "NO_PONG"), RETURN_TIMEOUT);
      this.#request({ type: "ping" }, () => {});
    }
  }

  close() {
    this.state = "closed";
    this.#drop();
  }

  #connect() {
    const { credential } = this.#host;
    const connection = (this.connection += 1);
    this.knowsWaiting = false;
    this.#begunAt = Date.now();
    if (credential?.isProvided) {
      const isCurrent = () => this.connection === connection && this.state === "connecting";
      credential.obtain().then((token) => { if (isCurrent()) this.#open(token); }, () => {
        if (isCurrent()) this.#lost(undefined, undefined, "TOKEN_UNAVAILABLE");
      });
    } else {
      this.#open(credential?.token);
    }
    this.state = "connecting";
    this.#host.turned(this);
  }

  #open(token) {
    const { apiKey, connectTimeout } = this.#host.options;
    const socket = this.#handshake(token);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost(socket, 1006, "CONNECT_TIMEOUT"), connectTimeout);
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#lost(socket, code, reason);
    // A connection that could not be made has no `close` on every platform.
    socket.onerror = () => this.#lost(socket, 1006, "");
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      if (this.#isTokenOffered || (apiKey ?? token) === undefined) this.#ready();
      else this.#request({ type: "auth", api_key: apiKey, token }, (reply) => this.#authenticated(reply));
    };
  }

  /** A WebSocket whose handshake has the token, in a header or a subprotocol, but never in its address. */
  #handshake(token) {
    const { takesHeaders, WebSocket } = this.#host.options;
    const url = this.#url = this.#host.servers.current;
    const mayOffer = token !== undefined && (takesHeaders || SUBPROTOCOL.test(token));
    this.#isTokenOffered = mayOffer && !this.#isHandshakeSuspect;
    if (!this.#isTokenOffered) return new WebSocket(url);
    if (takesHeaders) return new WebSocket(url, { headers: { Authorization: `Bearer ${token}` } });
    return new WebSocket(url, ["apus", `bearer.${token}`]);
  }

  #authenticated(reply) {
    const error = reply.type === "error" ? refusal(reply) : undefined;
    if (error?.code === "UNAUTHORIZED") this.#lost(this.#socket, 1008, "UNAUTHORIZED", error);
    else this.#ready(); // Where no keys are asked for, `auth` is refused otherwise, and not needed.
  }

  /** The server says that the token expires: another one takes its place on the open connection. */
  #renew(validity) {
    if (!this.#host.credential?.isProvided || this.#renewal || this.state !== "open") return;
    // A token that lives for less than the server's notice is announced again at once, and so is one that came twice.
    const begin = this.#authenticatedAt + Math.min(isCount(validity) ? validity : 0, MAX_VALIDITY) / 2;
    this.#renewLater(begin - Date.now(), 0);
  }

  #renewLater(delay, attempt) {
    if (delay <= 0) this.#renewNow(attempt);
    else this.#renewal = setTimeout(() => this.#renewNow(attempt), delay);
  }

  #renewNow(attempt) {
    this.#renewal = true;
    const { connection } = this;
    const again = () => this.#renewLater(Math.min(this.#host.backoff(attempt), RENEWAL_DELAY), attempt + 1);
    const isCurrent = () => this.connection === connection && this.state === "open";
    this.#host.credential.obtain().then((token) => {
      if (!isCurrent()) return;
      this.#request({ type: "auth", token }, (reply) => {
        if (reply.type === "error") {
          this.#host.report(refusal(reply));
          again();
        } else {
          this.#renewal = undefined;
          this.#authenticatedAt = Date.now();
        }
      });
    }, () => { if (isCurrent()) again(); });
  }

  #ready() {
    const { pingInterval } = this.#host.options;
    clearTimeout(this.#timer);
    this.#isHandshakeSuspect = false;
    this.#authenticatedAt = Date.now();
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

  #lost(socket, code, reason, error) {
    if (socket !== this.#socket) return;
    const wasOpen = this.state === "open";
    if (!wasOpen && this.#isTokenOffered) this.#isHandshakeSuspect = true;
    const assigned = this.#assignedDelay;
    const refuseLargest = code === TOO_BIG && wasOpen ? this.#largest() : undefined;
    this.#drop();
    this.#host.lost(this, code);
    if (refuseLargest) {
      refuseLargest();
      if (this.state === "closed") return; // Nothing else was on it, or whoever was told closed the client.
    } else if (this.#isFinal(code, reason)) {
      const closed = `the server closed the connection: ${code} ${reason}`;
      this.#host.fail(error ?? new ApusError(reason || `CLOSE_${code}`, closed));
      return;
    }
    if (error) this.#host.report(error);
    // The topic is gone, which ended its subscription. For the others, and what is to be published, life goes on.
    if (reason === "TOPIC_DELETED" && !this.#host.needs(this)) {
      this.state = "idle";
      this.#host.turned(this, { code, reason });
      return;
    }
    const wasCut = code === 1008 || code === 1013;
    if (wasOpen && !wasCut) this.#attempt = 0;
    const isInRound = this.#moveOn(code, wasOpen);
    const delay = isInRound ? 0 : assigned ?? this.#host.backoff(this.#attempt++);
    this.#mayHurry = assigned === undefined && !wasCut;
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.state = "waiting";
    this.#host.turned(this, { delay, code, reason });
  }

  /**
   * Moves on to the next server, if this one cannot be reached or goes away. One that breaks is asked again first.
   * Returns whether that is tried right away, because there are some that were not tried in this round.
   */
  #moveOn(code, wasOpen) {
    const isAway = AWAY.includes(code) || (code === 1006 && !wasOpen);
    if (wasOpen || !isAway) this.#tried = 0;
    if (!isAway) return false;
    const { servers } = this.#host;
    servers.moveOn(this.#url);
    this.#tried = (this.#tried + 1) % servers.urls.length;
    return !wasOpen && this.#tried > 0;
  }

  /** Whether there is no use in coming back. With another token there may be. */
  #isFinal(code, reason) {
    if (code === 1008 && this.#host.credential?.isProvided) {
      if (reason === "TOKEN_EXPIRED") return false;
      if (reason === "UNAUTHORIZED") return (this.#refusals += 1) >= MAX_REFUSALS;
    }
    return isFinal(code, reason);
  }

  /**
   * What refuses the largest command without an answer.
   *
   * One of those was larger than the server takes, and whichever it was: so is the largest. Nothing of the kind is
   * answered, where it was a ping or a key: then the server's limit is of no use to anybody.
   */
  #largest() {
    let largest = this.#host.largest(this);
    let refuse = largest > 0 ? () => this.#host.refuse(largest) : undefined;
    for (const { text, feed } of this.#requests.values()) {
      const bytes = feed ? byteCount(text) : 0;
      if (bytes <= largest) continue;
      largest = bytes;
      refuse = () => feed.end(tooBig(bytes));
    }
    return refuse;
  }

  #request(command, done, feed) {
    const id = (lastRequest += 1);
    const text = JSON.stringify({ ...command, request_id: id });
    this.#requests.set(id, { text, done, feed });
    this.#socket.send(text);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#assignedDelay = undefined;
    clearTimeout(this.#timer); // An interval, too.
    clearTimeout(this.#settling);
    clearTimeout(this.#renewal);
    this.#renewal = undefined;
    this.#isTokenOffered = false;
    this.#isAlive();
    this.#requests.clear();
    for (const feed of this.feeds.values()) feed.lost();
    socket?.close(1000);
  }

  #isAlive() {
    this.#silence = 0;
    clearTimeout(this.#returnTimer);
    this.#returnTimer = undefined;
  }

  #receive(data) {
    this.#isAlive();
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
    else if (message.msg === "token_expiring") this.#renew(message.expires_in_ms);
    else if (message.msg === "unsubscribed") this.feeds.get(message.topic)?.unsubscribed(message.reason);
    const feed = this.#feed(message.topic);
    if (!feed) return;
    const { msg, topic, client_id: clientId, lag, queue } = message;
    if (msg === "messages_dropped") feed.dropped(message);
    else if (msg === "topic_created") feed.created(message);
    else if (msg === "topic_deleted" && feed.stage === "live") feed.deleted(topic);
    else if (msg === "slow_consumer_warning") feed.emit("warning", { topic, lag, queue });
    else if (msg === "joined" || msg === "left") feed.emit("presence", { topic, change: msg, clientId });
  }

  #answer(reply) {
    const request = this.#requests.get(reply.request_id);
    this.#requests.delete(reply.request_id);
    if (reply.type !== "error") this.#refusals = 0;
    if (request) request.done(reply);
    else this.#host.answered(reply);
  }
}

/**
 * Publications without an acknowledgement, over as many connections as it takes, in the order of the calls.
 *
 * After a lost connection their topics may be gone for a while. So the first publication to each topic goes ahead, as
 * its scout, and the others follow when that is acknowledged: they keep their order also where the topic is made in their
 * midst. While there is no such topic the scout is sent again and again, and each waits as long as it may.
 */
class Outbox {
  /** In messages. */
  size = 0;
  /** By request id. */
  #entries = new Map();
  /** By topic: the scout, those behind it, and, where the topic was not there, when the scout is sent again. */
  #lanes = new Map();
  /** By topic: how many connections had been lost when it was last there; `DELETED` where it was deleted since. */
  #known = new Map();
  #losses = 0;
  /** The size of the smallest message that the server at the other end did not take. */
  #tooBig = Infinity;
  #link;
  #host;

  constructor(link, host) {
    this.#link = link;
    this.#host = host;
  }

  /** Resolves with the server's ack. */
  async publish(fields, ids, wait) {
    const { publishQueue } = this.#host.options;
    if (this.size + ids.length > publishQueue) {
      throw new ApusError("QUEUE_FULL", `more than ${publishQueue} messages would wait for their acknowledgement`);
    }
    const id = (lastRequest += 1);
    const text = JSON.stringify({ type: "publish", ...fields, outcome: true, request_id: id });
    if (isAsLarge(text, this.#tooBig)) throw tooBig(byteCount(text));
    this.size += ids.length;
    try {
      return await new Promise((resolve, reject) => {
        const isPatient = this.#losses > 0 && this.#link.state !== "open";
        const entry = { id, topic: fields.topic, text, wait, isPatient, isSent: false, resolve, reject };
        this.#entries.set(id, entry);
        this.#link.wake();
        if (this.#link.state === "open") this.#dispatch(entry);
      });
    } finally {
      this.size -= ids.length;
    }
  }

  opened() { for (const entry of this.#entries.values()) this.#dispatch(entry); }

  lost(code) {
    this.#losses += 1;
    // The next connection may be to another server.
    if (code !== TOO_BIG) this.#tooBig = Infinity;
    this.#clearLanes();
    for (const entry of this.#entries.values()) {
      Object.assign(entry, { isSent: false, isPatient: true, deadline: undefined });
    }
  }

  close(error) {
    this.#clearLanes();
    for (const entry of this.#entries.values()) this.#settle(entry, error);
  }

  /** False when this is no answer to a publication. */
  answered(reply) {
    const entry = this.#entries.get(reply.request_id);
    if (!entry) return false;
    const error = reply.type === "error" ? refusal(reply) : undefined;
    // A server that shuts down is unavailable, too; what is held goes out again on the next connection.
    if (error?.code === "TOPIC_NOT_FOUND" || UNAVAILABLE.includes(error?.code)) {
      this.#hold(entry, error);
      return true;
    }
    this.#settle(entry, error, reply);
    if (!error) this.there(entry.topic, true);
    const lane = this.#lanes.get(entry.topic);
    if (lane?.scout === entry) this.#advance(entry.topic, lane, !error);
    return true;
  }

  /** The topic is there, and maybe seen on the connection that publishes. */
  there(topic, isSeenHere) {
    if (isSeenHere && this.#known.get(topic) !== this.#losses) this.#note(topic, this.#losses);
    const lane = this.#lanes.get(topic);
    // That says nothing about a rate limit.
    if (lane?.timer !== undefined && lane.batch === Infinity) this.#scout(lane);
  }

  /** Its deletion was told. */
  gone(topic) { if (this.#known.has(topic)) this.#note(topic, DELETED); }

  /** The size of the largest publication on its way. */
  get largest() {
    let largest = 0;
    for (const { isSent, text } of this.#entries.values()) {
      if (isSent && isAsLarge(text, largest)) largest = byteCount(text);
    }
    return largest;
  }

  /** The server takes nothing of this size. */
  refuse(bytes) {
    this.#tooBig = bytes;
    for (const entry of this.#entries.values()) {
      if (isAsLarge(entry.text, bytes)) this.#settle(entry, tooBig(byteCount(entry.text)));
    }
  }

  #clearLanes() {
    for (const { timer } of this.#lanes.values()) clearTimeout(timer);
    this.#lanes.clear();
  }

  #note(topic, state) {
    this.#known.delete(topic);
    this.#known.set(topic, state);
    if (this.#known.size > KNOWN_TOPICS) this.#known.delete(this.#known.keys().next().value);
  }

  #settle(entry, error, reply) {
    this.#entries.delete(entry.id);
    if (error) entry.reject(error);
    else entry.resolve(reply);
  }

  /** Sends it, or has it wait for its scout. */
  #dispatch(entry) {
    const { topic } = entry;
    const lane = this.#lanes.get(topic);
    if (!lane) {
      const state = this.#known.get(topic);
      if (this.#losses > 0 && state !== this.#losses) {
        entry.isPatient ||= state !== undefined && state !== DELETED;
        this.#lanes.set(topic, { scout: entry, behind: [], attempt: 0, batch: Infinity });
      }
      this.#transmit(entry);
    } else if (lane.timer === undefined || this.#mayWait(entry, lane.error, true)) {
      this.#follow(lane, entry);
    } else {
      this.#settle(entry, lane.error);
    }
  }

  #transmit(entry) {
    entry.isSent = true;
    this.#link.send(entry.text);
  }

  #follow(lane, entry) {
    const { behind } = lane;
    behind.push(entry);
    // One that was sent before there was a scout comes back behind those that were not.
    if (behind.at(-2)?.id > entry.id) behind.sort((a, b) => a.id - b.id);
    if (lane.timer !== undefined && entry.deadline < lane.due) this.#schedule(lane, lane.due);
  }

  /** Whether it may wait (any longer) after such a refusal. */
  #mayWait(entry, { code, retryAfter = 0 }, isBehindAnother) {
    const state = this.#known.get(entry.topic);
    entry.isPatient ||= isBehindAnother;
    const patience = entry.isPatient && state !== DELETED ? this.#host.options.publishWait : 0;
    entry.deadline ??= Date.now() + (UNAVAILABLE.includes(code) ? UNAVAILABLE_WAIT : entry.wait ?? patience);
    return entry.deadline > Date.now() + retryAfter;
  }

  /** There is no such topic, or no publishing now: those that may not wait are refused, one of the others is sent later. */
  #hold(entry, error) {
    const { topic } = entry;
    // It was there on this very connection, so it was deleted.
    if (error.code === "TOPIC_NOT_FOUND" && this.#known.get(topic) === this.#losses) this.#note(topic, DELETED);
    entry.isSent = false;
    const lane = this.#lanes.get(topic) ?? { scout: entry, behind: [], attempt: 0, batch: Infinity };
    if (lane.scout !== entry) {
      if (this.#mayWait(entry, error, true)) this.#follow(lane, entry);
      else this.#settle(entry, error);
      return;
    }
    const left = [];
    // One that was sent before the scout may have come back after it.
    for (const waiting of [entry, ...lane.behind].sort((a, b) => a.id - b.id)) {
      if (this.#mayWait(waiting, error, left.length > 0)) left.push(waiting);
      else this.#settle(waiting, error);
    }
    this.#lanes.delete(topic);
    if (left.length === 0) return;
    const [scout, ...behind] = left;
    Object.assign(lane, { scout, behind, error });
    // Not all of them are to be refused again.
    if (error.code === "RATE_LIMITED") lane.batch = 1;
    this.#lanes.set(topic, lane);
    this.#schedule(lane, Date.now() + Math.max(this.#host.backoff(lane.attempt++), error.retryAfter ?? 0));
  }

  /** Sends the scout again at that time, or when the first of them has waited long enough. */
  #schedule(lane, due) {
    const now = Date.now();
    const first = lane.behind.reduce((least, { deadline }) => Math.min(least, deadline), lane.scout.deadline);
    clearTimeout(lane.timer);
    lane.due = Math.max(now + SCOUT_SPACING, Math.min(due, first));
    lane.timer = setTimeout(() => this.#scout(lane), lane.due - now);
  }

  #scout(lane) {
    clearTimeout(lane.timer);
    lane.timer = undefined;
    this.#transmit(lane.scout);
  }

  /**
   * The scout is answered: the others may go, or where it was refused for itself the next one. The first of those that
   * go is the scout of those that stay; the next time twice as many go.
   */
  #advance(topic, lane, isThere) {
    const next = lane.behind.splice(0, isThere ? lane.batch : 1);
    if (isThere ? lane.behind.length === 0 : next.length === 0) this.#lanes.delete(topic);
    else [lane.scout] = next;
    if (isThere) lane.batch *= 2;
    for (const entry of next) this.#transmit(entry);
  }
}

/** A client. It connects at once, stays connected, and keeps its subscriptions and publications across reconnects. */
export class Apus {
  #emitter = new Emitter();
  #links;
  #outbox;
  #feeds = new Set();
  #options;
  #host;
  #stopListening;

  constructor(url, options = {}) {
    const clientId = `js-${uuid().slice(0, 8)}`;
    const platform = { WebSocket: globalThis.WebSocket, takesHeaders: TAKES_HEADERS && !options.WebSocket };
    this.#options = { ...OPTIONS, clientId, ...platform, ...options };
    const servers = new Servers(url);
    const { minDelay, maxDelay, apiKey, token } = this.#options;
    if (apiKey !== undefined && token !== undefined) throw new TypeError("apiKey and token exclude each other");
    if (!this.#options.WebSocket) {
      throw new TypeError("there is no WebSocket here: use Node 22 or newer, or give one as the option WebSocket");
    }
    const isMain = (link) => link === this.#links[0];
    this.#host = {
      options: this.#options,
      servers,
      opened: (link) => { if (isMain(link)) this.#outbox.opened(); },
      lost: (link, code) => { if (isMain(link)) this.#outbox.lost(code); },
      answered: (reply) => this.#answered(reply),
      largest: (link) => (isMain(link) ? this.#outbox.largest : 0),
      refuse: (bytes) => this.#outbox.refuse(bytes),
      needs: (link) => link.feeds.size > 0 || (isMain(link) && this.#outbox.size > 0),
      turned: (link, detail) => { if (isMain(link)) this.#emitter.emit("state", { state: link.state, ...detail }); },
      fail: (error) => this.#end(error),
      report: (error) => { if (this.state !== "closed") this.#emitter.emit("error", error); },
      release: (feed, isSubscribed, error) => this.#release(feed, isSubscribed, error),
      there: (feed) => this.#outbox.there(feed.topic, isMain(feed.link)),
      gone: (topic) => this.#outbox.gone(topic),
      backoff: (attempt) => Math.random() * Math.min(maxDelay, minDelay * 2 ** attempt),
      malformed: (data) => this.#emitter.emit("error", Object.assign(
        new ApusError("MALFORMED", "the server sent what is no message of Apus"), { data })),
    };
    if (token !== undefined) this.#host.credential = new Credential(token, this.#host);
    this.#links = [new Link(this.#host)];
    this.#outbox = new Outbox(this.#links[0], this.#host);
    this.#links[0].wake();
    this.#stopListening = onReturn(() => { for (const link of [...this.#links]) link.hurry(); });
  }

  get state() { return this.#links[0].state; }
  get clientId() { return this.#options.clientId; }
  get url() { return this.#host.servers.current; }
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
    const abort = () => feed.end(undefined, true);
    if (signal?.aborted) {
      abort();
    } else {
      signal?.addEventListener("abort", abort);
      // A signal may live longer than any subscription.
      feed.released = () => signal?.removeEventListener("abort", abort);
    }
    return new Subscription(feed);
  }

  async publish(topic, payload, { id = uuid(), key, ttl, wait } = {}) {
    const message = { id, payload: payload === undefined ? null : payload };
    return { id, ...await this.#publish({ topic, message, key, ttl }, [id], wait) };
  }

  async publishBatch(topic, payloads, { ids = payloads.map(uuid), key, ttl, wait } = {}) {
    const messages = payloads.map((payload, i) => ({ id: ids[i], payload: payload === undefined ? null : payload }));
    return { ids, ...await this.#publish({ topic, messages, key, ttl }, ids, wait) };
  }

  async #publish(fields, ids, wait) {
    if (this.state === "closed") throw new ApusError("CLOSED", "the client is closed");
    const answer = this.#outbox.publish(fields, ids, wait);
    for (const { own } of this.#feeds) {
      for (const id of own ? ids : []) own.add(id);
      while (own?.size > OWN_IDS) own.delete(own.values().next().value);
    }
    const { type, request_id, topic, status, timestamp, ts = timestamp, ...outcome } = await answer;
    return { topic: fields.topic, ...outcome, ts };
  }

  #answered(reply) {
    if (!this.#outbox.answered(reply) && reply.type === "error") this.#emitter.emit("error", refusal(reply));
  }

  #release(feed, isSubscribed, error) {
    const { link } = feed;
    feed.released?.();
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
    this.#stopListening();
    for (const link of this.#links) link.close();
    this.#host.credential?.close();
    this.#outbox.close(error ?? new ApusError("CLOSED", "the client was closed"));
    for (const feed of [...this.#feeds]) feed.end(error, error === undefined);
    this.#emitter.emit("state", { state: "closed", error });
  }
}
