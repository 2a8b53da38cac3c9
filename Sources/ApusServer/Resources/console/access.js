// Access: what my credential may do, whether another may, and for administrators keys and revocations.

import { credential, request } from "./api.js";
import { button, field, h, input, select, setText, show } from "./dom.js";
import * as text from "./format.js";
import { change } from "./route.js";
import { badge, confirm, facts, note, table, toast, working } from "./ui.js";

const actions = ["subscribe", "history", "publish", "presence", "manage", "stats", "admin"];
const kinds = { anonymous: "No credential", key: "An API key", token: "A token" };

function ruleTable(rules) {
  return table("Rules", ["", "Actions", "Topics"], rules.map(({ deny, actions: what, topics }, index) =>
    [badge(`${index + 1} ${deny ? "deny" : "allow"}`, deny ? "bad" : "good"), what.join(", "), h("code",
      topics.join("  "))]));
}

function card(title, ...content) {
  return h("section.card", { "aria-label": title }, h("h2", title), content);
}

// Shows what a request comes to, or why it came to nothing.
async function load(into, path, draw) {
  try {
    into.replaceChildren(draw(await request(path)));
  } catch (error) {
    into.replaceChildren(note(error.message));
  }
}

function mine(access, signIn) {
  const { kind, id, expires, rules = [], server = {} } = access;
  return h("div", facts([["Credential", kinds[kind] ?? kind], ["Id", id], ["Ends", expires ? text.moment(expires)
    : "never"],
    ["Server’s figures", server.stats ? "yes" : "no"], ["Administration", server.admin ? "yes" : "no"]]),
  rules.length > 0 ? ruleTable(rules) : note(kind === "anonymous" && server.admin
    ? "This server is open: everybody may do everything." : "No rules: it may do nothing."),
  h("div.buttons", button(credential.value ? "Use another…" : "Give a key or token…", signIn),
    credential.value && button("Forget it", () => credential.set(""))));
}

class Check {
  constructor(params) {
    this.secret = input({ type: "password", placeholder: "empty: my own" });
    this.action = select(actions, params.get("action") || "subscribe",
      { change: () => change({ action: this.action.value }) });
    this.topic = input({ value: params.get("topic") ?? "", required: true, placeholder: "orders.eu or orders.>",
      change: () => change({ topic: this.topic.value }) });
    this.answer = h("div", { role: "status", class: "answer" });
    this.submit = h("button.primary", "Ask");
    this.node = card("May this token …?", h("form", { submit: event => { event.preventDefault(); this.#ask(); } },
      h("div.fields", field("Key or token", this.secret, "It is sent to this server only, and not kept."),
        field("Action", this.action), field("Topic or pattern", this.topic)),
      h("div.buttons", this.submit)), this.answer);
  }

  #ask() {
    const secret = this.secret.value.trim();
    const name = /^eyJ[\w-]*\./.test(secret) ? "token" : "api_key";
    working(this.submit, async () => {
      const json = { action: this.action.value, topic: this.topic.value, ...secret && { [name]: secret } };
      const { valid, allowed, because, id, expires } = await request("access/check", { method: "POST", json });
      const verdict = valid === false ? badge("not valid", "bad") : badge(allowed ? "yes" : "no", allowed ? "good"
        : "bad");
      this.answer.replaceChildren(h("p", verdict, " ", because ?? ""),
        facts([["Id", id], ["Ends", expires && text.moment(expires)]]));
    });
  }
}

function keyTable(keys) {
  if (keys.length === 0) return note("The server has no keys with an id.");
  return table("Keys", ["Id", "", "Label", "Ends", "Rules"], keys.map(each => [
    h("code", each.id),
    h("span", each.revoked && badge("revoked", "bad"), " ", each.expired && badge("expired", "warn")),
    each.label ?? "", each.expires ? text.moment(each.expires) : "never",
    h("span", (each.rules ?? []).map(({ deny, actions: what, topics }) => h("div",
      `${deny ? "deny " : ""}${what.join(", ")}: ${topics.join(" ")}`)))]));
}

function keyCard() {
  const list = h("div");
  const keys = [];
  let after = "";
  const page = () => load(list, `access/keys?limit=100${after && `&after=${encodeURIComponent(after)}`}`, answer => {
    keys.push(...answer.keys);
    after = answer.next ?? "";
    show(more, Boolean(after));
    return keyTable(keys);
  });
  const more = button("More", () => working(more, page), { hidden: true });
  page();
  return card("Keys", list, more);
}

class Revocations {
  constructor() {
    this.list = h("div");
    this.kind = select([["key", "Key id"], ["sub", "Token’s sub"], ["jti", "Token’s jti"]], "key");
    this.value = input({ required: true });
    this.submit = h("button.primary", "Revoke");
    this.next = button("More", () => this.load(this.after), { hidden: true });
    this.node = card("Revocations", this.list, this.next, h("form",
      { submit: event => { event.preventDefault(); this.#add(); } },
      h("div.fields", field("What", this.kind), field("Value", this.value)), h("div.buttons", this.submit)));
    this.load();
  }

  load(after) {
    return load(this.list, `revocations?limit=100${after ? `&after=${encodeURIComponent(after)}` : ""}`,
      ({ revocations, next }) => {
      this.after = next;
      show(this.next, Boolean(next));
      if (revocations.length === 0) return note("Nothing is revoked.");
      return table("Revoked", ["What", "Value", "Issued before", ""], revocations.map(each => {
        const kind = ["key", "sub", "jti"].find(name => each[name] !== undefined);
        return [kind, h("code", each[kind]), text.moment(each.issued_before), button("Accept again",
          event => this.#remove(each, event.target), "bare small")];
      }));
    });
  }

  #add() {
    const json = { [this.kind.value]: this.value.value };
    confirm({ title: `Revoke ${this.value.value}?`, action: "Revoke",
      text: "It is refused from now on, and connections that came with it are closed at once.",
      run: async () => {
        await request("revocations", { method: "POST", json });
        this.value.value = "";
        toast("Revoked.");
        await this.load();
      } });
  }

  #remove({ id }, control) {
    working(control, async () => {
      await request(`revocations/${encodeURIComponent(id)}`, { method: "DELETE" });
      toast("It is accepted again.");
      await this.load();
    });
  }
}

export function mount(root, { params, follow, signIn }) {
  const own = h("div", note("Asking the server…"));
  const check = new Check(params);
  const admin = h("div.columns");
  root.replaceChildren(h("div.access", h("div.columns", card("My credential", own), check.node), admin));
  follow({ view: "none" }, {});
  load(own, "access", access => {
    // A server that is open to everybody has no keys, and nothing to revoke.
    if (access.server?.admin && access.kind !== "anonymous") {
      admin.replaceChildren(keyCard(), new Revocations().node);
    }
    return mine(access, signIn);
  });
  return {
    update(changed) {
      setText(check.answer, "");
      if (document.activeElement !== check.topic) check.topic.value = changed.get("topic") ?? "";
      check.action.value = changed.get("action") || "subscribe";
    },
  };
}
