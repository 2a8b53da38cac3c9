// Plots of the last 15 minutes: lines with axes, the value under the pointer, and a summary for those who do not see.

import { freshId, h, setText, svg } from "./dom.js";
import { clock } from "./format.js";

const margin = { top: 10, right: 12, bottom: 22, left: 58 };
const tickSteps = [1, 2, 2.5, 5, 10];

// Round steps, so that about `wanted` of them reach the top.
function scale(highest, wanted = 4) {
  if (!(highest > 0)) return { top: 1, step: 1 };
  const rough = highest / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = tickSteps.find(each => each * power >= rough * 0.999) * power;
  return { top: Math.ceil(highest / step - 1e-9) * step, step };
}

function outline(values, x, y) {
  let path = "";
  let down = false;
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (value == null) {
      down = false;
      continue;
    }
    path += `${down ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    down = true;
  }
  return path;
}

export class Plot {
  #size = { width: 0, height: 0 };
  #data = null;

  // lines: [{ key, label }], of which the first may be filled. `limit` is the key of a bound to compare with.
  constructor({ title, lines, format, limit, minimum = 0, hover }) {
    Object.assign(this, { title, lines, format, limit, minimum });
    this.values = lines.map(({ label }, index) => {
      const value = h("b", "–");
      return { value, node: h("span", { class: `legend line-${index + 1}` }, h("i", { "aria-hidden": "true" }), label,
        " ", value) };
    });
    const heading = h("h3", { id: freshId("plot") }, title);
    this.grid = svg("g.grid");
    this.shapes = svg("g", lines.map((_, index) =>
      svg("g", { class: `line-${index + 1}` }, svg("path.area"), svg("path.stroke"))));
    this.bound = svg("line.bound");
    this.cursor = svg("g.cursor", svg("line"), lines.map((_, index) => svg("circle", { r: 3.5,
      class: `line-${index + 1}` })));
    this.svg = svg("svg", { role: "img", "aria-labelledby": heading.id }, this.grid, this.shapes, this.bound,
      this.cursor);
    this.time = h("span.plot-time");
    this.canvas = h("div.plot-canvas", this.svg);
    this.node = h("section.card.plot", { "aria-labelledby": heading.id },
      h("header", heading, this.time), h("p.legends", this.values.map(({ node }) => node)), this.canvas);
    this.#follow(hover);
    this.watcher = new ResizeObserver(([{ contentRect }]) => {
      this.#size = { width: Math.round(contentRect.width), height: Math.round(contentRect.height) };
      this.draw();
    });
    this.watcher.observe(this.canvas);
  }

  #follow(hover) {
    this.canvas.addEventListener("pointermove", event => {
      const { width } = this.#size;
      const inside = event.clientX - this.canvas.getBoundingClientRect().left - margin.left;
      const part = inside / (width - margin.left - margin.right);
      hover?.(part < -0.02 || part > 1.02 ? null : Math.min(1, Math.max(0, part)));
    });
    this.canvas.addEventListener("pointerleave", () => hover?.(null));
  }

  // data: { times: {from, step, length}, series: {key: [...]}, cursor: index or null }
  update(data) {
    this.#data = data;
    this.draw();
  }

  draw() {
    const { width, height } = this.#size;
    const data = this.#data;
    if (!data || width < 80) return;
    const all = this.lines.map(({ key }) => data.series[key] ?? []);
    const bound = this.limit ? data.limits?.[this.limit] : undefined;
    const highest = Math.max(this.minimum, bound ?? 0,
      ...all.flatMap(values => values.reduce((a, b) => b > a ? b : a, 0)));
    const { top, step } = scale(highest, height > 170 ? 4 : 3);
    const right = width - margin.right;
    const bottom = height - margin.bottom;
    const x = index => margin.left + index / Math.max(1, data.length - 1) * (right - margin.left);
    const y = value => bottom - value / top * (bottom - margin.top);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#axes({ top, step, right, bottom, y, x, data });
    all.forEach((values, index) => this.#line(index, values, x, y, bottom, data));
    this.#bound(bound, right, y);
    this.#cursor(data, all, x, y, bottom);
  }

  #axes({ top, step, right, bottom, y, x, data }) {
    const shape = `${top} ${right} ${bottom} ${data.length}`;
    if (this.shape === shape) return;
    this.shape = shape;
    const lines = [];
    for (let value = 0; value <= top * 1.0001; value += step) {
      lines.push(svg("line", { x1: margin.left, x2: right, y1: y(value), y2: y(value) }),
        svg("text", { x: margin.left - 8, y: y(value) + 4, "text-anchor": "end" }, this.format(value)));
    }
    const minutes = data.length * data.step / 60_000;
    for (const back of [15, 10, 5, 0]) {
      if (back > minutes + 0.1) continue;
      const place = x((data.length - 1) * (1 - back / minutes));
      lines.push(svg("text", { x: place, y: bottom + 16, "text-anchor": back === 0 ? "end" : back === 15 ? "start"
        : "middle" },
        back === 0 ? "now" : `${back} min`));
    }
    this.grid.replaceChildren(...lines);
  }

  #line(index, values, x, y, bottom, data) {
    const [area, stroke] = this.shapes.children[index].children;
    const path = outline(values, x, y);
    stroke.setAttribute("d", path);
    // Only a line without holes is filled.
    const begin = values.findIndex(value => value != null);
    const whole = index === 0 && begin >= 0 && values.indexOf(null, begin) < 0;
    area.setAttribute("d", whole
      ? `${path}L${x(values.length - 1).toFixed(1)} ${bottom}L${x(begin).toFixed(1)} ${bottom}Z` : "");
    const at = data.cursor ?? values.length - 1;
    setText(this.values[index].value, values[at] == null ? "–" : this.format(values[at]));
  }

  #bound(bound, right, y) {
    this.bound.setAttribute("visibility", bound ? "visible" : "hidden");
    if (!bound) return;
    const set = { x1: margin.left, x2: right, y1: y(bound), y2: y(bound) };
    for (const [name, value] of Object.entries(set)) this.bound.setAttribute(name, value);
  }

  #cursor(data, all, x, y, bottom) {
    const at = data.cursor;
    this.cursor.setAttribute("visibility", at == null ? "hidden" : "visible");
    setText(this.time, at == null ? "" : clock(data.from + at * data.step));
    if (at == null) return;
    const [line, ...dots] = this.cursor.children;
    const place = x(at);
    for (const [name, value] of Object.entries({ x1: place, x2: place, y1: margin.top,
      y2: bottom })) line.setAttribute(name, value);
    dots.forEach((dot, index) => {
      const value = all[index][at];
      dot.setAttribute("visibility", value == null ? "hidden" : "inherit");
      dot.setAttribute("cx", place);
      dot.setAttribute("cy", value == null ? 0 : y(value));
    });
  }

  // In words: what the plot is for those who hear it.
  describe() {
    const parts = this.lines.map(({ key, label }) => {
      const values = (this.#data?.series[key] ?? []).filter(value => value != null);
      if (values.length === 0) return `${label} is not known`;
      const highest = values.reduce((a, b) => Math.max(a, b));
      return `${label} is ${this.format(values.at(-1))}, at most ${this.format(highest)} in 15 minutes`;
    });
    this.svg.setAttribute("aria-label", `${this.title}: ${parts.join("; ")}.`);
    this.svg.removeAttribute("aria-labelledby");
  }

  close() { this.watcher.disconnect(); }
}
