// The large photo at full size: one pixel of the photo on each pixel of the screen.

import { byId } from "./element.js";

const STEP = 120; // pixels that an arrow key scrolls
const SLACK = 5; // pixels that the mouse may move during a click
const WORTH = 1.05; // ratio of sizes from which zooming shows more

export class Zoom {
  constructor() {
    this.pane = byId("pane");
    this.frame = byId("frame");
    this.picture = byId("large");
    this.button = byId("viewer-zoom");
    this.pixels = 0;
    this.on = false;
    this.button.addEventListener("click", () => this.toggle());
    this.#listenToMouse();
    new ResizeObserver(() => this.#offer()).observe(this.pane);
  }

  /** Takes the width of a new picture in pixels; 0 for a thumbnail. */
  hold(pixels) {
    this.pixels = pixels;
    this.leave();
    this.#offer();
  }

  leave() {
    this.#set(false);
  }

  /** Zooms in or out around a point of the screen. */
  toggle(point = this.#middle()) {
    if (this.button.disabled) return;
    const before = this.picture.getBoundingClientRect();
    const [right, down] = [(point.x - before.left) / before.width, (point.y - before.top) / before.height];
    this.#set(!this.on);
    const after = this.picture.getBoundingClientRect();
    this.pane.scrollBy(after.left + right * after.width - point.x, after.top + down * after.height - point.y);
  }

  /** Scrolls over the photo with an arrow key. Returns whether it did. */
  step(key) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (!this.on || !way) return false;
    this.pane.scrollBy(way[0] * STEP, way[1] * STEP);
    return true;
  }

  #set(on) {
    this.on = on;
    this.frame.style.setProperty("--full", `${this.pixels / devicePixelRatio}px`);
    byId("stage").classList.toggle("zoomed", on);
    this.button.setAttribute("aria-pressed", String(on));
    if (on) this.pane.tabIndex = 0; // what scrolls must be reachable by keyboard
    else this.pane.removeAttribute("tabindex");
  }

  /** Offers full size unless the photo is shown at full size anyway. */
  #offer() {
    if (this.on) return;
    const more = this.pixels / devicePixelRatio > WORTH * this.picture.clientWidth;
    this.button.disabled = !more;
    byId("stage").classList.toggle("zoomable", more);
  }

  #middle() {
    const box = this.pane.getBoundingClientRect();
    return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
  }

  /** A click zooms in and out, and the mouse drags the photo. Touch scrolls it natively. */
  #listenToMouse() {
    let last = null;
    let dragged = 0;
    this.picture.addEventListener("pointerdown", (event) => {
      dragged = 0;
      last = event.pointerType === "mouse" && this.on ? { x: event.clientX, y: event.clientY } : null;
    });
    this.picture.addEventListener("pointermove", (event) => {
      if (!last || !event.buttons) return;
      const [x, y] = [last.x - event.clientX, last.y - event.clientY];
      dragged += Math.abs(x) + Math.abs(y);
      this.pane.scrollBy(x, y);
      last = { x: event.clientX, y: event.clientY };
    });
    this.picture.addEventListener("click", (event) => {
      if (dragged <= SLACK) this.toggle({ x: event.clientX, y: event.clientY });
    });
  }
}
