// The protocol: each command with its members and a template, each message of the server. See docs/protocol.md.

const id = "550e8400-e29b-41d4-a716-446655440000";
const topic = ["topic", "text, required", "The topic’s name"];
const client = ["client_id", "text, required", "The subscriber’s name on this connection"];
const request = ["request_id", "text or number", "The answer repeats it"];

export const commands = [
  { name: "subscribe", about: "Get a topic’s messages, or those of all topics that match a pattern.",
    members: [["topic", "text, required", "A topic, or a pattern: orders.* or orders.>"], client,
      ["last_n", "integer", "Replay so many kept messages first"],
      ["since", "position, duration, time or “all”", "Replay from there on; not together with last_n"],
      ["positions", "true", "Events have their offset"],
      ["overflow", "drop-oldest, drop-newest, latest, disconnect, throttle",
        "What happens when this subscription is too slow"],
      ["queue", "integer", "How far it may be behind"], ["echo", "false", "Not what this connection publishes"],
      ["presence", "true", "Tell who else joins and leaves"], ["wait", "true", "Wait for a topic that is not there"],
        request],
    template: { type: "subscribe", topic: "orders", client_id: "try", last_n: 5 } },
  { name: "unsubscribe", about: "End a subscription.", members: [topic, client, request],
    template: { type: "unsubscribe", topic: "orders", client_id: "try" } },
  { name: "publish", about: "Publish a message.",
    members: [topic, ["message.id", "UUID, required", "Any text on /v1/ws"], ["message.payload", "JSON, required",
      "Passed on byte for byte"],
      ["key", "text", "What the message is about"], ["ttl", "duration", "How long it is worth delivering"],
      ["outcome", "true", "The ack tells offset, subscribers and where it is stored"], request],
    template: { type: "publish", topic: "orders", outcome: true, message: { id,
      payload: { order: "ORD-123", amount: 99.5 } } } },
  { name: "publish, batch", about: "Publish several messages: all of them, or none.",
    members: [topic, ["messages", "list of {id, payload}, required", "In place of message"], ["outcome", "true",
      "As above"], request],
    template: { type: "publish", topic: "orders", outcome: true, messages: [{ id, payload: 1 },
      { id: id.replace(/0$/, "1"), payload: 2 }] } },
  { name: "ping", about: "Ask for a pong.", members: [request], template: { type: "ping" } },
  { name: "auth", about: "Give a credential, or another one, on the open connection.",
    members: [["api_key", "text", "A key; or"], ["token", "text", "a token"], request], template: { type: "auth",
      api_key: "…" } },
];

const ts = "2026-11-21T10:00:00.123Z";

export const answers = [
  ["ack", "A command succeeded.", { type: "ack", request_id: "r1", topic: "orders", status: "ok", ts }],
  ["event", "A message of a topic.", { type: "event", topic: "orders", message: { id, payload: 1 }, key: "ORD-123",
    offset: 42, ts }],
  ["error", "A command was refused; the connection stays open in most cases.", { type: "error", request_id: "r1",
    error: { code: "TOPIC_NOT_FOUND", message: "Topic 'orders' not found" }, ts }],
  ["pong", "The answer to ping.", { type: "pong", request_id: "r1", ts }],
  ["info: ping", "The heartbeat.", { type: "info", msg: "ping", ts }],
  ["info: topic_deleted", "Ends the subscriptions to that topic.", { type: "info", topic: "orders",
    msg: "topic_deleted", ts }],
  ["info: topic_created", "What a subscription waited for is there.", { type: "info", topic: "orders",
    msg: "topic_created", epoch: "k3v9", ts }],
  ["info: not_recovered", "Messages after the position are gone.", { type: "info", topic: "orders",
    msg: "not_recovered", epoch: "k3v9", offset: 0, recovered: false, ts }],
  ["info: messages_dropped", "Stands where messages are missing.", { type: "info", topic: "orders",
    msg: "messages_dropped", dropped: 37, from: 42, to: 78, ts }],
  ["info: slow_consumer_warning", "80 % of the queue is full, under disconnect.", { type: "info", topic: "orders",
    msg: "slow_consumer_warning", lag: 812, queue: 1000, ts }],
  ["info: joined, left", "With presence: who comes and goes.", { type: "info", topic: "orders", msg: "joined",
    client_id: "s2", ts }],
  ["info: presence_dropped", "Such news was dropped.", { type: "info", topic: "orders", msg: "presence_dropped",
    dropped: 12, ts }],
  ["info: unsubscribed", "The credential no longer allows it.", { type: "info", topic: "orders", msg: "unsubscribed",
    reason: "FORBIDDEN", ts }],
  ["info: token_expiring", "Renew the credential with auth.", { type: "info", msg: "token_expiring",
    expires_in_ms: 30000, ts }],
  ["info: shutdown", "The server stops; when to come back.", { type: "info", msg: "shutdown", reconnect_after_ms: 3120,
    ts }],
];
