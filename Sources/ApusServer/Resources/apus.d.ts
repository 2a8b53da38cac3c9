/** Types of `apus.js`, the Apus client for browsers and Node 22 or newer. */

/** A place in a topic's log. Keep the one of the last event you handled, and a later `subscribe` goes on after it. */
export interface Position {
  epoch: string;
  offset: number;
}

/** Returns a token, now or later. `signal` is aborted when nobody waits for it any more. */
export type TokenProvider = (call: { signal: AbortSignal }) => string | Promise<string>;

export interface ApusOptions {
  /** Sent as the first message of a connection. It is never part of an address. */
  apiKey?: string;
  /**
   * A token (JWT), or a function that returns one. The function is called before each connection, and when the token is
   * about to expire, which renews it on the open connection. When it fails it is called again later; when it throws an
   * `ApusError` with the code `UNAUTHORIZED`, that ends the client. A token is never part of an address.
   */
  token?: string | TokenProvider;
  /** Name of this client's subscriptions. Default: a random one. */
  clientId?: string;
  /** Messages that may wait for their acknowledgement, offline too. Default 10,000; beyond it `QUEUE_FULL`. */
  publishQueue?: number;
  /** Milliseconds that a publication waits for its topic when that is gone after a reconnect. Default 30,000. */
  publishWait?: number;
  /**
   * Milliseconds: the delay before attempt n is random, up to `minDelay` × 2ⁿ and `maxDelay`. 250 and 30,000. Of several
   * servers all are tried in an attempt.
   */
  minDelay?: number;
  maxDelay?: number;
  /** Milliseconds until a connection must be made and authenticated, and until `token` must answer. Default 10,000. */
  connectTimeout?: number;
  /** Milliseconds between pings; a connection that answers neither of two is given up. Default 20,000; 0 = off. */
  pingInterval?: number;
  /** What to connect with where there is no global `WebSocket`. */
  WebSocket?: new (url: string, options?: any) => WebSocketLike;
  /**
   * Whether that takes `{ headers }` as its second argument, as those of Node and of the package `ws` do: a token then
   * goes into a header, and otherwise into a subprotocol. Default: `true` for Node's own.
   */
  takesHeaders?: boolean;
}

/** As much of a WebSocket as is used. */
export interface WebSocketLike {
  onopen: ((event: any) => any) | null;
  onmessage: ((event: any) => any) | null;
  onclose: ((event: any) => any) | null;
  onerror: ((event: any) => any) | null;
  send(text: string): void;
  close(code?: number): void;
}

export interface SubscribeOptions {
  /** Where to start: a position, a duration (`"10m"`), an RFC 3339 time, a `Date`, or `"all"`. Not for patterns. */
  since?: Position | Date | string;
  /** Replay so many messages first. Not together with `since`. */
  lastN?: number;
  /** What the server does when this subscription lags more than `queue` messages behind. Default: the topic's. */
  overflow?: "drop-oldest" | "drop-newest" | "latest" | "disconnect" | "throttle";
  queue?: number;
  /** `false`: not what this client publishes. */
  echo?: boolean;
  /** Also `presence` events: who else subscribes to the topic, and leaves it. */
  presence?: boolean;
  /** Events held for a slow consumer. Default 1,000. */
  buffer?: number;
  /** Waits for a topic that is not there, or is deleted, instead of ending. Needless for patterns. */
  wait?: boolean;
  /** The loop also yields all notices (`gap`, `dropped`, `waiting`, …), where they are in the order. */
  notices?: boolean;
  /** Instead of the client's. */
  clientId?: string;
  /** Closes the subscription when it is aborted. */
  signal?: AbortSignal;
}

export interface ApusEvent<Payload = any> {
  type: "event";
  topic: string;
  /** The publication's id. */
  id: string;
  payload: Payload;
  /** All of the publication, with whatever else its publisher put there. */
  message: { id: string; payload: Payload; [member: string]: unknown };
  key?: string;
  /** In the topic's log. Not with a pattern. */
  offset?: number;
  position?: Position;
  /** When it was published: RFC 3339, UTC. */
  ts: string;
}

/** Events may be missing here: the history did not reach back far enough, or the topic started over. */
export interface Gap {
  type: "gap";
  topic: string;
  recovered: false;
  /** What is missing, where that is known. */
  missed?: { from: number; to: number };
  position?: Position;
}

/** Events were dropped here, by the server's policy or, with a pattern, by a full buffer. */
export interface Dropped {
  type: "dropped";
  topic: string;
  dropped: number;
  /** First and last offset that were skipped, where there are offsets. */
  from?: number;
  to?: number;
  position?: Position;
}

/** The topic was deleted. This ends its subscription, unless that has `wait`; a pattern's goes on. */
export interface TopicDeleted {
  type: "topicDeleted";
  topic: string;
}

/** The topic is not there (any more), and is waited for. Told once, until it is there. */
export interface Waiting {
  type: "waiting";
  topic: string;
}

/** The topic that was waited for is there. */
export interface TopicCreated {
  type: "topicCreated";
  topic: string;
  position?: Position;
}

export type Notice = Gap | Dropped | TopicDeleted | Waiting | TopicCreated;

