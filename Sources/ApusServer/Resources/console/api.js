// Requests to the server that the page came from, with the credential that the reader has given.

const store = "apus-console-credential";
// The page's own address may be `/` or `/prefix/`: modules lie one folder below it.
export const base = new URL("..", import.meta.url);
export const address = path => new URL(path.replace(/^\//, ""), base);

const listeners = new Set();
export const onCredential = listener => listeners.add(listener);

// Kept for this tab only, and never part of an address.
export const credential = {
  get value() { return sessionStorage.getItem(store) ?? ""; },
  set(value) {
    if (value) sessionStorage.setItem(store, value); else sessionStorage.removeItem(store);
    for (const listener of listeners) listener();
  },
  // Three parts with dots, the first of which is a JSON object: a token. All else is a key.
  get isToken() { return /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(this.value); },
  get headers() {
    if (!this.value) return {};
    return this.isToken ? { Authorization: `Bearer ${this.value}` } : { "X-API-Key": this.value };
  },
  get command() {
    return { type: "auth", [this.isToken ? "token" : "api_key"]: this.value, request_id: "console-auth" };
  },
};

export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || `The server answered ${status}.`);
    this.status = status;
    this.code = body?.code ?? "";
  }
}

const unreachable = "The server does not answer. It may be restarting, or the network may be away.";

export async function open(path, { method = "GET", query, body, headers, signal } = {}) {
  const url = address(path);
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== "" && value != null) url.searchParams.set(key, value);
  }
  let response;
  try {
    response = await fetch(url, { method, body, signal, cache: "no-store", credentials: "omit",
      headers: { Accept: "application/json", ...credential.headers, ...headers } });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, { detail: unreachable, code: "UNREACHABLE" });
  }
  if (response.ok) return response;
  let problem;
  try { problem = await response.json(); } catch { /* Not from Apus: a proxy in between. */ }
  throw new Problem(response.status, problem);
}

export async function request(path, options = {}) {
  const { json } = options;
  const response = await open(path, json === undefined ? options
    : { ...options, body: JSON.stringify(json), headers: { "Content-Type": "application/json", ...options.headers } });
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

export const topicPath = (name, rest = "") => `topics/${encodeURIComponent(name)}${rest}`;

export function socketAddress(path) {
  const url = address(path);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

export function uuid() {
  // `crypto.randomUUID` is there only on https and localhost.
  const random = crypto.getRandomValues(new Uint8Array(16));
  random[6] = random[6] & 0x0f | 0x40;
  random[8] = random[8] & 0x3f | 0x80;
  const hex = [...random].map(byte => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
