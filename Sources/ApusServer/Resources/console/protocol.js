// The protocol, from the server's own AsyncAPI document: each command with its members and examples, each message of
// the server.

import { request } from "./api.js";

const names = { string: "text", boolean: "true or false", array: "list" };
let loaded;

// Asks once for as long as the page is open, unless that fails.
export function protocol() {
  loaded ??= request("/asyncapi.json").then(read).catch(error => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}

function read(document) {
  const resolve = node => node.$ref
    ? node.$ref.slice(2).split("/").reduce((value, key) => value[key], document) : node;
  const channel = document.channels.base;
  const messages = Object.values(document.operations).filter(({ channel: { $ref } }) => $ref === "#/channels/base")
    .reduce((found, { action, messages: own, reply }) => {
      for (const each of own) found[action].add(each.$ref);
      for (const each of reply?.messages ?? []) found.send.add(each.$ref);
      return found;
    }, { receive: new Set(), send: new Set() });
  const listed = kind => Object.keys(channel.messages)
    .filter(key => messages[kind].has(`#/channels/base/messages/${key}`)).map(key => resolve(channel.messages[key]));
  return { commands: listed("receive").map(message => command(message, resolve)),
    answers: listed("send").map(({ title, summary, examples }) => [title, summary, examples.at(-1).payload]) };
}

function command({ title, summary, payload, examples }, resolve) {
  return { name: title, about: summary, members: [...members(payload, resolve)],
    examples: examples.map(example => [example.summary || example.name, template(example.payload)]) };
}

// Under a name that tells who sends it.
function template({ request_id: _, ...given }) {
  return given.client_id ? { ...given, client_id: "try" } : given;
}

// A row for each member, and for the members of objects in it.
function* members(schema, resolve, prefix = "") {
  for (const [name, given] of Object.entries(schema.properties)) {
    const member = resolve(given);
    const required = schema.required?.includes(name);
    if (member.properties && !member.title) yield* members(member, resolve, `${name}.`);
    else if (prefix || name !== "type") {
      yield [prefix + name, kind(member, resolve) + (required ? ", required" : ""), plain(member.description)];
    }
  }
}

function kind(given, resolve) {
  const schema = resolve(given);
  if (schema.title) return plain(schema.title);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.join(", ");
  const choices = schema.anyOf ?? schema.allOf;
  if (choices) return choices.map(each => kind(each, resolve)).join(" or ");
  return [schema.type ?? "JSON"].flat().map(type => names[type] ?? type).join(" or ");
}

const plain = text => (text ?? "").replaceAll("`", "");
