// What a message must be like to be shown: words somewhere in it, and a filter by JSON path.

import { compile } from "./where.js";

const places = {
  key: value => value.key ?? "",
  id: value => value.id ?? "",
  payload: value => typeof value.payload === "string" ? value.payload : JSON.stringify(value.payload) ?? "",
};

// A test for a `Message`, or null if all are shown. Throws a FilterError. Notices are always shown.
export function testFor(words, place, where) {
  const condition = compile(where);
  const wanted = words.toLowerCase();
  if (!condition && !wanted) return null;
  return message => {
    if (message.given?.notice) return true;
    if (wanted && !place && !message.raw.toLowerCase().includes(wanted)) return false;
    if (!condition && !place) return true;
    const { value } = message;
    if (wanted && place && !String(places[place]?.(value) ?? "").toLowerCase().includes(wanted)) return false;
    return !condition || condition(value);
  };
}
