// Parts that several views use: notes, dialogs, panels, what is read out.

import { $, button, freshId, h, input, setText } from "./dom.js";
import { icon } from "./icons.js";

// Read out by screen readers, once and politely. Only for what somebody did or must know, never for figures.
export function announce(text) {
  setText($("#announcer"), "");
  setTimeout(() => setText($("#announcer"), text), 50);
}

let leaving = 0;

// A short answer to what somebody did, at the edge of the page.
export function toast(text, kind = "good") {
  const node = $("#toast");
  clearTimeout(leaving);
  node.className = `toast ${kind}`;
  setText(node, text);
  node.hidden = false;
  leaving = setTimeout(() => { node.hidden = true; }, kind === "bad" ? 9000 : 4000);
}

export const failed = error => toast(error.message, "bad");

// Does something for a button, which waits meanwhile.
export async function working(control, action) {
  control.disabled = true;
  try { return await action(); } catch (error) { failed(error); } finally { control.disabled = false; }
}

export const note = (text, kind = "") => h("p", { class: `note ${kind}` }, text);

export function empty(title, text, ...more) {
  return h("div.empty", h("h2", title), h("p", text), ...more);
}

// A dialog that ends with `close()`, Escape or its close button; `onclose` is called once.
export function dialog(title, content, { wide = false, onclose } = {}) {
  const heading = h("h2", { id: freshId("dialog") }, title);
  const node = h("dialog", { "aria-labelledby": heading.id, class: wide ? "wide" : "" },
    h("header", heading, h("button", { type: "button", class: "bare", "aria-label": "Close",
      click: () => node.close() }, icon("close"))),
    h("div.dialog-content", content));
  const before = document.activeElement;
  node.addEventListener("close", () => {
    node.remove();
    onclose?.();
    if (before?.isConnected) before.focus();
  });
  node.addEventListener("mousedown", event => { if (event.target === node) node.close(); });
  document.body.append(node);
  node.showModal();
  return node;
}

// Asks before something that cannot be taken back. With `typed`, that text must be typed first.
export function confirm({ title, text, action, typed, run }) {
  const yes = button(action, null, { class: "danger", disabled: Boolean(typed) });
  const name = typed && input({ "aria-label": `Type ${typed} to confirm`,
    input: () => { yes.disabled = name.value !== typed; } });
  const no = button("Cancel", () => node.close());
  const problem = h("p.problem", { role: "alert", hidden: true });
  const form = h("form", { submit: event => { event.preventDefault(); if (!yes.disabled) yes.click(); } },
    h("p", text),
    typed && h("p", "To confirm, type ", h("code", typed), "."), name, problem,
    h("div.buttons.end", no, yes));
  const node = dialog(title, form);
  yes.addEventListener("click", async () => {
    yes.disabled = true;
    try {
      await run();
      node.close();
    } catch (error) {
      problem.hidden = false;
      setText(problem, error.message);
      yes.disabled = false;
    }
  });
  (name ?? no).focus();
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    toast("The browser does not let this page copy. Select the text, and copy it yourself.", "bad");
  }
}

export function facts(pairs) {
  return h("dl.facts", pairs.filter(([, value]) => value != null && value !== "")
    .map(([name, value]) => h("div", h("dt", name), h("dd", value))));
}

export function badge(text, kind = "") {
  return h("span", { class: `badge ${kind}` }, text);
}

// A table that is as long as it is. `rows` are lists of cells: texts, nodes, or [content, class].
export function table(label, heads, rows) {
  const cell = (tag, value, extra = {}) => {
    const [content, kind] = Array.isArray(value) ? value : [value, ""];
    return h(tag, { class: kind, ...extra }, content);
  };
  return h("div.table", { tabindex: "0", role: "region", "aria-label": label },
    h("table", h("thead", h("tr", heads.map(head => cell("th", head, { scope: "col" })))),
      h("tbody", rows.map(row => h("tr", row.map(value => cell("td", value)))))));
}
