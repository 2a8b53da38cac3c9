"use strict";
const $ = (selector, root = document) => root.querySelector(selector);
const base = new URL(".", location.href);
const address = path => new URL("." + path, base);

// Children that are strings become text nodes: nothing is ever parsed as markup.
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter(child => child != null));
  return node;
}

// Text with `code` in it.
function prose(text) {
  const parts = String(text ?? "").split("`");
  return parts.map((part, index) => index % 2 ? element("code", {}, part) : part);
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

function uuid() {
  // `crypto.randomUUID` is there only on https and localhost.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = bytes[6] & 0x0f | 0x40;
  bytes[8] = bytes[8] & 0x3f | 0x80;
  const hex = [...bytes].map(byte => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function authorized(headers = {}) {
  const key = $("#key").value;
  return key ? { ...headers, "X-API-Key": key } : headers;
}
const form = $("#socket");
const maxLog = 500;
let socket = null;
let requests = 0;

function log(direction, kind, text) {
  const list = $("#log");
  const follows = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
  const time = new Date().toISOString().slice(11, 23);
  list.append(element("li", { class: kind },
    element("time", {}, time), element("b", {}, direction), element("span", {}, text)));
  while (list.childElementCount > maxLog) list.firstElementChild.remove();
  if (follows) list.scrollTop = list.scrollHeight;
}

function show(connected, text) {
  $("#state").textContent = text;
  $("#state").classList.toggle("on", connected);
  $("#connect").textContent = socket ? "Disconnect" : "Connect";
  for (const button of form.querySelectorAll("[data-command]")) button.disabled = !connected;
}

function connect() {
  const url = address("/" + form.path.value);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const shown = url.href;
  if ($("#key").value) url.search = "api_key=" + encodeURIComponent($("#key").value);
  const opened = socket = new WebSocket(url);
  show(false, "connecting…");
  opened.onopen = () => {
    show(true, "connected");
    log("·", "local", "connected to " + shown);
  };
  opened.onmessage = message => {
    let kind = "";
    try { kind = JSON.parse(message.data).type; } catch { }
    log("←", ["ack", "event", "error", "pong", "info"].includes(kind) ? kind : "", String(message.data));
  };
  opened.onclose = event => {
    if (socket === opened) socket = null;
    show(false, "not connected");
    log("·", "local", `closed: ${event.code}${event.reason ? " " + event.reason : ""}`);
  };
}

function command(type) {
  const topic = form.topic.value;
  const request_id = "docs-" + ++requests;
  switch (type) {
    case "subscribe":
      return { type, topic, client_id: form.client.value, last_n: Number(form.last.value) || 0, request_id };
    case "unsubscribe":
      return { type, topic, client_id: form.client.value, request_id };
    case "publish":
      return { type, topic, message: { id: uuid(), payload: JSON.parse(form.payload.value) }, request_id };
    default:
      return { type, request_id };
  }
}

function send(type) {
  try {
    const text = JSON.stringify(command(type));
    socket.send(text);
    log("→", "", text);
  } catch (error) {
    log("·", "error", "not sent: " + error.message);
  }
}

form.addEventListener("submit", event => {
  event.preventDefault();
  if (socket) socket.close(); else connect();
});
form.addEventListener("click", event => {
  const type = event.target.dataset.command;
  if (type) send(type);
});
$("#clear").addEventListener("click", () => $("#log").replaceChildren());
$("#create").addEventListener("click", async () => {
  const body = JSON.stringify({ name: form.topic.value });
  try {
    const headers = authorized({ "Content-Type": "application/json" });
    const response = await fetch(address("/topics"), { method: "POST", headers, body });
    log("·", response.ok ? "local" : "error", `POST /topics: ${response.status} ${await response.text()}`);
  } catch (error) {
    log("·", "error", "POST /topics: " + error.message);
  }
});
let api = {};

function resolve(value) {
  if (!value || !value.$ref) return value ?? {};
  const target = value.$ref.split("/").slice(1).reduce((node, name) => node?.[name], api) ?? {};
  const { $ref, ...beside } = value;
  return { ...target, ...beside };
}

// A schema in the manner of a type: {"name": string, …}.
function describe(schema, depth = 0) {
  const value = resolve(schema);
  const indent = "  ".repeat(depth + 1);
  const end = "  ".repeat(depth);
  if ("const" in value) return JSON.stringify(value.const);
  if (value.enum) return value.enum.map(item => JSON.stringify(item)).join(" | ");
  if (value.type === "array") return `[${describe(value.items, depth)}, …]`;
  if (value.type === "object" && value.properties) {
    const required = new Set(value.required ?? []);
    const lines = Object.entries(value.properties).map(([name, member]) =>
      `${indent}"${name}"${required.has(name) ? "" : "?"}: ${describe(member, depth + 1)}`);
    return `{\n${lines.join(",\n")}\n${end}}`;
  }
  if (value.type === "object" && value.additionalProperties) {
    return `{\n${indent}"…": ${describe(value.additionalProperties, depth + 1)}\n${end}}`;
  }
  return [value.type ?? "any"].flat().join(" | ");
}

function responseRows(operation) {
  return Object.entries(operation.responses ?? {}).map(([status, reference]) => {
    const response = resolve(reference);
    const contents = Object.entries(response.content ?? {}).map(([type, media]) =>
      element("div", { class: "schema" },
        // All errors have one form, which is shown once, below: here only what tells them apart.
        media.example?.code ? `"code": "${media.example.code}"` : `${type}\n${describe(media.schema)}`));
    return element("tr", { class: Number(status) < 400 ? "good" : "bad" },
      element("td", {}, status),
      element("td", {}, ...prose(response.description), ...contents));
  });
}

function quoted(text) { return "'" + text.replaceAll("'", "'\\''") + "'"; }

function curl(method, url, headers, body) {
  const parts = ["curl", "-X", method, quoted(url.href)];
  for (const [name, value] of Object.entries(headers)) {
    parts.push("-H", quoted(`${name}: ${name === "X-API-Key" ? "…" : value}`));
  }
  if (body !== undefined) parts.push("-d", quoted(body));
  return parts.join(" ");
}

// Where a form's values go: the path, the query, the headers.
function request(path, inputs, body) {
  let filled = path;
  const query = new URLSearchParams();
  const headers = authorized(body ? { "Content-Type": "application/json" } : {});
  for (const { parameter, input: { value } } of inputs) {
    if (parameter.in === "path") {
      filled = filled.replace(`{${parameter.name}}`, () => encodeURIComponent(value));
    } else if (value && parameter.in === "header") {
      headers[parameter.name] = value;
    } else if (value) {
      const isList = resolve(parameter.schema).type === "array";
      for (const item of isList ? value.split(/\s+/) : [value]) query.append(parameter.name, item);
    }
  }
  const url = address(filled);
  url.search = query;
  return { url, headers };
}

const maxStream = 20000;

// Shows the end of a stream as it comes.
async function follow(response, show) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text = (text + part.value).slice(-maxStream);
    show(text);
  }
}

function tryIt(method, path, operation) {
  const inputs = operation.parameters.map(parameter => {
    const placeholder = resolve(parameter.schema).type === "array" ? "one or more, with spaces between" : null;
    const value = parameter.example ?? "";
    return { parameter, input: element("input", { value, placeholder, required: parameter.required }) };
  });
  const media = operation.requestBody?.content?.["application/json"];
  const example = Object.values(media?.examples ?? {})[0]?.value;
  const body = media && element("textarea", { rows: 2, spellcheck: "false" }, JSON.stringify(example ?? {}));
  const output = element("pre", { hidden: true, "aria-live": "polite" });
  const stop = element("button", { type: "button", hidden: true }, "Stop");
  let current = new AbortController();
  stop.addEventListener("click", () => current.abort());
  const submit = async event => {
    event.preventDefault();
    current.abort();
    const { signal } = current = new AbortController();
    const { url, headers } = request(path, inputs, body);
    output.hidden = false;
    output.textContent = "…";
    const shown = curl(method, url, headers, body?.value);
    try {
      const begin = performance.now();
      const response = await fetch(url, { method, headers, body: body?.value, signal });
      const type = response.headers.get("Content-Type") ?? "no content type";
      const head = `${shown}\n\n${response.status} ${response.statusText} · ${type}`;
      if (type.startsWith("text/event-stream")) {
        stop.hidden = false;
        return await follow(response, text => { output.textContent = `${head}\n${text}`; });
      }
      const text = await response.text();
      output.textContent = `${head} · ${(performance.now() - begin).toFixed(1)} ms\n${pretty(text)}`;
    } catch (error) {
      if (!signal.aborted) output.textContent = `${shown}\n\n${error.message}`;
    } finally {
      // A later request may be at work by now.
      if (current.signal === signal) stop.hidden = true;
    }
  };
  return element("form", { submit },
    ...inputs.map(({ parameter, input }) => element("label", {}, parameter.name, input)),
    body && element("label", {}, "Body, JSON", body),
    element("div", { class: "buttons" }, element("button", { class: "primary" }, "Send"), stop),
    output);
}

function operationCard(method, path, operation) {
  const isSocket = "101" in (operation.responses ?? {});
  const parameters = operation.parameters.map(parameter =>
    element("p", {}, element("code", {}, parameter.name), ` in ${parameter.in}. `,
      ...prose(parameter.description)));
  const requestSchema = operation.requestBody?.content?.["application/json"]?.schema;
  return element("details", { class: "card operation" },
    element("summary", {},
      element("span", { class: "method " + method }, isSocket ? "WS" : method.toUpperCase()),
      element("span", { class: "path" }, path),
      element("span", { class: "title" }, operation.summary ?? "")),
    element("div", { class: "inside" },
      operation.description && element("p", {}, ...prose(operation.description)),
      ...parameters,
      requestSchema && element("h4", {}, "Request"),
      requestSchema && element("div", { class: "schema" }, describe(requestSchema)),
      element("h4", {}, "Try it"),
      isSocket
        ? element("p", {}, "In the ", element("a", { href: "#console" }, "console"), " above.")
        : tryIt(method.toUpperCase(), path, operation),
      element("h4", {}, "Answers"),
      element("table", {}, element("tbody", {}, ...responseRows(operation)))));
}

async function load() {
  const response = await fetch(address("/openapi.json"), { headers: authorized() });
  if (!response.ok) throw new Error(`openapi.json: ${response.status}`);
  api = await response.json();
  $("#version").textContent = api.info.version;
  $("#about").replaceChildren(...prose(api.info.description));
  const groups = new Map(api.tags.map(tag => [tag.name, [element("h3", {}, ...prose(tag.description))]]));
  for (const [path, item] of Object.entries(api.paths)) {
    const { parameters: shared = [], ...operations } = item;
    for (const [method, operation] of Object.entries(operations)) {
      const parameters = [...shared, ...operation.parameters ?? []].map(resolve);
      groups.get(operation.tags?.[0])?.push(operationCard(method, path, { ...operation, parameters }));
    }
  }
  $("#operations").replaceChildren(...[...groups.values()].flat());
  const problem = api.components.schemas.Problem;
  $("#operations").append(
    element("h3", {}, `Errors, application/problem+json: ${problem.description ?? ""}`),
    element("div", { class: "card schema" }, describe(problem)));
}

load().catch(error => { $("#about").textContent = "The description did not load: " + error.message; });
