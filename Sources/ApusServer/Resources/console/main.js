// The console: its frame, its views, its one stream, and the credential.

import * as access from "./access.js";
import { credential, onCredential } from "./api.js";
import { $, button, field, h, input, setText, show } from "./dom.js";
import { bird, icon } from "./icons.js";
import { Figures } from "./figures.js";
import { help, listen } from "./keys.js";
import * as log from "./log.js";
import * as overview from "./overview.js";
import { current } from "./route.js";
import { savedViews } from "./saved.js";
import { ConsoleStream } from "./stream.js";
import * as subscribers from "./subscribers.js";
import * as topic from "./topic.js";
import * as topics from "./topics.js";
import * as tryView from "./try.js";
import { announce, dialog } from "./ui.js";

const views = { overview, topics, topic, subscribers, try: tryView, access, log };
const names = [["overview", "Overview"], ["topics", "Topics"], ["subscribers", "Subscribers"], ["try", "Try"],
  ["access", "Access"], ["log", "Log"]];
const themes = { auto: ["auto", "Colours: as the system"], light: ["sun", "Colours: light"], dark: ["moon",
  "Colours: dark"] };
const root = $("#view");
const server = {
  version: "", started: null, rights: null, data: false, skew: 0, figures: new Figures(),
  now: () => Date.now() + server.skew,
  get admin() { return Boolean(server.rights?.admin); },
};
const ended = { TOKEN_EXPIRED: "The credential has ended.", REVOKED: "The credential was revoked." };
let shown = null;

const stream = new ConsoleStream(tellState, {
  hello({ version, started, rights, data, server_time: time }) {
    const before = server.rights;
    Object.assign(server, { version, started, rights, data, skew: new Date(time) - Date.now() });
    setText($("#version"), version);
    show($("#banner"), false);
    // What a view offers depends on the rights.
    if (before && JSON.stringify(before) !== JSON.stringify(rights)) mount(current());
  },
  history: history => server.figures.begin(history),
  sample: sample => server.figures.add(sample),
});

function tellState(state, detail) {
  const words = { connecting: "connecting", live: "live", away: "coming back", expired: "ended", refused: "no access" };
  const node = $("#state");
  node.className = `state ${state}`;
  setText(node, words[state]);
  node.title = state === "away" ? detail.message : "";
  // Such as too many consoles: the server answers, and says why not.
  if (state === "away" && detail.status > 0) banner(detail.message);
  if (state === "expired") banner(`${ended[detail?.code] ?? ended.TOKEN_EXPIRED} What you see is what was last known.`);
  else if (state === "refused" && detail.status === 401) banner(credential.value
    ? `This credential is not accepted. ${detail.message}` : "This server asks for a key or a token.");
  else if (state === "refused" && detail.status === 403) banner(`This credential may not see this. ${detail.message}`);
  else if (state === "refused") banner(detail.message);
}

// One calm message above the view, which stays as it is.
function banner(text) {
  setText($("#banner-text"), text);
  show($("#banner"), true);
  announce(text);
}

export function signIn() {
  const secret = input({ type: "password" });
  const form = h("form", { submit: event => {
    event.preventDefault();
    credential.set(secret.value.trim());
    node.close();
  } }, field("API key or token", secret,
    "Kept in this tab until it is closed, and sent as a header to this server only."),
  h("div.buttons.end", credential.value && button("Forget the present one",
    () => { credential.set(""); node.close(); }), h("button.primary", "Use it")));
  const node = dialog("Your credential", form);
  secret.focus();
}

function mount(address) {
  shown?.close?.();
  const { view, name, params } = address;
  const context = { name, params, server, signIn, follow: (query, handlers) => stream.follow(query, handlers) };
  shown = { view, name };
  root.className = `is-${view}`;
  root.scrollTop = 0;
  const mounted = views[view].mount(root, context);
  Object.defineProperties(shown, Object.getOwnPropertyDescriptors(mounted ?? {}));
}

function title({ view, name, params }) {
  const label = name || names.find(([key]) => key === view)[1];
  return `${params.get("saved") ? `${params.get("saved")} · ` : ""}${label} · Apus`;
}

function navigate() {
  const address = current();
  document.title = title(address);
  const place = address.view === "topic" ? "topics" : address.view;
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.view === place) link.setAttribute("aria-current",
      "page"); else link.removeAttribute("aria-current");
  }
  if (shown && shown.view === address.view && shown.name === address.name) return void shown.update?.(address.params);
  const moved = Boolean(shown);
  mount(address);
  if (moved) announce(title(address));
}

function setTheme(theme) {
  localStorage.setItem("apus-console-theme", theme);
  document.documentElement.dataset.theme = theme;
  const [picture, label] = themes[theme];
  $("#theme").replaceChildren(icon(picture));
  $("#theme").setAttribute("aria-label", label);
  $("#theme").title = label;
}

function frame() {
  $("#bird").setAttribute("d", bird);
  $("#nav").append(...names.map(([view, name]) => h("a", { href: `#/${view}`, "data-view": view }, icon(view),
    h("span", name))));
  const tool = (id, picture, label, action) => {
    const node = $(id);
    node.replaceChildren(icon(picture));
    node.setAttribute("aria-label", label);
    node.title = label;
    node.addEventListener("click", action);
  };
  tool("#saved", "star", "Saved views", savedViews);
  tool("#credential", "key", "Your credential", signIn);
  tool("#help", "help", "Keys", help);
  const order = Object.keys(themes);
  $("#theme").addEventListener("click", () => setTheme(order[(order.indexOf(document.documentElement.dataset.theme)
    + 1) % order.length]));
  const theme = localStorage.getItem("apus-console-theme");
  setTheme(order.includes(theme) ? theme : "auto");
  $("#banner-sign-in").addEventListener("click", signIn);
  $("#skip").addEventListener("click", event => { event.preventDefault(); root.focus(); });
}

frame();
listen(() => shown);
onCredential(() => {
  $("#credential").classList.toggle("given", Boolean(credential.value));
  stream.stopped = true;
  server.rights = null;
  server.figures = new Figures();
  mount(current());
  stream.restart();
});
$("#credential").classList.toggle("given", Boolean(credential.value));
addEventListener("hashchange", navigate);
navigate();
