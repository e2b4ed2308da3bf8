// A list in pages, so that a fleet of thousands costs the browser no more than a page.

import { el, show } from "./dom.js";
import { count } from "./text.js";

/** Shows `size` of some items at a time in `parent`, each made an element by `row`. */
export class Pager {
  #items = [];
  #at = 0;

  constructor(parent, { size, row, one, more, empty }) {
    Object.assign(this, { parent, size, row, one, more, empty });
    this.controls = el("nav", { class: "pager", "aria-label": "Pages" });
  }

  /** Show these items, on the page that was shown if there still is one. */
  set(items) {
    this.#items = items;
    this.#turn(this.#at);
  }

  first() {
    this.#turn(0);
  }

  #turn(at) {
    const last = Math.max(0, Math.ceil(this.#items.length / this.size) - 1);
    this.#at = Math.min(Math.max(0, at), last);
    const start = this.#at * this.size;
    const shown = this.#items.slice(start, start + this.size);
    show(this.parent, shown.length ? shown.map(this.row) : this.empty());
    const total = count(this.#items.length, this.one, this.more);
    const range = last ? `${start + 1} to ${start + shown.length} of ${total}` : total;
    show(
      this.controls,
      el("span", { role: "status" }, range),
      last > 0 && this.#button("Previous", this.#at - 1, this.#at === 0),
      last > 0 && this.#button("Next", this.#at + 1, this.#at === last),
    );
  }

  #button(name, to, disabled) {
    const properties = { type: "button", "data-key": name, disabled, click: () => this.#turn(to) };
    return el("button", properties, name);
  }
}
