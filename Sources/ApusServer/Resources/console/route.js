// The address: `#/VIEW/NAME?state`. All that a view shows is in it, so that a link shows the same.

export const views = ["overview", "topics", "topic", "subscribers", "try", "access", "log"];

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [view, name] = path.split("/");
  const known = views.includes(view) && (view !== "topic" || name) ? view : "overview";
  return { view: known, name: known === "topic" ? decoded(name) : "", params: new URLSearchParams(query) };
}

// What is empty is left out: the address of a view without any choice is short.
export function format(view, name, params = {}) {
  const query = new URLSearchParams();
  const entries = params instanceof URLSearchParams ? params : Object.entries(params);
  for (const [key, value] of entries) {
    if (value !== "" && value != null && value !== false) query.set(key, value);
  }
  const path = name ? `${view}/${encodeURIComponent(name)}` : view;
  const text = query.toString();
  return `#/${path}${text ? `?${text}` : ""}`;
}

export const current = () => parse(location.hash);

// Goes to an address, and shows what it says before the next click. A change of a filter replaces the entry, so that
// "back" leaves the view, and not each letter.
export function go(hash, { replace = false } = {}) {
  if (hash === location.hash) return;
  if (replace) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

// Changes some of the present view's state.
export function change(changes, options = { replace: true }) {
  const { view, name, params } = current();
  for (const [key, value] of Object.entries(changes)) {
    if (value === "" || value == null || value === false) params.delete(key);
    else params.set(key, value);
  }
  go(format(view, name, params), options);
}

export const topicLink = (name, params) => format("topic", name, params);
