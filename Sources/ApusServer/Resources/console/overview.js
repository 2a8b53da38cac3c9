// Overview: what the server did in the last 15 minutes, and what it does now.

import { h, setText, show } from "./dom.js";
import * as text from "./format.js";
import { Plot } from "./plot.js";
import { badge, empty, table } from "./ui.js";

const plots = [
  { title: "Messages", format: text.rate, minimum: 4,
    lines: [{ key: "deliveries", label: "delivered" }, { key: "publishes", label: "published" }] },
  { title: "Bytes", format: text.byteRate, minimum: 1000,
    lines: [{ key: "bytes_out", label: "out" }, { key: "bytes_in", label: "in" }] },
  { title: "Connections", format: text.short, minimum: 4,
    lines: [{ key: "subscriptions", label: "subscriptions" }, { key: "connections", label: "connections" }] },
  { title: "Memory", format: text.bytes, limit: "memory_limit", lines: [{ key: "memory", label: "in use" }] },
  { title: "Processor", format: text.percent, minimum: 0.1, lines: [{ key: "cpu", label: "of one core" }] },
  { title: "Dropped for slow subscribers", format: text.rate, minimum: 4, lines: [{ key: "drops", label: "dropped" }] },
  { title: "Commits to the disk", format: text.rate, minimum: 4, lines: [{ key: "commits", label: "commits" }] },
];

const tiles = [
  ["Published", sample => text.rate(sample.publishes), sample => `${text.byteRate(sample.bytes_in)} in`],
  ["Delivered", sample => text.rate(sample.deliveries), sample => `${text.byteRate(sample.bytes_out)} out`],
  ["Connections", sample => text.count(sample.connections), sample => text.plural(sample.subscriptions ?? 0,
    "subscription")],
  ["Topics", sample => text.count(sample.topics), () => ""],
  ["Dropped", sample => text.rate(sample.drops), sample => sample.drops > 0 ? "see Subscribers" : "nobody is too slow"],
];

function tile([title, value, detail]) {
  const number = h("strong", text.none);
  const below = h("small", "\u00a0");
  return {
    node: h("div.tile", h("span", title), number, below),
    update(sample) {
      setText(number, value(sample));
      setText(below, detail(sample) || "\u00a0");
    },
  };
}

function bar(label) {
  const name = h("span", label);
  const value = h("b", text.none);
  const level = h("i");
  const meter = h("div.meter", { role: "meter", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100" },
    level);
  return {
    node: h("div.bar", name, value, meter),
    update(part, words) {
      setText(value, words);
      const percent = Math.round(100 * Math.min(1, Math.max(0, part || 0)));
      level.style.width = `${percent}%`;
      meter.setAttribute("aria-valuenow", String(percent));
      meter.setAttribute("aria-valuetext", words);
      meter.classList.toggle("high", percent >= 90);
      meter.classList.toggle("raised", percent >= 75 && percent < 90);
    },
  };
}

// Memory, disk and loops: how much of what there is is used.
class Usage {
  constructor() {
    this.memory = bar("Memory");
    this.disk = bar("Disk");
    this.loops = [];
    this.loopList = h("div.bars.loops", { role: "group", "aria-label": "Event loops" });
    this.diskPath = h("small.soft");
    this.node = h("section.card.usage", { "aria-labelledby": "usage-title" },
      h("header", h("h3", { id: "usage-title" }, "In use")),
      h("div.bars", this.memory.node, this.disk.node, this.diskPath), this.loopList);
  }

  update(sample) {
    const { memory, memory_limit: limit, disk, loops = [] } = sample;
    this.memory.update(limit ? memory / limit : 0,
      limit ? `${text.bytes(memory)} of ${text.bytes(limit)}` : text.bytes(memory));
    show(this.disk.node, Boolean(disk));
    show(this.diskPath, Boolean(disk?.path));
    if (disk) {
      const free = disk.free ?? null;
      this.disk.update(free === null ? 0 : disk.bytes / (disk.bytes + free),
        free === null ? text.bytes(disk.bytes) : `${text.bytes(disk.bytes)}, ${text.bytes(free)} free`);
      setText(this.diskPath, disk.path ?? "");
    }
    while (this.loops.length > loops.length) this.loops.pop().node.remove();
    loops.forEach((loop, index) => {
      if (!this.loops[index]) {
        this.loops[index] = bar(`Loop ${index + 1}`);
        this.loopList.append(this.loops[index].node);
      }
      this.loops[index].update(loop.busy,
        `${text.percent(loop.busy)}, ${text.plural(loop.connections ?? 0, "connection")}`);
    });
  }
}

function nodeTable(nodes) {
  return table("Nodes of the cluster", ["Node", "Address", "Version", "State", ["Connections", "number"], ["Messages behind", "number"]],
    nodes.map(node => [node.name, node.address || text.none, node.version,
      badge(node.ready ? "ready" : "not ready", node.ready ? "good" : "bad"),
      [text.count(node.connections), "number"], [text.count(node.lag), "number"]]));
}

export function mount(root, { follow, server }) {
  const { figures } = server;
  const heads = tiles.map(tile);
  const hover = part => {
    figures.cursor = part === null ? null : Math.round(part * (figures.length - 1));
    for (const plot of drawn) plot.update(figures);
  };
  const drawn = plots.map(options => new Plot({ ...options, hover }));
  const usage = new Usage();
  const nodes = h("section.card.wide", { hidden: true, "aria-labelledby": "nodes-title" });
  const about = h("p.soft.about");
  const content = h("div.overview",
    h("div.tiles", heads.map(({ node }) => node)),
    h("div.plots", drawn.map(({ node }) => node), usage.node), nodes, about);
  let described = 0;
  let nodeText = "";

  const redraw = () => {
    for (const plot of drawn) plot.update(figures);
    if (Date.now() - described < 10_000) return;
    described = Date.now();
    for (const plot of drawn) plot.describe();
  };
  const showSample = sample => {
    for (const head of heads) head.update(sample);
    usage.update(sample);
    const words = JSON.stringify(sample.nodes ?? []);
    if (words !== nodeText) {
      nodeText = words;
      show(nodes, sample.nodes?.length > 0);
      nodes.replaceChildren(h("h3", { id: "nodes-title" }, "Nodes"), nodeTable(sample.nodes ?? []));
    }
    setText(about, `Apus ${server.version}, up for ${text.duration(new Date(sample.at) - new Date(server.started))}. `
      + "The server keeps 15 minutes of these figures, whether a page is open or not.");
    redraw();
  };
  const begin = () => {
    show(drawn.at(-1).node, Boolean(server.data));
    root.replaceChildren(server.rights.server ? content : withoutRights());
  };
  follow({ view: "none" }, { hello: begin, history: redraw, sample: showSample });
  // From another view all is known already.
  if (server.rights) begin();
  if (figures.last) showSample(figures.last);
  return { close: () => { for (const plot of drawn) plot.close(); } };
}

function withoutRights() {
  return empty("The server’s figures are not for this credential",
    "They need the right “stats” on all topics (>). Topics and Subscribers show what this credential may see.",
    h("p", h("a", { href: "#/topics", class: "button" }, "Topics"), " ", h("a", { href: "#/access", class: "button" },
      "What it may do")));
}
