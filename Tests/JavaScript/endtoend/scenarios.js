// What a client must do against a real server: the same on Node and in a browser, so nothing of either is used here.
// A scenario gets `url` (a way to the server that can be cut), `guarded` (addresses of servers that ask for
// credentials), `control` (what only the test's own process can do) and `client(options)`, which makes a client that is
// closed afterwards.

function equal(actual, expected, what) {
  const [left, right] = [actual, expected].map((value) => JSON.stringify(value));
  if (left !== right) throw new Error(`${what}: got ${left}, wanted ${right}`);
}

const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
const numbers = (count, first = 1) => Array.from({ length: count }, (_, i) => i + first);
const state = (client, wanted) => new Promise((resolve) => {
  if (client.state === wanted) resolve();
  else client.on("state", (change) => { if (change.state === wanted) resolve(change); });
});

/** Takes from a loop until it has so many items, then leaves it. */
async function take(subscription, count, afterEach = () => {}) {
  const items = [];
  for await (const item of subscription) {
    items.push(item);
    await afterEach(item);
    if (items.length === count) break;
  }
  return items;
}

const payloads = (items) => items.map((item) => item.payload ?? item.type);

const short = { expires: "1s" };

export const scenarios = {
  async "A publish has an outcome, and its event the same position"({ client, control }) {
    await control({ action: "create", name: "outcome" });
    const apus = client();
    const subscription = apus.subscribe("outcome");
    await subscription.ready;
    equal(subscription.position.offset, 0, "start");
    const payload = { text: "Straße ☃ 𝄞", deep: [1, { two: null }] };
    const { id, epoch, offset, subscribers, stored, duplicate } = await apus.publish("outcome", payload, { key: "k" });
    equal([offset, subscribers, stored, duplicate], [1, 1, "memory", false], "outcome");
    const [event] = await take(subscription, 1);
    equal([event.id, event.payload, event.key, event.position], [id, payload, "k", { epoch, offset }], "event");
  },

  async "A batch is at consecutive offsets"({ client, control }) {
    await control({ action: "create", name: "batch" });
    const apus = client();
    const { ids, count, offset } = await apus.publishBatch("batch", numbers(50));
    equal({ count, offset }, { count: 50, offset: 1 }, "outcome");
    const events = await take(apus.subscribe("batch", { since: "all" }), 50);
    equal(events.map((event) => [event.id, event.offset]), ids.map((id, i) => [id, i + 1]), "events");
    equal(payloads(events), numbers(50), "payloads");
  },

  async "History is replayed: the last few, all, since a position"({ client, control }) {
    await control({ action: "create", name: "history" });
    const apus = client();
    await apus.publishBatch("history", numbers(10));
    const last = await take(apus.subscribe("history", { lastN: 3 }), 3);
    equal(payloads(last), [8, 9, 10], "last three");
    equal(payloads(await take(apus.subscribe("history", { since: "10m" }), 10)), numbers(10), "of ten minutes");
    const rest = await take(apus.subscribe("history", { since: last[0].position }), 2);
    equal(payloads(rest), [9, 10], "after a position");
  },

  async "Cut again and again, every message arrives once and in order"({ client, control }) {
    await control({ action: "create", name: "cut", settings: { history: 10_000, dedupe_window: "2m" } });
    const total = 400;
    const notices = [];
    const readers = numbers(4).map(() => {
      const subscription = client().subscribe("cut");
      for (const type of ["gap", "dropped"]) subscription.on(type, (notice) => notices.push(notice));
      return subscription;
    });
    await Promise.all(readers.map((reader) => reader.ready));
    const reading = readers.map((reader) => take(reader, total));
    const publisher = client();
    const outcomes = [];
    for (const number of numbers(total)) {
      outcomes.push(publisher.publish("cut", number));
      if (number % 10 === 0) await pause(10);
      if (number % 40 === 0) await control({ action: "cut" });
    }
    equal((await Promise.all(outcomes)).map((outcome) => outcome.offset), numbers(total), "outcomes");
    for (const items of await Promise.all(reading)) equal(payloads(items), numbers(total), "read");
    equal(notices, [], "notices");
  },

  async "A slow loop with a small buffer loses nothing"({ client, control }) {
    await control({ action: "create", name: "slow", settings: { history: 10_000 } });
    const apus = client();
    const subscription = apus.subscribe("slow", { buffer: 10, notices: true });
    await subscription.ready;
    const reading = take(subscription, 300, ({ offset }) => offset % 7 === 0 && pause(2));
    for (const first of [1, 101, 201]) await apus.publishBatch("slow", numbers(100, first));
    equal(payloads(await reading), numbers(300), "read");
  },

  async "Offline, publications wait, and go out in their order"({ client, control }) {
    await control({ action: "create", name: "offline" });
    const apus = client({ publishQueue: 3 });
    await state(apus, "open");
    await control({ action: "shut" });
    await state(apus, "waiting");
    const outcomes = numbers(3).map((number) => apus.publish("offline", number));
    const code = await apus.publish("offline", 4).catch((error) => error.code);
    equal(code, "QUEUE_FULL", "a fourth one");
    await control({ action: "open" });
    equal((await Promise.all(outcomes)).map((outcome) => outcome.offset), [1, 2, 3], "outcomes");
  },

  async "What history no longer has is a gap that says what is missing"({ client, control }) {
    await control({ action: "create", name: "gap", settings: { history: 5 } });
    const apus = client();
    const subscription = apus.subscribe("gap", { notices: true });
    await subscription.ready;
    let came;
    const first = new Promise((resolve) => { came = resolve; });
    const reading = take(subscription, 7, () => came());
    // Its ack comes before its event, which the cut must not keep away.
    await apus.publish("gap", 1);
    await first;
    await control({ action: "shut" });
    await state(apus, "waiting");
    for (const number of numbers(20, 2)) await control({ action: "publish", name: "gap", settings: number });
    await control({ action: "open" });
    const items = await reading;
    equal(payloads(items), [1, "gap", 17, 18, 19, 20, 21], "items");
    equal([items[1].recovered, items[1].missed], [false, { from: 2, to: 16 }], "missed");
  },

  async "A pattern hears of topics made later, and its reconnect is a gap"({ client, control }) {
    const apus = client();
    const subscription = apus.subscribe("pattern.*", { notices: true });
    await subscription.ready;
    await control({ action: "create", name: "pattern.new" });
    await apus.publish("pattern.new", 1);
    const items = take(subscription, 3, async (item) => {
      if (item.payload === 1) await control({ action: "cut" });
      if (item.type === "gap") await apus.publish("pattern.new", 2);
    });
    equal(payloads(await items), [1, "gap", 2], "items");
  },

  async "Overlapping subscriptions each get their own copy"({ client, control }) {
    await control({ action: "create", name: "overlap.one" });
    const apus = client();
    const topics = ["overlap.one", "overlap.one", "overlap.*", "overlap.>"];
    const subscriptions = topics.map((topic) => apus.subscribe(topic));
    await Promise.all(subscriptions.map((subscription) => subscription.ready));
    const reading = subscriptions.map((subscription) => take(subscription, 20));
    for (const number of numbers(20)) apus.publish("overlap.one", number).catch(() => {});
    for (const items of await Promise.all(reading)) equal(payloads(items), numbers(20), "read");
  },

  async "Without echo, only others' messages come, after a reconnect too"({ client, control }) {
    await control({ action: "create", name: "echo" });
    const [apus, other] = [client(), client()];
    const subscription = apus.subscribe("echo", { echo: false });
    await subscription.ready;
    const reading = take(subscription, 2);
    await apus.publish("echo", "own");
    await other.publish("echo", "first");
    await apus.publish("echo", "own again");
    await control({ action: "cut" });
    await other.publish("echo", "second");
    equal(payloads(await reading), ["first", "second"], "read");
  },

  async "A deleted topic ends its loop after the last event"({ client, control }) {
    await control({ action: "create", name: "deleted" });
    const apus = client();
    const subscription = apus.subscribe("deleted", { notices: true });
    await subscription.ready;
    await apus.publish("deleted", 1);
    await control({ action: "delete", name: "deleted" });
    equal(payloads(await take(subscription, Infinity)), [1, "topicDeleted"], "items");
    const code = await apus.publish("deleted", 2).catch((error) => error.code);
    equal(code, "TOPIC_NOT_FOUND", "publish");
    equal(await apus.subscribe("deleted").ready.catch((error) => error.code), "TOPIC_NOT_FOUND", "subscribe");
  },

  async "A topic that is not there is waited for, and each deletion over"({ client, control }) {
    const apus = client();
    const subscription = apus.subscribe("later", { wait: true, notices: true });
    await subscription.ready;
    const reading = take(subscription, 11);
    for (const number of [1, 2]) {
      await control({ action: "create", name: "later" });
      await apus.publish("later", number);
      await control({ action: "delete", name: "later" });
    }
    await control({ action: "create", name: "later" });
    await apus.publish("later", 3);
    const again = ["topicDeleted", "waiting", "topicCreated"];
    equal(payloads(await reading), ["waiting", "topicCreated", 1, ...again, 2, ...again, 3], "items");
  },

  async "What is larger than the server takes fails alone"({ client, control }) {
    await control({ action: "create", name: "big", settings: { history: 1_000, dedupe_window: "2m" } });
    const apus = client();
    const subscription = apus.subscribe("big");
    await subscription.ready;
    const reading = take(subscription, 40);
    // One that gets smaller on its way, where there is compression, and one that does not.
    const big = "x".repeat(3 << 20);
    const dense = Array.from({ length: 300_000 }, () => Math.random().toString(36).slice(2, 12)).join("");
    const outcomes = numbers(40).map((number) => apus.publish("big", number));
    const refused = [big, dense].map((payload) => apus.publish("big", payload).catch((error) => error.code));
    outcomes.push(...numbers(40, 41).map((number) => apus.publish("big", number)));
    equal(await Promise.all(refused), ["MESSAGE_TOO_BIG", "MESSAGE_TOO_BIG"], "refused");
    await Promise.all(outcomes);
    equal(payloads(await reading), numbers(40), "read");
    const long = apus.subscribe("x".repeat(2 << 20));
    equal(await long.ready.catch((error) => error.code), "MESSAGE_TOO_BIG", "a subscribe");
    equal((await apus.publish("big", 81)).offset, 81, "afterwards");
  },

  async "Presence tells who comes and goes"({ client, control }) {
    await control({ action: "create", name: "presence" });
    const subscription = client().subscribe("presence", { presence: true });
    await subscription.ready;
    const changes = [];
    const both = new Promise((resolve) => {
      subscription.on("presence", ({ change, clientId }) => {
        changes.push([change, clientId]);
        if (changes.length === 2) resolve();
      });
    });
    const guest = client({ clientId: "guest" }).subscribe("presence");
    await guest.ready;
    guest.close();
    await both;
    equal(changes, [["joined", "guest"], ["left", "guest"]], "changes");
  },

  async "A token is renewed on the open connection while messages flow"({ client, control, guarded }) {
    const on = "renewing";
    await control({ action: "create", name: "flow", on, settings: { history: 10_000 } });
    await control({ action: "create", name: "more", on });
    let calls = 0;
    const token = () => {
      calls += 1;
      return control({ action: "mint", on, settings: calls === 1 ? { ...short, allow: ["*:flow"] } : {} });
    };
    const apus = client({ token }, guarded.renewing);
    const states = [];
    apus.on("state", (change) => states.push(change.state));
    const subscription = apus.subscribe("flow");
    await subscription.ready;
    let sent = 0;
    // What the first token does not allow, and the second one does.
    const isRenewed = () => apus.publish("more", 1).then(() => true, ({ code }) => {
      equal(code, "FORBIDDEN", "before");
      return false;
    });
    do {
      await apus.publish("flow", (sent += 1));
      await pause(5);
    } while (!await isRenewed());
    equal(calls, 2, "calls of the provider");
    const events = await take(subscription, sent);
    equal(payloads(events), numbers(sent), "read");
    equal([apus.state, states.includes("waiting")], ["open", false], "the connection");
  },

  async "A token that ends is replaced with a reconnect, and nothing is lost"({ client, control, guarded }) {
    const on = "expiring";
    await control({ action: "create", name: "ends", on, settings: { history: 10_000, dedupe_window: "2m" } });
    let isFirst = true;
    let ended;
    const token = () => {
      if (!isFirst && !ended) throw new Error("nothing new yet");
      isFirst = false;
      return control({ action: "mint", on, settings: ended ? {} : short });
    };
    const apus = client({ token }, guarded.expiring);
    apus.on("state", (change) => { if (change.state === "waiting") ended ??= change; });
    const subscription = apus.subscribe("ends");
    await subscription.ready;
    let sent = 0;
    while (!ended) {
      await apus.publish("ends", (sent += 1));
      await pause(5);
    }
    await apus.publish("ends", (sent += 1));
    equal([ended.code, ended.reason], [1008, "TOKEN_EXPIRED"], "end");
    equal(payloads(await take(subscription, sent)), numbers(sent), "read");
  },

  async "A token that stays the same ends the client when it ends, is revoked, or is wrong"(
    { client, control, guarded }) {
    const mint = (on, settings) => control({ action: "mint", on, settings });
    const expired = client({ token: await mint("expiring", short) }, guarded.expiring);
    equal((await state(expired, "closed")).error.code, "TOKEN_EXPIRED", "ended");
    const eve = await mint("renewing", { sub: "eve" });
    const revoked = client({ token: eve }, guarded.renewing);
    await state(revoked, "open");
    const closed = state(revoked, "closed");
    await control({ action: "revoke", on: "renewing", settings: { sub: "eve" } });
    equal((await closed).error.code, "REVOKED", "revoked");
    // A page does not see why a handshake failed; the client finds out.
    for (const token of [eve, "no.such.token"]) {
      const wrong = client({ token }, guarded.renewing);
      const outcome = wrong.publish("any", 1).catch((error) => error.code);
      equal([(await state(wrong, "closed")).error.code, await outcome], ["UNAUTHORIZED", "UNAUTHORIZED"], "wrong");
    }
  },

  async "A renewal with fewer rights ends just the subscriptions that need them"({ client, control, guarded }) {
    const on = "renewing";
    for (const name of ["fewer.one", "fewer.two"]) await control({ action: "create", name, on });
    let allow = ["subscribe:fewer.*", "publish:fewer.*"];
    const token = () => {
      const settings = allow.length > 2 ? { allow } : { ...short, allow };
      allow = ["subscribe:fewer.two", "publish:fewer.two", "stats:fewer.two"];
      return control({ action: "mint", on, settings });
    };
    const apus = client({ token }, guarded.renewing);
    const [one, two] = ["fewer.one", "fewer.two"].map((topic) => apus.subscribe(topic));
    const ended = new Promise((resolve) => { one.on("end", resolve); });
    await Promise.all([one.ready, two.ready]);
    equal((await ended).code, "FORBIDDEN", "the one");
    equal(await apus.publish("fewer.one", 1).catch((error) => error.code), "FORBIDDEN", "publish");
    await apus.publish("fewer.two", 2);
    equal(payloads(await take(two, 1)), [2], "the other");
  },

  async "The v1 dialect serves as well"({ client, control, url }) {
    await control({ action: "create", name: "v1" });
    const apus = client({}, `${url}/v1`);
    const { id } = await apus.publish("v1", 1, { id: "not-a-uuid" });
    const [event] = await take(apus.subscribe("v1", { lastN: 1 }), 1);
    equal([id, event.id, typeof event.ts], ["not-a-uuid", "not-a-uuid", "string"], "event");
  },
};

/** Runs one, and closes what it opened. */
export async function runScenario(name, { Apus, url, guarded, control }) {
  const clients = [];
  const client = (options, address = url) => {
    const made = new Apus(address, { minDelay: 10, maxDelay: 100, ...options });
    clients.push(made);
    return made;
  };
  try {
    const late = pause(20_000).then(() => { throw new Error("not done after 20 s"); });
    await Promise.race([scenarios[name]({ client, control, url, guarded }), late]);
  } finally {
    for (const made of clients) made.close();
    await control({ action: "open" });
  }
}
