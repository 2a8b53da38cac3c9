// The last 15 minutes of the server's figures, as its stream tells them.

export const most = 900;
const names = ["publishes", "deliveries", "bytes_in", "bytes_out", "connections", "subscriptions", "topics", "drops",
  "memory", "cpu", "commits"];

export class Figures {
  constructor() {
    this.series = Object.fromEntries(names.map(name => [name, []]));
    this.step = 1000;
    this.length = most;
    this.limits = {};
    this.cursor = null;
    this.last = null;
    this.end = Date.now();
  }

  get from() { return this.end - (this.length - 1) * this.step; }

  // The whole; a server that started a minute ago knows only that minute.
  begin({ from, step_ms: step, series }) {
    this.step = step || 1000;
    let length = 0;
    for (const name of names) length = Math.max(length, series[name]?.length ?? 0);
    for (const name of names) {
      const values = (series[name] ?? []).slice(-most);
      this.series[name] = [...Array(most - values.length).fill(null), ...values];
    }
    this.end = new Date(from).getTime() + Math.max(0, length - 1) * this.step;
  }

  add(sample) {
    const at = new Date(sample.at).getTime();
    // What was missed, as by a page that was hidden, is a hole in the lines.
    const steps = Math.min(most, Math.max(1, Math.round((at - this.end) / this.step)));
    // The same moment as the history's last.
    if (at - this.end < this.step / 2 && this.last) return;
    for (const name of names) {
      const values = this.series[name];
      for (let missed = 1; missed < steps; missed++) values.push(null);
      values.push(sample[name] ?? null);
      while (values.length < most) values.unshift(null);
      if (values.length > most) values.splice(0, values.length - most);
    }
    this.end = at;
    this.last = sample;
    if (sample.memory_limit) this.limits.memory_limit = sample.memory_limit;
  }
}