export interface SubscriptionEvents<Payload = any> {
  event: ApusEvent<Payload>;
  gap: Gap;
  dropped: Dropped;
  topicDeleted: TopicDeleted;
  /** At once, as `topicCreated`, and not only when the events before it were taken. */
  waiting: Waiting;
  topicCreated: TopicCreated;
  /** Each time that it gets events from then on: at first, after a reconnect, a full buffer, or waiting. */
  subscribed: { topic: string; position?: Position; recovered?: boolean };
  /** The server's warning before it cuts a subscription with `overflow: "disconnect"`. */
  warning: { topic: string; lag: number; queue: number };
  presence: { topic: string; change: "joined" | "left"; clientId: string };
  /** Nothing comes after it; where nobody takes events, it comes at once. With the error, if there was one. */
  end: ApusError | undefined;
}

/** Take events with `for await` or with a listener for `event`, not both. */
export class Subscription<Item = ApusEvent> implements AsyncIterable<Item> {
  private constructor();
  readonly topic: string;
  /** Of the last event that the loop or the listeners got; before that, where the subscription started. */
  readonly position: Position | undefined;
  /** Settles when the server has answered the first time. */
  readonly ready: Promise<void>;
  /** Adds a listener, and returns what removes it. */
  on<Type extends keyof SubscriptionEvents>(
    type: Type, listener: (detail: SubscriptionEvents[Type]) => unknown): () => void;
  /** Unsubscribes and ends the loop. Leaving the loop does the same. */
  close(): void;
  [Symbol.asyncIterator](): AsyncIterableIterator<Item>;
}

export interface PublishOptions {
  /** A UUID. Default: a random one. Publish again with the same, and a topic with a `dedupe_window` takes it once. */
  id?: string;
  /** What `overflow: "latest"` goes by; at most 256 bytes. */
  key?: string;
  /** Not delivered once older: seconds, or a duration such as `"30s"`. It starts when the server takes the message. */
  ttl?: number | string;
  /**
   * Milliseconds to wait for a topic that is not there, each time it is asked for. Default: `publishWait` where a
   * connection was lost since, otherwise 0.
   */
  wait?: number;
}

/** What became of a publication. */
export interface Outcome {
  topic: string;
  epoch: string;
  /** Of the message, or of the first of a batch. */
  offset: number;
  /** Subscriptions that it matched. */
  subscribers: number;
  /** Where it was at the time of the acknowledgement. */
  stored: "memory" | "os" | "disk" | "replicated";
  /** It was published before, and not delivered again. */
  duplicate: boolean;
  ts: string;
}

export type State =
  /** Nothing to do: only after the server closed the connection for a topic that was deleted. */
  | "idle"
  | "connecting"
  | "open"
  /** Until the next attempt to connect. */
  | "waiting"
  | "closed";

export interface ClientEvents {
  state: {
    state: State;
    /** Of `waiting`: milliseconds. */
    delay?: number;
    /** Of `waiting` and `idle`: how the connection ended. */
    code?: number;
    reason?: string;
    /** Of `closed`: why, if it was not `close()`. */
    error?: ApusError;
  };
  /**
   * What no promise or loop is there for: messages that make no sense (`MALFORMED`), refused subscriptions, a token
   * that is refused (`UNAUTHORIZED`) or that `token` does not return (`TOKEN_UNAVAILABLE`).
   */
  error: ApusError;
}

/** A client. It connects at once, stays connected, and keeps its subscriptions and publications across reconnects. */
export class Apus {
  /**
   * `ws://host/ws`, `http://host`, `https://host/apus/v1`. Default: the server that the page came from. Of several, one is
   * used at a time: the next one, when that cannot be reached or goes away.
   */
  constructor(url?: string | URL | readonly (string | URL)[], options?: ApusOptions);
  /** Of the connection. */
  readonly state: State;
  readonly clientId: string;
  /** Of the WebSocket: of several servers, of the one that the last connection was made to, or the next one will be. */
  readonly url: string;
  /** Adds a listener, and returns what removes it. */
  on<Type extends keyof ClientEvents>(type: Type, listener: (detail: ClientEvents[Type]) => unknown): () => void;
  /** `topic` is a topic's name, or a pattern such as `orders.*` or `orders.>`. */
  subscribe<Payload = any>(
    topic: string, options: SubscribeOptions & { notices: true }): Subscription<ApusEvent<Payload> | Notice>;
  subscribe<Payload = any>(topic: string, options?: SubscribeOptions): Subscription<ApusEvent<Payload>>;
  /** Resolves when the server has it, rejects with an `ApusError` when it will not. Offline, it waits. */
  publish(topic: string, payload: unknown, options?: PublishOptions): Promise<Outcome & { id: string }>;
  /** All of them with one acknowledgement, at consecutive offsets, or none. */
  publishBatch(topic: string, payloads: unknown[], options?: Omit<PublishOptions, "id"> & { ids?: string[] }):
    Promise<Outcome & { ids: string[]; count: number; duplicates?: number }>;
  /** Ends loops, and rejects publications that are not acknowledged with `CLOSED`. */
  close(): void;
}

/**
 * A refusal, by the server or by this client (`CLOSED`, `QUEUE_FULL`, `MESSAGE_TOO_BIG`, `MALFORMED`,
 * `TOKEN_UNAVAILABLE`).
 */
export class ApusError extends Error {
  constructor(code: string, message: string, retryAfter?: number);
  /** For programs. `message` is for people. */
  readonly code: string;
  /** Of `RATE_LIMITED`: after how many milliseconds to try again. */
  readonly retryAfter?: number;
  /** Of `MALFORMED`: what came. */
  readonly data?: unknown;
  /** Of `TOKEN_UNAVAILABLE`: what `token` threw. */
  readonly cause?: unknown;
}
