// The grid of thumbnails. Its rows are laid out before any picture has loaded.

import { layOut } from "./rows.js";
import { describe, put, tile } from "./tile.js";

const GLIDE = { duration: 240, easing: "cubic-bezier(.2,.7,.2,1)" };

export class Grid {
  /**
   * @param {HTMLElement} list
   * @param {{addressOf: Function, onOpen: Function, onAlike: Function, asked: function(): string}} how
   *   ``asked`` gives the words that are searched for
   */
  constructor(list, how) {
    this.list = list;
    this.how = how;
    this.hits = [];
    this.items = new Map();
    this.width = 0;
    new ResizeObserver(() => this.#resized()).observe(list);
    list.addEventListener("keydown", (event) => this.#step(event));
  }

  /** Shows hits in order. Photos that stay keep their elements and glide to their new places. */
  show(hits, { glide = false } = {}) {
    const before = glide ? this.#seen() : new Map();
    const old = this.items;
    this.items = new Map(hits.map((hit) => [hit.id, old.get(hit.id) ?? tile(hit, this.how)]));
    this.hits = hits;
    for (const hit of hits) describe(this.items.get(hit.id), hit, this.how);
    const wanted = [...this.items.values()];
    for (const [id, item] of old) if (!this.items.has(id)) item.remove();
    wanted.forEach((item, place) => {
      if (this.list.children[place] !== item) this.list.insertBefore(item, this.list.children[place] ?? null);
    });
    this.#lay();
    this.#glide(before);
  }

  /** Moves the keyboard's focus to a photo, if it is shown. */
  focus(id) {
    this.items.get(id)?.querySelector("a").focus();
  }

  // -- layout --------------------------------------------------------------------------------

  #resized() {
    if (this.list.clientWidth !== this.width) this.#lay();
  }

  #lay() {
    this.width = this.list.clientWidth;
    const style = getComputedStyle(this.list);
    const height = parseFloat(style.getPropertyValue("--row"));
    const gap = parseFloat(style.getPropertyValue("--gap"));
    const { boxes, height: total } = layOut(this.hits, this.width, height, gap);
    this.boxes = boxes;
    this.list.style.height = `${total}px`;
    this.hits.forEach((hit, place) => put(this.items.get(hit.id), boxes[place], hit));
  }

  /** Boxes of the photos that are visible now. */
  #seen() {
    const visible = new Map();
    for (const [id, item] of this.items) {
      const box = item.getBoundingClientRect();
      if (box.bottom > 0 && box.top < innerHeight) visible.set(id, box);
    }
    return visible;
  }

  #glide(before) {
    if (!before.size || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (const [id, item] of this.items) {
      const from = before.get(id);
      const to = item.getBoundingClientRect();
      if (to.top > innerHeight) break;
      if (from) {
        const [x, y] = [from.left - to.left, from.top - to.top];
        if (x || y) item.animate([{ transform: `translate(${x}px, ${y}px)` }, {}], GLIDE);
      } else {
        item.animate([{ opacity: 0, transform: "scale(.97)" }, {}], GLIDE);
      }
    }
  }

  // -- the keyboard --------------------------------------------------------------------------

  /** Arrow keys move the focus from photo to photo, in rows and columns. */
  #step(event) {
    const here = this.hits.findIndex((hit) => String(hit.id) === event.target.closest("li")?.dataset.id);
    const turns = { ArrowLeft: -1, ArrowRight: 1 };
    if (here < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    let there = null;
    if (event.key in turns) there = here + turns[event.key];
    if (event.key === "ArrowUp") there = this.#beyond(here, -1);
    if (event.key === "ArrowDown") there = this.#beyond(here, 1);
    const hit = this.hits[there];
    if (!hit) return;
    event.preventDefault();
    this.focus(hit.id);
  }

  /** Index of the nearest photo in the row above or below. */
  #beyond(here, way) {
    const middle = (box) => box.left + box.width / 2;
    const from = this.boxes[here];
    let place = here + way;
    while (this.boxes[place]?.top === from.top) place += way;
    const row = this.boxes[place]?.top;
    let best = null;
    for (; this.boxes[place]?.top === row && row !== undefined; place += way) {
      const away = Math.abs(middle(this.boxes[place]) - middle(from));
      if (best === null || away < best.away) best = { place, away };
    }
    return best?.place ?? null;
  }
}
