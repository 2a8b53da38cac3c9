// The JavaScript client under the scenarios: steps as JSON lines on standard input, what happens on standard output.

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Apus } from "../../Sources/ApusServer/Resources/apus.js";

const [url, tokenFile] = process.argv.slice(2);
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const range = (missed) => (missed ? [missed.from, missed.to] : null);

const token = tokenFile ? async () => (await readFile(tokenFile, "utf8")).trim() : undefined;
const client = new Apus(url.split(","), { token, minDelay: 50, maxDelay: 300 });
client.on("state", ({ state, code, reason }) => {
  if (state === "waiting") say({ event: "lost", reason: `${code} ${reason}` });
});

let mayTake = Promise.resolve();
let goOn;

function item(thing) {
  switch (thing.type) {
    case "event": return { payload: thing.payload, offset: thing.offset };
    case "gap": return { notice: "gap", missed: range(thing.missed) };
    case "dropped": return { notice: "dropped", missed: range(thing.from === undefined ? undefined : thing) };
    default: return { notice: thing.type };
  }
}

async function read(topic, options) {
  try {
    for await (const thing of client.subscribe(topic, { ...options, notices: true })) {
      say({ event: "item", ...item(thing) });
      await mayTake;
    }
    say({ event: "ended", code: null });
  } catch (error) {
    say({ event: "ended", code: error.code });
  }
}

async function publish(topic, payload, id) {
  try {
    const { offset, duplicate } = await client.publish(topic, payload, id ? { id } : {});
    say({ event: "outcome", offset, duplicate });
  } catch (error) {
    say({ event: "refused", code: error.code });
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const step = JSON.parse(line);
  switch (step.do) {
    case "subscribe": return void read(step.topic, step.options);
    case "publish": return void publish(step.topic, step.payload, step.id);
    case "pause": mayTake = new Promise((resolve) => { goOn = resolve; }); return undefined;
    case "resume": return goOn();
    default: throw new Error(`no step ${step.do}`);
  }
}).on("close", () => {
  client.close();
  // What is said must be out before the end.
  process.stdout.write("", () => process.exit(0));
});
