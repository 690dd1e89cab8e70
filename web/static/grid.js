// The grid of thumbnails. All photos have their places from the beginning; only those near the part
// of the page that is seen have elements.

import { element } from "./element.js";
import { Rows } from "./rows.js";
import { describe, put, tile } from "./tile.js";
import { monthName, photos } from "./words.js";

const GLIDE = { duration: 240, easing: "cubic-bezier(.2,.7,.2,1)" };
/** Screens above and below the one that is seen whose photos have elements. */
const NEAR = 1;

export class Grid {
  /**
   * @param {HTMLElement} list
   * @param {{addressOf: Function, onOpen: Function, onAlike: Function, asked: function(): string,
   *   onLaid: Function}} how ``asked`` gives the words that are searched for; ``onLaid`` is called
   *   after photos have got new places
   */
  constructor(list, how) {
    this.list = list;
    this.how = how;
    this.results = null;
    this.rows = new Rows({ length: 0, months: [] }, { width: 0, height: 1, gap: 0, heading: 0 });
    this.items = new Map();
    /** Place of the photo that gets the focus once it is loaded. */
    this.awaited = null;
    this.drawing = 0;
    new ResizeObserver(() => this.#resized()).observe(list);
    const soon = () => { this.drawing ||= requestAnimationFrame(() => this.draw()); };
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    for (const event of ["wheel", "touchmove", "pointerdown"]) { // someone looks elsewhere
      addEventListener(event, () => { this.awaited = null; }, { passive: true });
    }
  }

  /** Shows results. Photos that stay keep their elements and glide to their new places. */
  show(results, { glide = false } = {}) {
    const before = glide ? this.#seen() : new Map();
    this.results = results;
    this.awaited = null;
    this.#lay();
    for (const item of this.items.values()) if (item.hit) describe(item, item.hit, this.how);
    this.#glide(before);
  }

  /** Shows no photos. */
  clear() {
    this.show({ length: 0, months: [], total: 0, hit: () => undefined, nearest: (at) => at });
  }

  // -- layout --------------------------------------------------------------------------------

  #resized() {
    if (this.list.clientWidth === this.width || !this.results) return;
    const place = this.place();
    this.#lay();
    this.goTo(place);
  }

