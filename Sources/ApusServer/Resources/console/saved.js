// Views under a name. All that a view shows is in its address, so a saved view is an address with a name.

import { button, field, h, input } from "./dom.js";
import { change, current, format } from "./route.js";
import { dialog, toast } from "./ui.js";

const store = "apus-console-views";
const most = 100;

function read() {
  try {
    const list = JSON.parse(localStorage.getItem(store)) ?? [];
    return Array.isArray(list) ? list.filter(each => typeof each?.name === "string"
      && String(each.hash).startsWith("#/")) : [];
  } catch { return []; }
}

const write = list => localStorage.setItem(store, JSON.stringify(list.slice(-most)));

export function savedViews() {
  const { view, name, params } = current();
  const list = h("ul.saved");
  const named = input({ required: true, maxlength: "60", value: params.get("saved") ?? "" });
  const draw = () => {
    list.replaceChildren(...read().map(each => h("li", h("a", { href: each.hash, click: () => node.close() },
      each.name), h("code.soft", each.hash.slice(0, 90)),
      button("Remove", () => { write(read().filter(other => other.name !== each.name)); draw(); },
        { class: "bare small", "aria-label": `Remove ${each.name}` }))));
    if (list.children.length === 0) list.append(h("li.soft",
      "None yet. They are kept in this browser; their addresses may be shared."));
  };
  const form = h("form.inline-controls", { submit: event => {
    event.preventDefault();
    params.set("saved", named.value);
    write([...read().filter(each => each.name !== named.value), { name: named.value,
      hash: format(view, name, params) }]);
    change({ saved: named.value });
    toast(`Saved as “${named.value}”.`);
    node.close();
  } }, field("Save this view as", named), h("button.primary", "Save"));
  draw();
  const node = dialog("Saved views", h("div", form, list));
  named.focus();
}
