// A long list of which only the rows in sight exist. A grid for screen readers, moved in with the keys of a list.

import { freshId, h } from "./dom.js";

const overscan = 6;
// Browsers end a page's height somewhere above this.
const tallest = 15_000_000;

export class Rows {
  #frame = 0;
  #nodes = new Map();
  #free = [];
  #count = 0;

  // columns: [name, class]. row(cells, node) → what shows an item there; item(index), or undefined while it loads.
  constructor({ label, columns, headless, row, item, open, moved, scrolled }) {
    Object.assign(this, { columns, row, item, open, moved, scrolled, active: -1 });
    this.id = freshId("rows");
    this.spacer = h("div.rows-space", { role: "presentation" });
    this.scroller = h("div.rows-scroll", { role: "rowgroup", tabindex: "-1" }, this.spacer);
    this.header = !headless && h("div.rows-head", { role: "rowgroup" }, h("div.row",
      { role: "row", "aria-rowindex": "1" },
      columns.map(([name, kind]) => h("span", { role: "columnheader", class: kind }, name || h("span.unseen",
        "Action")))));
    this.node = h("div.rows", { role: "grid", tabindex: "0", "aria-label": label, "aria-rowcount": "0" },
      this.header, this.scroller);
    this.first = headless ? 1 : 2;
    this.scroller.addEventListener("scroll", () => this.#scrolling(), { passive: true });
    this.node.addEventListener("keydown", event => this.#key(event));
    this.scroller.addEventListener("click", event => this.#click(event));
    this.watcher = new ResizeObserver(() => this.render());
    this.watcher.observe(this.scroller);
  }

  get height() {
    return this.measured ??= 2 * parseFloat(getComputedStyle(document.documentElement).fontSize);
  }

  get count() { return this.#count; }
  set count(value) {
    this.#count = value;
    const height = `${Math.min(tallest, value * this.height)}px`;
    if (this.spacer.style.height !== height) this.spacer.style.height = height;
    this.node.setAttribute("aria-rowcount", String(value + this.first - 1));
    if (this.active >= value) this.active = value - 1;
  }

  get atEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    return scrollTop + clientHeight >= scrollHeight - this.height;
  }

  get range() {
    const begin = Math.max(0, Math.floor(this.scroller.scrollTop / this.height));
    const end = Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / this.height);
    return [Math.min(begin, this.#count), Math.min(end, this.#count)];
  }

  // No more than there is: to ask for the height, the browser would have to lay out what changes right after it.
  toEnd() { this.scroller.scrollTop = Math.min(tallest, this.#count * this.height); }

  // Rows have left the front: what is in sight stays there.
  shift(gone) {
    if (this.active >= 0) this.active = Math.max(-1, this.active - gone);
    if (this.scroller.scrollTop > 0) this.scroller.scrollTop -= gone * this.height;
  }

  // Soon, and once for all that asks for it in one frame.
  render() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.renderNow();
    });
  }

  renderNow() {
    const [from, to] = this.range;
    const begin = Math.max(0, from - overscan);
    const end = Math.min(this.#count, to + overscan);
    for (const [index, row] of this.#nodes) {
      if (index < begin || index >= end) {
        this.#nodes.delete(index);
        this.#free.push(row);
      }
    }
    for (let index = begin; index < end; index++) this.#place(index);
    for (const row of this.#free.splice(0)) row.node.remove();
    const active = this.#nodes.get(this.active)?.node.id;
    if (active) this.node.setAttribute("aria-activedescendant", active);
    else this.node.removeAttribute("aria-activedescendant");
  }

  #place(index) {
    let row = this.#nodes.get(index);
    if (!row) {
      row = this.#free.pop() ?? this.#make();
      this.#nodes.set(index, row);
      row.node.style.transform = `translateY(${index * this.height}px)`;
      row.node.setAttribute("aria-rowindex", String(index + this.first));
      row.node.dataset.index = index;
    }
    const selected = String(index === this.active);
    if (row.node.getAttribute("aria-selected") !== selected) row.node.setAttribute("aria-selected", selected);
    row.update(this.item(index), index);
    if (!row.node.isConnected) this.spacer.append(row.node);
  }

  #make() {
    const cells = this.columns.map(([, kind]) => h("span", { role: "gridcell", class: kind }));
    const node = h("div.row", { role: "row", id: freshId(`${this.id}-row`) }, cells);
    return { node, update: this.row(cells, node) };
  }

  #scrolling() {
    this.render();
    this.scrolled?.();
  }

  select(index, { reveal = true } = {}) {
    this.active = Math.max(-1, Math.min(this.#count - 1, index));
    if (reveal && this.active >= 0) this.reveal(this.active);
    this.render();
    if (this.active >= 0) this.moved?.(this.active);
  }

  reveal(index) {
    const top = index * this.height;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) this.scroller.scrollTop = top + this.height - clientHeight;
  }

  move(step) {
    const [from] = this.range;
    this.select(this.active < 0 ? from : Math.max(0, this.active + step));
  }

  enter() {
    if (this.active >= 0) this.open?.(this.active);
  }

  #key(event) {
    if (event.target !== this.node || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    if (event.key in steps) this.move(steps[event.key]);
    else if (event.key === "Home") this.select(0);
    else if (event.key === "End") this.select(this.#count - 1);
    else if (event.key === "Enter") this.enter();
    else return;
    event.preventDefault();
  }

  #click(event) {
    const row = event.target.closest("[data-index]");
    if (!row || event.target.closest("a, button")) return;
    this.select(Number(row.dataset.index), { reveal: false });
    this.enter();
  }

  close() {
    this.watcher.disconnect();
    cancelAnimationFrame(this.#frame);
  }
}
