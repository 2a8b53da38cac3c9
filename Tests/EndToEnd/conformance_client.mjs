// The JavaScript client, doing what `apus conformance client` tells the client under test to do.

import { Apus } from "../../Sources/ApusServer/Resources/apus.js";

const client = new Apus(process.argv[2]);
client.on("state", ({ state }) => { if (state === "closed") process.exit(0); });

let publishes = true;
setTimeout(function publish() {
  client.publish("conformance", { text: "hello" }).catch(() => {});
  if (publishes) setTimeout(publish, 100);
});

for await (const { payload } of client.subscribe("conformance")) {
  if (payload.done) break;
}
publishes = false;
