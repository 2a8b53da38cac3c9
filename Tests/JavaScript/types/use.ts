// Compiled, not run: the types take what the documentation shows, and refuse what is wrong.

import type { ApusEvent, Notice, Position } from "../../../Sources/ApusServer/Resources/apus.js";
import { Apus, ApusError } from "../../../Sources/ApusServer/Resources/apus.js";

interface Order {
  total: number;
}

export async function use(client: Apus): Promise<void> {
  const options = { apiKey: "secret", publishQueue: 10, publishWait: 5_000, WebSocket: globalThis.WebSocket };
  new Apus("http://localhost:8080", options).close();
  new Apus("http://localhost:8080", { token: "eyJ…", takesHeaders: true }).close();
  const login = async (signal: AbortSignal) => (await fetch("/token", { signal })).text();
  new Apus("http://localhost:8080", { token: ({ signal }) => login(signal) }).close();
  new Apus("http://localhost:8080", { token: () => { throw new ApusError("UNAUTHORIZED", "logged out"); } }).close();
  new Apus();
  console.log(new Apus(["https://a.example.org", new URL("https://b.example.org")] as const).url);

  let last: Position | undefined;
  const policy = { overflow: "latest", queue: 10 } as const;
  for await (const event of client.subscribe<Order>("orders", { since: last ?? "10m", ...policy })) {
    const total: number = event.payload.total;
    last = event.position;
    if (total > 3) break;
  }

  for await (const item of client.subscribe<Order>("orders", { notices: true, since: new Date() })) {
    const some: ApusEvent<Order> | Notice = item;
    if (item.type === "gap") console.log(item.missed?.from, some);
    else if (item.type === "dropped") console.log(item.dropped + 1);
    else if (item.type === "topicCreated") console.log(item.position?.epoch);
    else if (item.type === "waiting" || item.type === "topicDeleted") console.log(item.topic);
    else if (item.type === "event") console.log(item.payload.total);
  }

  const subscription = client.subscribe("orders.*", { signal: new AbortController().signal, wait: true });
  subscription.on("waiting", ({ topic }) => console.log(topic));
  const off: () => void = subscription.on("presence", ({ change, clientId }) => console.log(change, clientId));
  subscription.on("end", (error) => console.log(error?.code));
  await subscription.ready;
  off();

  const { offset, stored, id } = await client.publish("orders", { total: 3 }, { key: "k", ttl: "30s", wait: 1_000 });
  const { ids, count } = await client.publishBatch("orders", [1, 2], { ids: ["a", "b"], ttl: 3 });
  console.log(offset + count, stored, id, ids.length);

  client.on("state", ({ state, delay }) => console.log(state === "waiting" ? delay : state));
  client.on("error", (error: ApusError) => console.log(error.code, error.message, error.data, error.cause));

  // @ts-expect-error: no such policy
  client.subscribe("orders", { overflow: "explode" });
  // @ts-expect-error: a topic's name is a string
  client.subscribe(7);
  // @ts-expect-error: a token is a text
  new Apus("http://localhost:8080", { token: () => 7 });
  // @ts-expect-error: no such state
  client.on("state", ({ state }) => state === "sleeping");
  // @ts-expect-error: read only
  client.state = "open";
}
