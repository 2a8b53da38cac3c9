// The filter of a tail: `payload.amount > 100 and key == "a"`. Parsed once, then asked for each message.

const tokens = /\s*(?:("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(==|!=|<=|>=|<|>|=|\(|\)|\[|\]|\.)|([\p{L}_$][\p{L}\p{N}_$-]*))/uy;
const comparisons = new Set(["==", "=", "!=", "<", "<=", ">", ">=", "contains", "startswith", "matches"]);
const roots = new Set(["payload", "key", "id", "offset", "ts", "topic", "message"]);
const deepest = 64;

// The parts of a regular expression that matter to `reach`, and those in which they mean nothing.
const expressionParts =
  /\\[1-9k]|\\.|\[(?:\\.|[^\]\\])*\]|\(\?(?:[a-z-]*:|<?[=!]|<[^>]*>)|[()|]|\?{1,2}|[*+]\??|\{\d+(,?)\d*\}\??/gsu;
const longestMatched = 2000;
const shortestMatched = 50;
const mostWays = 2e6;

export class FilterError extends Error {}

function split(text) {
  const found = [];
  let at = 0;
  while (text.slice(at).trim()) {
    tokens.lastIndex = at;
    const match = tokens.exec(text);
    if (!match) throw new FilterError(`Cannot read “${text.slice(at).trim().slice(0, 20)}”.`);
    const [whole, string, number, sign, word] = match;
    if (string !== undefined) found.push({ kind: "value", text: string, value: parsed(string) });
    else if (number !== undefined) found.push({ kind: "value", text: number, value: Number(number) });
    else found.push({ kind: sign === undefined ? "word" : "sign", text: sign ?? word });
    at += whole.length;
  }
  return found;
}

function parsed(string) {
  try { return JSON.parse(string); } catch { throw new FilterError(`${string} is not a JSON text.`); }
}

const kindOf = value => value === null ? "null" : typeof value;

function ordered(left, right, test) {
  const kind = kindOf(left);
  return kind === kindOf(right) && (kind === "number" || kind === "string") && test(left, right);
}

const tests = {
  "==": (left, right) => left === right,
  "!=": (left, right) => left !== right,
  "<": (left, right) => ordered(left, right, (a, b) => a < b),
  "<=": (left, right) => ordered(left, right, (a, b) => a <= b),
  ">": (left, right) => ordered(left, right, (a, b) => a > b),
  ">=": (left, right) => ordered(left, right, (a, b) => a >= b),
  contains: (left, right) => typeof left === "string" ? left.includes(String(right))
    : Array.isArray(left) && left.includes(right),
  startswith: (left, right) => typeof left === "string" && left.startsWith(String(right)),
};

class Parser {
  constructor(text) {
    this.tokens = split(text);
    this.at = 0;
    this.depth = 0;
  }

  get next() { return this.tokens[this.at]; }
  // A word or sign, if it comes next.
  take(text) {
    const token = this.next;
    if (!token || token.kind === "value" || token.text !== text) return false;
    this.at++;
    return true;
  }

  whole() {
    const test = this.either();
    if (this.next) throw new FilterError(`“${this.next.text}” is not expected there. Join conditions with and, or.`);
    return test;
  }

  either() {
    const parts = [this.both()];
    while (this.take("or")) parts.push(this.both());
    return parts.length === 1 ? parts[0] : event => parts.some(part => part(event));
  }

  both() {
    const parts = [this.single()];
    while (this.take("and")) parts.push(this.single());
    return parts.length === 1 ? parts[0] : event => parts.every(part => part(event));
  }

  single() {
    if (++this.depth > deepest) throw new FilterError("This is nested too deep.");
    let test;
    if (this.take("not")) {
      const inner = this.single();
      test = event => !inner(event);
    } else if (this.take("(")) {
      test = this.either();
      if (!this.take(")")) throw new FilterError("A “)” is missing.");
    } else {
      test = this.comparison();
    }
    this.depth--;
    return test;
  }

  comparison() {
    const path = this.path();
    const operator = this.next?.text;
    if (!this.next || this.next.kind === "value" || !comparisons.has(operator)) {
      return event => ![undefined, null, false].includes(lookUp(event, path));
    }
    this.at++;
    const right = this.value(operator);
    if (operator === "matches") {
      const [pattern, length] = expression(right);
      return event => {
        const left = lookUp(event, path);
        return typeof left === "string" && pattern.test(left.slice(0, length));
      };
    }
    const test = tests[operator === "=" ? "==" : operator];
    return event => test(lookUp(event, path), right);
  }

  path() {
    const root = this.next;
    if (root?.kind !== "word" || !roots.has(root.text)) {
      const found = root ? `“${root.text}” is none` : "something is missing";
      throw new FilterError(`A condition begins with payload, key, id, offset, ts or topic; ${found}.`);
    }
    this.at++;
    const path = [root.text];
    for (;;) {
      if (this.take(".")) path.push(this.member());
      else if (this.take("[")) {
        const index = this.next;
        if (index?.kind !== "value") throw new FilterError("Between “[” and “]” is a number or a text in quotes.");
        this.at++;
        path.push(index.value);
        if (!this.take("]")) throw new FilterError("A “]” is missing.");
      } else return path;
    }
  }

  member() {
    const token = this.next;
    if (!token || token.kind === "sign") throw new FilterError("A member's name is missing after the dot.");
    this.at++;
    return token.kind === "value" ? token.value : token.text;
  }

  value(operator) {
    const token = this.next;
    if (!token || token.kind === "sign") throw new FilterError(`A value is missing after “${operator}”.`);
    this.at++;
    if (token.kind === "value") return token.value;
    return token.text === "true" ? true : token.text === "false" ? false : token.text === "null" ? null : token.text;
  }
}

function expression(text) {
  let pattern;
  try { pattern = new RegExp(text, "u"); } catch { throw new FilterError(`“${text}” is not a regular expression.`); }
  return [pattern, reach(pattern.source)];
}

// How many characters of a text an expression gets. Nothing can stop one that runs, and a filter may come with a link.
// In the worst case, each repetition is tried with every length, and each choice doubles the ways.
function reach(text) {
  // Of each group that is open: whether what it matches varies.
  const varies = [false];
  let [repetitions, choices, closed, end] = [0, 0, false, 0];
  for (const { 0: part, 1: comma, index } of text.matchAll(expressionParts)) {
    const repeats = /^[*+{]/.test(part);
    if (repeats && closed && index === end) {
      throw new FilterError(`“${text}” could take too long: it repeats a group with *, +, ?, { or | in it.`);
    }
    if (part.startsWith("(")) varies.push(false);
    else if (part === ")") {
      [closed, end] = [varies.pop(), index + 1];
      if (closed) varies[varies.length - 1] = true;
    } else if (repeats || /^(?:[|?]|\\[1-9k])/.test(part)) {
      varies[varies.length - 1] = true;
      if (/^[|?]/.test(part)) choices++; else if (!part.startsWith("{") || comma) repetitions++;
    }
  }
  let ways = mostWays / 2 ** choices;
  for (let each = 2; each <= repetitions + 1; each++) ways *= each;
  const length = Math.floor(Math.min(longestMatched, ways ** (1 / (repetitions + 1))));
  if (length < shortestMatched) {
    throw new FilterError(`“${text}” could take too long: it has too many *, +, ?, { or |.`);
  }
  return length;
}

function lookUp(event, path) {
  let value = event;
  for (const part of path) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, part)) return undefined;
    value = value[part];
  }
  return value;
}

// A test for { payload, key, id, offset, ts, topic }, or null for an empty text. Throws a FilterError.
export function compile(text) {
  return text.trim() ? new Parser(text).whole() : null;
}
