// The types: that they compile with what the documentation shows, and that they have what the module has.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as client from "../../../Sources/ApusServer/Resources/apus.js";

test("The types take what is right and refuse what is wrong", () => {
  const program = process.env.TSC ?? "tsc";
  const { error, status, stdout } = spawnSync(program, [
    "--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--module", "es2022",
    // No types but these: not those of packages that lie about in a folder above.
    "--moduleResolution", "node", "--typeRoots", fileURLToPath(new URL(".", import.meta.url)),
    fileURLToPath(new URL("use.ts", import.meta.url)),
  ], { encoding: "utf8" });
  assert.ok(error === undefined, `TypeScript is needed (the package 'node-typescript'): ${error?.message}`);
  assert.equal(status, 0, stdout);
});

test("The types declare the classes of the module, with their members", async () => {
  const types = await readFile(new URL("../../../Sources/ApusServer/Resources/apus.d.ts", import.meta.url), "utf8");
  const declared = {};
  for (const [, name, body] of types.matchAll(/^export class (\w+)[^{]*\{\n(.*?)^\}/gms)) {
    const members = [...body.matchAll(/^ {2}(?:private |readonly )?(\w+)[(<?:]/gm)].map(([, member]) => member);
    declared[name] = [...new Set(members)].sort();
  }
  assert.deepEqual(Object.keys(declared).sort(), Object.keys(client).sort());
  for (const name of ["Apus", "Subscription"]) {
    assert.deepEqual(declared[name], Object.getOwnPropertyNames(client[name].prototype).sort(), name);
  }
});
