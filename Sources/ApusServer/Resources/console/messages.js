// The messages of a tail: kept within bounds, filtered in small steps, parsed when somebody looks.

export const mostKept = 100_000;
const mostBytes = 96 * 1024 * 1024;
// What came while the page could not draw, or was paused.
const mostWaiting = 200_000;
const stepTime = 8;

// One message as the server wrote it. It is parsed each time: a hundred thousand parsed ones would fill the memory.
export class Message {
  constructor(number, raw, value) {
    this.number = number;
    this.raw = raw;
    this.given = value;
  }

  get value() {
    if (this.given) return this.given;
    try {
      const { message, ...rest } = JSON.parse(this.raw);
      return { ...rest, id: message?.id, payload: message?.payload, message };
    } catch {
      return { payload: this.raw };
    }
  }
}

export class MessageList {
  #numbers = 0;
  #bytes = 0;
  // Both in order; what is in front of `begin` is gone, and cut off now and then.
  #all = { items: [], begin: 0 };
  #shown = { items: [], begin: 0 };
  #waiting = [];
  #waitingBytes = 0;
  #filtered = 0;
  #test = null;

  constructor() {
    this.received = 0;
    this.skipped = 0;
  }

  get kept() { return this.#all.items.length - this.#all.begin; }
  get length() { return this.#shown.items.length - this.#shown.begin; }
  get waiting() { return this.#waiting.length / 2; }
  // Whether the filter has still to look at some.
  get busy() { return this.#filtered < this.#all.items.length; }
  at(index) { return this.#shown.items[this.#shown.begin + index]; }

  // Given by the socket; taken into the list by `absorb`, once for each frame.
  add(raw, value) {
    this.received++;
    this.#waiting.push(raw, value);
    this.#waitingBytes += raw.length;
    if (this.waiting > mostWaiting || this.#waitingBytes > mostBytes) this.#skip();
  }

  // Down to half of both bounds at once: each cut copies what stays. The newest stays in any case.
  #skip() {
    let gone = 0;
    while (gone < this.#waiting.length - 2
      && (this.#waiting.length - gone > mostWaiting || this.#waitingBytes > mostBytes / 2)) {
      this.#waitingBytes -= this.#waiting[gone].length;
      gone += 2;
    }
    this.skipped += gone / 2;
    this.#waiting = this.#waiting.slice(gone);
  }

  // Takes in what waits, and filters for a few milliseconds; how many rows have left the front of what is shown.
  absorb() {
    const until = performance.now() + stepTime;
    let taken = 0;
    while (taken < this.#waiting.length && (taken % 512 !== 0 || performance.now() < until)) {
      const raw = this.#waiting[taken];
      this.#all.items.push(new Message(++this.#numbers, raw, this.#waiting[taken + 1]));
      this.#bytes += raw.length;
      this.#waitingBytes -= raw.length;
      taken += 2;
    }
    this.#waiting = taken === this.#waiting.length ? [] : this.#waiting.slice(taken);
    this.#evict();
    this.#filter(until);
    return this.#trim();
  }

  filter(test) {
    this.#test = test;
    this.#shown = { items: [], begin: 0 };
    this.#filtered = this.#all.begin;
  }

  clear() {
    this.#all = { items: [], begin: 0 };
    this.#waiting = [];
    this.#bytes = this.#waitingBytes = this.#filtered = this.received = this.skipped = 0;
    this.filter(this.#test);
  }

  #evict() {
    const all = this.#all;
    while (all.items.length - all.begin > mostKept || (this.#bytes > mostBytes && all.begin < all.items.length - 1)) {
      this.#bytes -= all.items[all.begin].raw.length;
      all.items[all.begin++] = undefined;
    }
    this.#filtered = Math.max(this.#filtered, all.begin);
    if (all.begin > mostKept) {
      this.#filtered -= all.begin;
      all.items = all.items.slice(all.begin);
      all.begin = 0;
    }
  }

  #filter(until) {
    const { items } = this.#all;
    const begin = this.#filtered;
    while (this.#filtered < items.length && ((this.#filtered - begin) % 8 !== 7 || performance.now() < until)) {
      const item = items[this.#filtered++];
      if (!this.#test || this.#test(item)) this.#shown.items.push(item);
    }
  }

  #trim() {
    const shown = this.#shown;
    const first = this.#all.items[this.#all.begin]?.number ?? Infinity;
    const before = shown.begin;
    while (shown.begin < shown.items.length
      && shown.items[shown.begin].number < first) shown.items[shown.begin++] = undefined;
    const gone = shown.begin - before;
    if (shown.begin > mostKept) {
      shown.items = shown.items.slice(shown.begin);
      shown.begin = 0;
    }
    return gone;
  }
}
