// The large photo at its full size, one of its pixels on one of the screen's, to be scrolled over.

import { byId } from "./element.js";

const STEP = 120; // pixels that an arrow key goes
const SLACK = 5; // pixels that a hand may tremble in a click
const WORTH = 1.05; // times as large, from which on there is more to see

export class Zoom {
  constructor() {
    this.pane = byId("pane");
    this.picture = byId("large");
    this.button = byId("viewer-zoom");
    this.pixels = 0;
    this.on = false;
    this.button.addEventListener("click", () => this.toggle());
    this.#listenToMouse();
    new ResizeObserver(() => this.#offer()).observe(this.pane);
  }

  /** Another picture is there, so many pixels wide; 0 where it is only a small one. */
  hold(pixels) {
    this.pixels = pixels;
    this.leave();
    this.#offer();
  }

  leave() {
    this.#set(false);
  }

  /** In or out; a point of the screen that was clicked stays where it is. */
  toggle(point = this.#middle()) {
    if (this.button.disabled) return;
    const before = this.picture.getBoundingClientRect();
    const [right, down] = [(point.x - before.left) / before.width, (point.y - before.top) / before.height];
    this.#set(!this.on);
    const after = this.picture.getBoundingClientRect();
    this.pane.scrollBy(after.left + right * after.width - point.x, after.top + down * after.height - point.y);
  }

  /** Goes over the photo with an arrow key; tells whether it did. */
  step(key) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (!this.on || !way) return false;
    this.pane.scrollBy(way[0] * STEP, way[1] * STEP);
    return true;
  }

  #set(on) {
    this.on = on;
    this.picture.style.setProperty("--full", `${this.pixels / devicePixelRatio}px`);
    byId("stage").classList.toggle("zoomed", on);
    this.button.setAttribute("aria-pressed", String(on));
    if (on) this.pane.tabIndex = 0; // what scrolls can be reached by keyboard
    else this.pane.removeAttribute("tabindex");
  }

  /** There is nothing to offer where the photo is shown at its full size anyway. */
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

  /** A click goes in and out, and the mouse can drag the photo; fingers scroll it by themselves. */
  #listenToMouse() {
    let at = null;
    let dragged = 0;
    this.picture.addEventListener("pointerdown", (event) => {
      dragged = 0;
      at = event.pointerType === "mouse" && this.on ? { x: event.clientX, y: event.clientY } : null;
    });
    this.picture.addEventListener("pointermove", (event) => {
      if (!at || !event.buttons) return;
      const [x, y] = [at.x - event.clientX, at.y - event.clientY];
      dragged += Math.abs(x) + Math.abs(y);
      this.pane.scrollBy(x, y);
      at = { x: event.clientX, y: event.clientY };
    });
    this.picture.addEventListener("click", (event) => {
      if (dragged <= SLACK) this.toggle({ x: event.clientX, y: event.clientY });
    });
  }
}
