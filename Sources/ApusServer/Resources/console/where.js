// The filter of a tail: `payload.amount > 100 and key == "a"`. Parsed once, then asked for each message. Its language
// is that of docs/filters.md, which the command line has, too.

// Of each kind, in this order.
const tokens = new RegExp(`\\s*(?:${[
  /("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/, /(\/(?:[^/\\]|\\.)*\/[\p{L}_$]*)/u,
  /((?<=\.)\d+|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/, /(==|!=|!~|<=|>=|<|>|=|~|\(|\)|\[|\]|\.)/,
  /([\p{L}_$][\p{L}\p{N}_$-]*)/u,
].map(part => part.source).join("|")})`, "suy");
const kinds = ["string", "regex", "number", "sign", "word"];
const roots = {
  payload: "payload", key: "key", id: "id", offset: "offset", ts: "ts", time: "ts", topic: "topic", message: "message",
};
const reserved = new Set(["and", "or", "not", "contains", "startswith", "matches"]);
const constants = { true: true, false: false, null: null };
const escapes = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", "\"": "\"", "'": "'", "\\": "\\", "/": "/" };
const deepest = 64;
const mostConditions = 256;
const longestGlob = 256;

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
    const kind = kinds.findIndex((_, index) => match[index + 1] !== undefined);
    found.push({ kind: kinds[kind], text: match[kind + 1] });
    at += match[0].length;
  }
  return found;
}

// A backslash in front of something that JSON does not know stays, as for a regular expression or a glob.
const unquoted = string => string.slice(1, -1).replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gsu, (whole, code, sign) =>
  code ? String.fromCharCode(parseInt(code, 16)) : escapes[sign] ?? whole);

const kindOf = value => value === null ? "null" : Array.isArray(value) ? "array" : typeof value;

function equal(left, right) {
  const kind = kindOf(left);
  if (left === undefined || kind !== kindOf(right)) return false;
  if (kind !== "array" && kind !== "object") return left === right;
  const names = Object.keys(left);
  return names.length === Object.keys(right).length
    && names.every(name => Object.hasOwn(right, name) && equal(left[name], right[name]));
}

function ordered(left, right, test) {
  const kind = kindOf(left);
  return kind === kindOf(right) && (kind === "number" || kind === "string") && test(left, right);
}

// `text` is what the right side is for a search in texts.
const tests = {
  "=": equal,
  "==": equal,
  "!=": (left, right) => !equal(left, right),
  "<": (left, right) => ordered(left, right, (a, b) => a < b),
  "<=": (left, right) => ordered(left, right, (a, b) => a <= b),
  ">": (left, right) => ordered(left, right, (a, b) => a > b),
  ">=": (left, right) => ordered(left, right, (a, b) => a >= b),
  contains(left, right, text) {
    switch (kindOf(left)) {
      case "string": return text !== undefined && left.includes(text);
      case "array": return left.some(each => equal(each, right));
      case "object": return typeof right === "string" && Object.hasOwn(left, right);
      default: return false;
    }
  },
  startswith: (left, right, text) => typeof left === "string" && text !== undefined && left.startsWith(text),
};

class Parser {
  constructor(text) {
    this.tokens = split(text);
    this.at = 0;
    this.depth = 0;
    this.conditions = 0;
  }

  get next() { return this.tokens[this.at]; }
  // A word or sign, if it comes next.
  take(text) {
    const token = this.next;
    if (!token || (token.kind !== "word" && token.kind !== "sign") || token.text !== text) return false;
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
    if (++this.conditions > mostConditions) throw new FilterError(`These are more than ${mostConditions} conditions.`);
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
    const left = this.operand();
    for (const operator of ["~", "!~", "matches"]) {
      if (!this.take(operator)) continue;
      const matches = operator === "matches" ? expression(this.expressionText(), "u") : this.pattern(operator);
      const wanted = operator !== "!~";
      return event => {
        const value = left.of(event);
        return (typeof value === "string" && matches(value)) === wanted;
      };
    }
    const operator = Object.keys(tests).find(each => this.take(each));
    if (!operator) return event => ![undefined, null, false].includes(left.of(event));
    const right = this.operand(operator);
    return event => {
      const value = right.of(event);
      return tests[operator](left.of(event), value, right.text ?? (typeof value === "string" ? value : undefined));
    };
  }

