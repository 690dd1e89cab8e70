// The strip at the right of photos by date. It shows where in time the page is, and leads anywhere.

import { byId, element } from "./element.js";
import { monthName, photos } from "./words.js";

/** Least room between two years, in lines of text; and screens of photos that need no strip. */
const APART = 1.3;
const SHORT = 2;

export class Scrubber {
  /** @param {function(number)} scroll scrolls to a height of the list, in pixels */
  constructor(scroll) {
    this.scroll = scroll;
    this.strip = byId("scrubber");
    this.thumb = byId("scrubber-thumb");
    this.bubble = byId("scrubber-month");
    this.rows = null;
    this.held = false;
    this.strip.addEventListener("keydown", (event) => this.#key(event));
    this.strip.addEventListener("pointerdown", (event) => this.#hold(event));
    this.strip.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) this.strip.addEventListener(end, () => this.#drop());
    this.strip.addEventListener("pointerleave", () => this.held || this.#drop());
    new ResizeObserver(() => this.#label()).observe(this.strip);
    addEventListener("scroll", () => this.follow(), { passive: true });
  }

  /** Shows the months of a layout; hides the strip if they fit on a screen or two. */
  show(rows) {
    this.rows = rows;
    const shown = rows.months.length > 1 && rows.height > SHORT * innerHeight;
    this.strip.hidden = !shown;
    document.documentElement.classList.toggle("dated", shown);
    if (!shown) return;
    this.strip.setAttribute("aria-valuemax", String(rows.months.length - 1));
    this.#label();
  }

  /** Moves the thumb to where the page is. */
  follow() {
    if (this.strip.hidden || !this.rows) return;
    const y = this.#seen();
    this.#tell(this.rows.monthAt(y + below()));
    this.thumb.style.transform = `translateY(${this.#share(y) * this.#length}px)`;
  }

  // -- places --------------------------------------------------------------------------------

  /** Height of the list at the top of the window. */
  #seen() {
    return Math.max(0, -byId("photos").getBoundingClientRect().top);
  }

  /** The part of the list above a height, in [0, 1]. */
  #share(y) {
    return Math.min(1, Math.max(0, y / Math.max(1, this.rows.height - innerHeight)));
  }

  get #length() {
    return this.strip.clientHeight - this.thumb.offsetHeight;
  }

  /** The height of the list that a point of the strip stands for. */
  #heightAt(clientY) {
    const from = this.strip.getBoundingClientRect().top + this.thumb.offsetHeight / 2;
    const share = Math.min(1, Math.max(0, (clientY - from) / this.#length));
    return share * Math.max(0, this.rows.height - innerHeight);
  }

  #label() {
    if (this.strip.hidden || !this.rows) return;
    const line = parseFloat(getComputedStyle(this.strip).fontSize) * APART;
    let free = -Infinity;
    const years = [];
    let before = null;
    for (const { name, top } of this.rows.months) {
      const year = name?.slice(0, 4) ?? "";
      const y = this.#share(top) * this.#length + this.thumb.offsetHeight / 2;
      if (year && year !== before && y >= free && y <= this.strip.clientHeight - line / 2) {
        const mark = element("span.year", {}, String(Number(year)));
        mark.style.transform = `translateY(calc(${y}px - 50%))`;
        years.push(mark);
        free = y + line;
      }
      before = year;
    }
    byId("scrubber-years").replaceChildren(...years);
    this.follow();
  }

  #tell(month) {
    const { name, images } = this.rows.months[month];
    this.strip.setAttribute("aria-valuenow", String(month));
    this.strip.setAttribute("aria-valuetext", `${monthName(name)}, ${photos(images)}`);
  }

  // -- the pointer and keys ------------------------------------------------------------------

  #hold(event) {
    if (event.button) return;
    event.preventDefault(); // nothing is selected while dragging
    this.strip.focus({ preventScroll: true });
    this.strip.setPointerCapture(event.pointerId);
    this.held = true;
    this.strip.classList.add("held");
    this.#move(event);
  }

  #move(event) {
    if (!this.rows) return;
    const y = this.#heightAt(event.clientY);
    const { name } = this.rows.months[this.rows.monthAt(y + below())];
    const { top, height } = this.strip.getBoundingClientRect();
    const at = Math.min(height - 16, Math.max(16, event.clientY - top));
    this.bubble.textContent = monthName(name);
    this.bubble.style.transform = `translateY(calc(${at}px - 50%))`;
    this.bubble.hidden = false;
    if (this.held) this.scroll(y);
  }

  #drop() {
    this.held = false;
    this.strip.classList.remove("held");
    this.bubble.hidden = true;
  }

  /** Arrow keys go a month on, page keys a year, Home and End to the first and last. */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { months } = this.rows;
    const here = this.rows.monthAt(this.#seen() + below());
    const year = (month) => months[month].name?.slice(0, 4);
    const turn = (way) => {
      let there = here;
      while (months[there] && year(there) === year(here)) there += way;
      return there;
    };
    const there = {
      ArrowDown: () => here + 1,
      ArrowRight: () => here + 1,
      ArrowUp: () => here - 1,
      ArrowLeft: () => here - 1,
      PageDown: () => turn(1),
      PageUp: () => turn(-1),
      Home: () => 0,
      End: () => months.length - 1,
    }[event.key]?.();
    if (there === undefined) return;
    event.preventDefault();
    this.scroll(months[Math.min(months.length - 1, Math.max(0, there))].top - below() + 1);
    this.follow();
  }
}

/** How much of the window's top the page's bar covers, in pixels, and one more. */
function below() {
  return Math.max(0, document.querySelector(".bar").getBoundingClientRect().bottom) + 1;
}
