// Moving about in an SVG: wheel, drag, two fingers, keys.

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 0.12;
const READABLE = 1.6; // units of the drawing in a pixel up to which its text can be read
const DRAG = 4; // pixels from which on a press is not a click

/** Makes the viewBox of `svg` follow the user's hand. */
export class PanZoom {
  #svg;
  #whole = { x: 0, y: 0, width: 1, height: 1 };
  #box = this.#whole;
  #pointers = new Map();
  #moved = 0;

  constructor(svg) {
    this.#svg = svg;
    svg.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    svg.addEventListener("pointerdown", (event) => this.#down(event));
    svg.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
      svg.addEventListener(name, (event) => this.#pointers.delete(event.pointerId));
    }
    svg.addEventListener("keydown", (event) => this.#key(event));
    // The end of a drag is no click on what happens to be there.
    const swallow = (event) => this.#moved > DRAG && event.stopPropagation();
    svg.addEventListener("click", swallow, { capture: true });
  }

  /** Begin with a new drawing in a box: with all of it, or with as much as can be read. */
  fit(box) {
    this.#whole = box;
    const { width, height } = this.#svg.getBoundingClientRect();
    const most = { width: READABLE * width, height: READABLE * height };
    if (!width || (box.width <= most.width && box.height <= most.height)) this.reset();
    else this.#set({ ...most, x: box.x, y: box.y + Math.max(0, (box.height - most.height) / 2) });
  }

  /** Show all of the drawing. */
  reset() {
    this.#set(this.#whole);
  }

  /** Bring a point of the drawing to the middle. */
  centre({ x, y }) {
    const { width, height } = this.#box;
    this.#set({ x: x - width / 2, y: y - height / 2, width, height });
  }

  /** Zoom by a factor, around a point of the drawing or the middle. */
  zoom(factor, at = this.#middle()) {
    const width = Math.min(Math.max(this.#box.width * factor, 80), this.#whole.width * 2);
    const scale = width / this.#box.width;
    this.#set({
      x: at.x - (at.x - this.#box.x) * scale,
      y: at.y - (at.y - this.#box.y) * scale,
      width,
      height: this.#box.height * scale,
    });
  }

  #set(box) {
    this.#box = box;
    this.#svg.setAttribute("viewBox", `${box.x} ${box.y} ${box.width} ${box.height}`);
  }

  #middle() {
    return { x: this.#box.x + this.#box.width / 2, y: this.#box.y + this.#box.height / 2 };
  }

  #point(event) {
    const matrix = this.#svg.getScreenCTM().inverse();
    return new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
  }

  #wheel(event) {
    // Without a key the wheel goes on scrolling the page.
    if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return;
    event.preventDefault();
    this.zoom(Math.exp((event.deltaY || event.deltaX) * 0.002), this.#point(event));
  }

  #down(event) {
    if (!this.#pointers.size) this.#moved = 0;
    this.#pointers.set(event.pointerId, event);
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    this.#moved += Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY);
    const others = [...this.#pointers.values()].filter((one) => one.pointerId !== event.pointerId);
    const from = this.#point(before);
    const to = this.#point(event);
    this.#pointers.set(event.pointerId, event);
    if (others.length) {
      const hold = this.#point(others[0]);
      const spread = Math.hypot(to.x - hold.x, to.y - hold.y);
      if (spread > 0) this.zoom(Math.hypot(from.x - hold.x, from.y - hold.y) / spread, hold);
    } else {
      this.#set({ ...this.#box, x: this.#box.x + from.x - to.x, y: this.#box.y + from.y - to.y });
    }
  }

  #key(event) {
    const { width, height } = this.#box;
    const [x, y] = KEYS[event.key] ?? [0, 0];
    if (x || y) {
      this.#set({ ...this.#box, x: this.#box.x + x * STEP * width, y: this.#box.y + y * STEP * height });
    } else if (event.key === "+") this.zoom(1 / 1.3);
    else if (event.key === "-") this.zoom(1.3);
    else if (event.key === "0") this.reset();
    else return;
    event.preventDefault();
  }
}
