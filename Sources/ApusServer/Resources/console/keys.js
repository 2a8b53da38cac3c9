// Keys of the page, and the list of them.

import { $, h } from "./dom.js";
import { go } from "./route.js";
import { dialog } from "./ui.js";

const places = { o: "overview", t: "topics", s: "subscribers", y: "try", a: "access", l: "log" };
const list = [
  ["/", "Search"], ["j  k", "Next, previous row"], ["Enter", "Open the row"], ["Esc", "Close, or leave a field"], ["p",
    "Pause and go on, in messages"],
  ["g o", "Overview"], ["g t", "Topics"], ["g s", "Subscribers"], ["g y", "Try"], ["g a", "Access"], ["g l", "Log"],
    ["b", "Back to the view before"], ["?", "This list"],
];

export function help() {
  dialog("Keys", h("dl.keys", list.map(([keys, what]) =>
    h("div", h("dt", keys.split(/ +/).map(key => h("kbd", key))), h("dd", what)))));
}

const isField = node => node.matches?.("input, textarea, select, [contenteditable]");

// `view()` is the view that is shown: it may have `rows` and `togglePause`.
export function listen(view) {
  let going = 0;
  const actions = {
    "/": () => { const search = $("[data-search]"); search?.focus(); search?.select(); },
    j: () => view()?.rows?.move(1),
    k: () => view()?.rows?.move(-1),
    Enter: () => view()?.rows?.enter(),
    p: () => view()?.togglePause?.(),
    b: () => history.back(),
    "?": help,
  };
  addEventListener("keydown", event => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
    if (isField(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    // Enter on a link or button is theirs.
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
    if (performance.now() - going < 1500 && places[event.key]) {
      going = 0;
      go(`#/${places[event.key]}`);
    } else if (event.key === "g") {
      going = performance.now();
    } else if (actions[event.key]) {
      actions[event.key]();
    } else return;
    event.preventDefault();
  });
}
