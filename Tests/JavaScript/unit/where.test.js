// The filter of the console's messages, with the cases that the command line has as well.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Message } from "../../../Sources/ApusServer/Resources/console/messages.js";
import { compile, FilterError } from "../../../Sources/ApusServer/Resources/console/where.js";

const cases = JSON.parse(readFileSync(new URL("../../conditions.json", import.meta.url), "utf8"));
const event = new Message(1, cases.event).value;

for (const [name, expected] of [["hold", true], ["fail", false]]) {
  test(`Conditions that ${name} in the command line do here`, () => {
    for (const condition of cases[name]) assert.equal(compile(condition)(event), expected, condition);
  });
}

test("Conditions that are wrong in the command line are wrong here", () => {
  for (const condition of cases.wrong) assert.throws(() => compile(condition), FilterError, condition);
});

test("No text is no condition", () => assert.equal(compile("  "), null));

test("Conditions of any depth and length end with an error", () => {
  for (const text of ["(".repeat(10_000), `${"not ".repeat(10_000)}true`, Array(10_000).fill("true").join(" and ")]) {
    assert.throws(() => compile(text), FilterError);
  }
});

test("An expression that could take too long is refused, and a long text is looked at in part", () => {
  for (const text of cases.slow) {
    assert.throws(() => compile(`payload ~ /${text}/`), /could take too long/, text);
    assert.throws(() => compile(`payload matches "${text.replaceAll("\\", "\\\\")}"`), /could take too long/, text);
  }
  for (const [text, length] of cases.reach) {
    const test = compile(`payload ~ /${text}/`);
    assert.equal(test({ payload: `${"x".repeat(length - 1)}b` }), true, text);
    assert.equal(test({ payload: `${"x".repeat(length)}b` }), false, text);
  }
  const late = { payload: "a".repeat(5000) + "b" };
  assert.equal(compile("payload ~ /b/")(late), false);
  assert.equal(compile("payload ~ '*b'")(late), true);
});

test("A glob with many stars takes little time, and a longer one is refused", () => {
  assert.equal(compile(`payload ~ "${"*a".repeat(127)}b"`)({ payload: "a".repeat(20_000) }), false);
  assert.throws(() => compile(`payload ~ "${"*a".repeat(129)}"`), /at most 256/);
});