  /** Lays out for the width that is left once the strip of months and the scroll bar are there. */
  #lay() {
    this.#measure();
    if (this.list.clientWidth !== this.width) this.#measure();
    this.draw();
  }

  #measure() {
    this.width = this.list.clientWidth;
    const style = getComputedStyle(this.list);
    const [height, gap, heading] = ["--row", "--gap", "--heading"].map((name) => pixels(style, name));
    this.rows = new Rows(this.results, { width: this.width, height, gap, heading });
    this.list.style.height = `${this.rows.height}px`;
    this.how.onLaid(this.rows);
  }

  /** Gives elements to the photos and headings near the part of the page that is seen. */
  draw() {
    cancelAnimationFrame(this.drawing);
    this.drawing = 0;
    if (!this.results) return;
    const { rows, results } = this;
    const from = this.#top;
    const room = NEAR * innerHeight;
    const first = rows.rowAt(from - room);
    const final = rows.rowAt(from + innerHeight + room);
    const [begin, end] = rows.count ? [rows.photosOf(first)[0], rows.photosOf(final)[1]] : [0, 0];
    const places = Array.from({ length: end - begin }, (_, place) => begin + place);
    const focused = this.#focused();
    if (focused !== null && focused < begin) places.unshift(focused);
    if (focused !== null && focused >= end && focused < results.length) places.push(focused);
    this.#fit(places.flatMap((at) => this.#itemsAt(at)));
    if (end > begin) results.want?.(begin, end);
    const awaited = this.awaited === null ? null : results.hit(this.awaited);
    if (!awaited) return;
    this.awaited = null;
    this.items.get(awaited.id).querySelector("a").focus({ preventScroll: true });
  }

  /** The element of a photo, after the heading of its month if it is the first. */
  #itemsAt(at) {
    const { results, rows } = this;
    const hit = results.hit(at);
    const key = hit ? hit.id : `at ${at}`;
    const item = this.items.get(key) ?? (hit ? made(tile(hit, this.how), hit, this.how) : blank());
    item.at = at;
    item.ariaPosInSet = String(at + 1);
    item.ariaSetSize = String(results.total ?? -1);
    if (hit && item.hit !== hit) {
      item.hit = hit;
      describe(item, hit, this.how);
    }
    put(item, rows.box(at), hit);
    const month = rows.months.length ? rows.months[rows.monthAt(rows.tops[rows.rowOf(at)])] : null;
    if (month?.begin !== at) return [[key, item]];
    const name = `month ${month.name}`;
    const heading = this.items.get(name) ?? headed(month);
    heading.style.top = `${month.top}px`;
    heading.querySelector(".count").textContent = photos(month.images);
    return [[name, heading], [key, item]];
  }

  /** Makes these the elements of the list, and moves none that can stay. */
  #fit(wanted) {
    const old = this.items;
    this.items = new Map(wanted);
    for (const [key, item] of old) if (this.items.get(key) !== item) remove(item);
    let here = this.list.firstElementChild;
    for (const item of this.items.values()) {
      if (item === here) here = here.nextElementSibling;
      else this.list.insertBefore(item, here);
    }
  }

  // -- places on the page ----------------------------------------------------------------------

  /** How far the top of the window is below the top of the list, in pixels. */
  get #top() {
    return -this.list.getBoundingClientRect().top;
  }

  /**
   * The first photo that is seen, or the nearest that is loaded, with its distance from the top of
   * the window; null at the top of the page.
   */
  place() {
    if (this.#top <= 0 || !this.rows.count) return null;
    const row = Math.min(this.rows.rowAt(this.#top) + 1, this.rows.count - 1);
    const at = this.results.nearest(this.rows.photosOf(row)[0]);
    const by = Math.round(this.rows.box(at).top - this.#top);
    return { at, by, id: this.results.hit(at)?.id ?? 0 };
  }

  /** Scrolls so that a photo is at its place again. */
  goTo(place) {
    if (!place || place.at >= this.rows.shapes.length) return;
    this.scrollTo(this.rows.box(place.at).top - place.by);
  }

  /** Scrolls to a height of the list. */
  scrollTo(y) {
    scrollTo(0, this.list.getBoundingClientRect().top + scrollY + y);
    this.draw();
  }

  /** Moves the keyboard's focus to a photo, if it is shown. */
  focus(id) {
    const at = this.results?.placeOf(id) ?? -1;
    if (at >= 0) this.focusAt(at);
  }

  /** The same for the photo at a place; if it is not loaded yet, once it is. */
  focusAt(at) {
    const box = this.rows.box(at);
    const bar = Math.max(0, document.querySelector(".bar").getBoundingClientRect().bottom) + 8;
    const above = box.top - bar - (this.rows.months.length ? this.rows.sizes.heading : 0);
    this.awaited = at;
    const beyond = box.top + box.height + 8 - innerHeight;
    if (this.#top > above) this.scrollTo(above);
    else if (this.#top < beyond) this.scrollTo(beyond);
    else this.draw();
  }

  /** Place of the photo that has the focus, or will have it; null if none. */
  #focused() {
    if (this.awaited !== null) return this.awaited;
    const item = document.activeElement?.closest("#photos > .photo");
    return item?.at ?? null;
  }

  // -- motion --------------------------------------------------------------------------------

  /** Boxes of the photos that are visible now. */
  #seen() {
    const visible = new Map();
    for (const [key, item] of this.items) {
      const box = item.getBoundingClientRect();
      if (item.hit && box.bottom > 0 && box.top < innerHeight) visible.set(key, box);
    }
    return visible;
  }

  #glide(before) {
    if (!before.size || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (const [key, item] of this.items) {
      const from = before.get(key);
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
}

function made(item, hit, how) {
  item.hit = hit;
  describe(item, hit, how);
  return item;
}

/** The place of a photo that is not loaded yet. */
function blank() {
  return element("li.photo.blank", { "aria-hidden": "true" });
}

function headed({ name }) {
  return element("li.month", {}, element("h2", {}, monthName(name)), element("span.count", {}));
}

/** Removes an element, and drops the request for its thumbnail. */
function remove(item) {
  const picture = item.querySelector("img");
  if (picture && !picture.complete) picture.removeAttribute("src");
  item.remove();
}

/** A length of the style sheet, which may be in rem. */
function pixels(style, name) {
  const text = style.getPropertyValue(name);
  const root = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return Math.round(parseFloat(text) * (text.trim().endsWith("rem") ? root : 1));
}
