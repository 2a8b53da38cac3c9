// Elements. All text becomes text nodes: nothing that comes from a server or an address is ever parsed as markup.

const svgNames = "http://www.w3.org/2000/svg";

const isAttributes = value => value?.constructor === Object;

// `tag` may have classes: "p.note.bad". Attributes may be left out.
function make(create, tag, rest) {
  const [name, ...classes] = tag.split(".");
  const node = create(name);
  if (classes.length > 0) node.setAttribute("class", classes.join(" "));
  const [attributes, children] = isAttributes(rest[0]) ? [rest[0], rest.slice(1)] : [{}, rest];
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (key === "value" || key === "checked") node[key] = value ?? "";
    else if (value !== false && value != null) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter(child => child != null && child !== false));
  return node;
}

export const h = (tag, ...rest) => make(name => document.createElement(name), tag, rest);
export const svg = (tag, ...rest) => make(name => document.createElementNS(svgNames, name), tag, rest);

// A field for one line of text that nobody corrects or remembers.
export const input = attributes => h("input", { autocomplete: "off", spellcheck: "false", ...attributes });

// The search field of a view, where `/` goes.
export const search = (label, action) => input({
  type: "search", placeholder: label, "aria-label": label, "data-search": true, maxlength: "255",
  ...written(200, action),
});

export const $ = (selector, root = document) => root.querySelector(selector);

// Changes a text only if it differs: what has not changed is not read out again, and keeps a selection.
export function setText(node, text) {
  const value = String(text ?? "");
  if (node.textContent !== value) node.textContent = value;
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

// Calls `action` once things have been quiet for `delay` ms.
export function quietly(delay, action) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(action, delay, ...values);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

let numbers = 0;
export const freshId = prefix => `${prefix}-${++numbers}`;

// For a field: acts once its reader has stopped writing, or at once when the reader leaves it.
export function written(delay, action) {
  let pending = false;
  const act = () => {
    if (pending) action();
    pending = false;
  };
  const later = quietly(delay, act);
  return { input: () => { pending = true; later(); }, blur: act };
}

// A label with its control, which may have a hint below it.
export function field(label, control, hint) {
  const id = control.id || (control.id = freshId("field"));
  const help = hint && h("small", { id: `${id}-hint`, class: "hint" }, hint);
  if (help) control.setAttribute("aria-describedby", help.id);
  return h("div.field", h("label", { for: id }, label), control, help);
}

export function select(options, value, attributes = {}) {
  const node = h("select", attributes, options.map(option => {
    const [key, text] = Array.isArray(option) ? option : [option, option];
    return h("option", { value: key }, text);
  }));
  node.value = value;
  return node;
}

// `kind` is a class, or attributes.
export function button(text, action, kind) {
  return h("button", { type: "button", click: action, ...isAttributes(kind) ? kind : { class: kind } }, text);
}

// A row of buttons of which one is chosen.
export function choice(label, options, value, changed) {
  const buttons = options.map(([key, text]) =>
    h("button", { type: "button", "aria-pressed": String(key === value), "data-key": key, click: () => changed(key) },
      text));
  const group = h("div.choice", { role: "group", "aria-label": label }, buttons);
  group.choose = chosen => {
    for (const each of buttons) each.setAttribute("aria-pressed", String(each.dataset.key === chosen));
  };
  return group;
}