  // What is left or right of an operator. Right of one, a word that names nothing is a text.
  operand(operator) {
    const token = this.next;
    const { kind, text } = token ?? {};
    if (kind === "word" && Object.hasOwn(roots, text)) {
      const path = this.path();
      return { of: event => path.reduce(step, event) };
    }
    const isConstant = kind === "word" && Object.hasOwn(constants, text);
    const isText = kind === "string" || (operator && kind === "word" && !reserved.has(text));
    if (!isConstant && !isText && kind !== "number") {
      if (operator) throw new FilterError(`A value is missing after “${operator}”.`);
      const found = token ? `“${text}” is none` : "something is missing";
      throw new FilterError(`A condition begins with payload, key, id, offset, ts or topic; ${found}.`);
    }
    this.at++;
    const written = kind === "string" ? unquoted(text) : text;
    const value = isConstant ? constants[text] : kind === "number" ? Number(text) : written;
    return { of: () => value, text: written };
  }

  path() {
    const root = this.next.text;
    this.at++;
    const path = [roots[root]];
    for (;;) {
      const isMember = this.take(".");
      if (!isMember && !this.take("[")) return path;
      if (root !== "payload" && root !== "message") throw new FilterError(`${root} has no members.`);
      const { kind, text } = this.next ?? {};
      if (kind === "string") path.push(unquoted(text));
      else if (isMember && (kind === "word" || kind === "number")) path.push(text);
      else if (!isMember && kind === "number" && Number.isInteger(Number(text))) path.push(Number(text));
      else {
        throw new FilterError(isMember ? "A member's name is missing after the dot."
          : "Between “[” and “]” is a whole number or a text in quotes.");
      }
      this.at++;
      if (!isMember && !this.take("]")) throw new FilterError("A “]” is missing.");
    }
  }

  pattern(operator) {
    const { kind, text } = this.next ?? {};
    this.at++;
    if (kind === "string") return glob(unquoted(text));
    if (kind !== "regex") {
      throw new FilterError(`After “${operator}” is a glob in quotes, or a regular expression between slashes.`);
    }
    const end = text.lastIndexOf("/");
    const flags = text.slice(end + 1);
    if (flags && flags !== "i") throw new FilterError("After a regular expression only i may follow, for any case.");
    return expression(text.slice(1, end), `u${flags}`);
  }

  expressionText() {
    const { kind, text } = this.next ?? {};
    this.at++;
    if (kind === "string") return unquoted(text);
    if (kind === "word" || kind === "number") return text;
    throw new FilterError("A value is missing after “matches”.");
  }
}

// For the whole text: * is anything, ? one character, a backslash takes the next one as it is. It goes back to the last
// star only, so that it takes at most the product of both lengths.
function glob(text) {
  const parts = [...text.matchAll(/\\(.)|(.)/gsu)].map(([, literal, sign]) =>
    literal ?? (sign === "*" || sign === "?" ? { sign } : sign));
  if (parts.length > longestGlob) throw new FilterError(`A glob has at most ${longestGlob} characters.`);
  return value => {
    const characters = Array.from(value);
    let [place, at, star, from] = [0, 0, -1, 0];
    while (at < characters.length) {
      if (parts[place]?.sign === "*") [star, from] = [++place, at];
      else if (place < parts.length && (parts[place].sign === "?" || parts[place] === characters[at])) {
        place++;
        at++;
      } else if (star >= 0) [place, at] = [star, ++from];
      else return false;
    }
    return parts.slice(place).every(part => part.sign === "*");
  };
}

function expression(text, flags) {
  let pattern;
  try { pattern = new RegExp(text, flags); } catch { throw new FilterError(`“${text}” is not a regular expression.`); }
  const length = reach(pattern.source);
  return value => pattern.test(value.slice(0, length));
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

// A member of an object, or an element of a list: from 0, or from -1 at its end.
function step(value, part) {
  if (Array.isArray(value)) {
    if (part === "length") return value.length;
    return typeof part === "number" || /^\d+$/.test(part) ? value.at(Number(part)) : undefined;
  }
  if (value === null || typeof value !== "object" || !Object.hasOwn(value, part)) return undefined;
  return value[part];
}

// A test for { payload, key, id, offset, ts, topic }, or null for an empty text. Throws a FilterError.
export function compile(text) {
  return text.trim() ? new Parser(text).whole() : null;
}
