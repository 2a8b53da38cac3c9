// Try: the protocol by hand. Commands with their members, a WebSocket, what was sent and what came.

import { credential, socketAddress, uuid } from "./api.js";
import { button, choice, field, h, select, setText, show, written } from "./dom.js";
import { clock } from "./format.js";
import { protocol } from "./protocol.js";
import { change } from "./route.js";
import { Rows } from "./rows.js";
import { coloured } from "./topic-message.js";
import { copy, dialog, table } from "./ui.js";

const mostLines = 5000;
// As long as the page is open, whatever view is shown.
const sent = [];

// Whether a text has a credential, or may have one once it is complete.
function isSecret(text) {
  try {
    const value = JSON.parse(text);
    return value?.type === "auth" || value?.api_key !== undefined || value?.token !== undefined;
  } catch {
    return /auth|token|api_key/i.test(text);
  }
}

// A text on several lines; one that is no JSON as it is.
function spread(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

// A text as it is listed: without its credential.
function masked(text) {
  if (!isSecret(text)) return text;
  try {
    const value = JSON.parse(text);
    for (const name of ["api_key", "token"]) if (value[name] !== undefined) value[name] = "…";
    return JSON.stringify(value);
  } catch {
    return "…";
  }
}

const row = cells => entry => {
  if (!entry) return;
  const values = [clock(entry.at, true), entry.direction, entry.kind, entry.text.slice(0, 500)];
  values.forEach((value, index) => setText(cells[index], value));
  cells[2].className = `kind is-${entry.kind}`;
};

class View {
  constructor(root, { commands, answers }) {
    this.lines = [];
    this.commands = commands;
    this.answers = answers;
    this.path = select([["ws", "/ws"], ["v1/ws", "/v1/ws"]], "ws",
      { change: () => change({ path: this.path.value === "ws" ? "" : this.path.value }) });
    this.connect = button("Connect", () => this.socket ? this.socket.close() : this.#connect(), "primary");
    this.state = h("span.badge", { role: "status" }, "not connected");
    this.names = choice("Command", commands.map(({ name }) => [name, name]), "",
      name => change({ command: name, text: "" }, { replace: false }));
    this.about = h("p");
    this.text = h("textarea", { rows: 7, class: "code", spellcheck: "false", "aria-label": "Command, JSON",
      ...written(400, () => this.#keep()),
        keydown: event => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#send(); } });
    this.problem = h("p.problem", { role: "status", hidden: true });
    this.send = button("Send", () => this.#send(), "primary");
    this.examples = h("ul.recent");
    this.schema = h("div");
    this.rows = new Rows({ label: "Sent and received", headless: true, row,
      columns: [["", "time"], ["", "direction"], ["", "kind"], ["", "payload"]], item: index => this.lines[index],
        open: index => this.#details(this.lines[index]) });
    this.history = h("ul.recent.sent");
    root.replaceChildren(h("div.try.view-fill",
      h("div.toolbar", field("Endpoint", this.path), this.connect, this.state, h("div.spacer"),
        button("Messages of the server", () => this.#answers()), h("a.button", { href: "docs" }, "HTTP interface")),
      h("div.columns",
        h("section.card", { "aria-labelledby": "try-command" }, h("h2", { id: "try-command" }, "Command"), this.names,
          this.about, this.text, this.problem,
          h("div.buttons", this.send, button("New ids", () => this.#renew()), h("span.soft", "Ctrl+Enter sends")),
            this.schema,
          h("h3", "Examples"), this.examples, h("h3", "Sent before"), this.history),
        h("section.card.stack", { "aria-labelledby": "try-log" }, h("header",
          h("h2", { id: "try-log" }, "Sent and received"),
          button("Clear", () => { this.lines = []; this.#draw(); }, "bare")), this.rows.node))));
    this.#listSent();
  }

  update(params) {
    const name = params.get("command") || "subscribe";
    const command = this.commands.find(each => each.name === name) ?? this.commands[0];
    this.path.value = params.get("path") || "ws";
    this.names.choose(command.name);
    const given = params.get("text");
    if (given || this.command !== command) this.secret = "";
    const text = given || this.secret || JSON.stringify(command.examples[0][1], null, 2);
    if (document.activeElement !== this.text) this.text.value = text;
    if (this.command !== command) this.#describe(command);
    // As in a link, or in a view that was saved.
    if (given && isSecret(given)) this.#keep(given);
  }

  #describe(command) {
    this.command = command;
    setText(this.about, command.about);
    this.schema.replaceChildren(table("Members", ["Member", "Value", ""],
      command.members.map(([member, kind, what]) => [h("code", member), [kind, "soft"], what])));
    this.examples.replaceChildren(...command.examples.map(([name, example]) =>
      h("li", button(name, () => this.#choose(JSON.stringify(example, null, 2)), "bare left"))));
  }

  // A text that is chosen from a list.
  #choose(text) {
    this.text.value = text;
    this.#keep();
  }

  // In the address, and so in the browser's history and in saved views, unless it has a credential.
  #keep(text = this.text.value) {
    this.secret = isSecret(text) ? text : "";
    change({ text: this.secret ? "" : text });
  }

  // Fresh ids: a topic with a dedupe window takes each once.
  #renew() {
    this.text.value = this.text.value.replace(/"id":(\s*)"[^"]*"/g, (_, space) => `"id":${space}"${uuid()}"`);
    this.#keep();
  }

  #connect() {
    const socket = this.socket = new WebSocket(socketAddress(this.path.value), ["apus"]);
    this.#say("connecting…", "");
    socket.onopen = () => {
      this.#say("connected", "good");
      this.#add("·", "local", `connected to ${socket.url}`);
      if (credential.value) {
        socket.send(JSON.stringify(credential.command));
        this.#add("→", "auth", masked(JSON.stringify(credential.command)));
      }
      if (this.afterwards) this.#send();
    };
    socket.onmessage = ({ data }) => this.#add("←", data.match(/^\{"type":"(\w+)"/)?.[1] ?? "", data);
    socket.onclose = ({ code, reason }) => {
      if (this.socket === socket) this.socket = null;
      // What waited for this connection is not for a later one.
      this.afterwards = false;
      this.#say("not connected", "");
      this.#add("·", "local", `closed: ${code} ${reason}`);
    };
  }

  #say(words, kind) {
    setText(this.state, words);
    this.state.className = `badge ${kind}`;
    setText(this.connect, this.socket ? "Disconnect" : "Connect");
  }

  #send() {
    let value;
    try { value = JSON.parse(this.text.value); } catch (error) { value = undefined; setText(this.problem,
      `It is sent as it is, though it is not JSON: ${error.message}`); }
    show(this.problem, value === undefined);
    if (this.socket?.readyState !== WebSocket.OPEN) {
      this.afterwards = true;
      if (!this.socket) this.#connect();
      return;
    }
    this.afterwards = false;
    const text = value === undefined ? this.text.value : JSON.stringify(value);
    this.socket.send(text);
    this.#add("→", String(value?.type ?? "text"), masked(text));
    // A credential is never listed.
    if (isSecret(text)) return;
    if (sent[0] !== text) sent.unshift(text);
    sent.length = Math.min(sent.length, 50);
    this.#listSent();
  }

  #add(direction, kind, text) {
    this.lines.push({ at: Date.now(), direction, kind, text });
    if (this.lines.length > mostLines + 500) this.lines.splice(0, this.lines.length - mostLines);
    if (!this.waits) {
      this.waits = requestAnimationFrame(() => { this.waits = 0; this.#draw(); });
    }
  }

  #draw() {
    const follow = this.rows.atEnd;
    this.rows.count = this.lines.length;
    if (follow) this.rows.toEnd();
    this.rows.renderNow();
  }

  #listSent() {
    this.history.replaceChildren(...sent.map(text => h("li", button(text.slice(0, 120),
      () => this.#choose(spread(text)),
      { class: "bare left code", title: text.slice(0, 500) }))));
    if (sent.length === 0) this.history.append(h("li.soft", "What you send is listed here, until the page is closed."));
  }

  #details({ text }) {
    dialog("Message", h("div", h("pre", { tabindex: "0" }, coloured(spread(text))), h("div.buttons.end",
      button("Copy", () => copy(text)))), { wide: true });
  }

  #answers() {
    dialog("What the server sends", h("div", this.answers.map(([name, about, example]) =>
      h("section", h("h3", name), h("p.soft", about), h("pre", coloured(JSON.stringify(example)))))), { wide: true });
  }

  close() {
    cancelAnimationFrame(this.waits);
    this.socket?.close();
    this.rows.close();
  }
}

export function mount(root, context) {
  let { params } = context;
  let view, closed = false;
  root.replaceChildren(h("p.soft", { role: "status" }, "Loading the protocol…"));
  protocol().then(table => {
    if (closed) return;
    view = new View(root, table);
    view.update(params);
  }, error => { if (!closed) root.replaceChildren(h("p.problem", { role: "alert" }, error.message)); });
  context.follow({ view: "none" }, {});
  return {
    update: given => { params = given; view?.update(given); },
    close: () => { closed = true; view?.close(); },
    get rows() { return view?.rows; },
  };
}
