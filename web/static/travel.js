// The page's way through the browser's history. An entry notes how far the page was scrolled.

import { fromAddress, nothing, toAddress } from "./address.js";

const REST = 200; // milliseconds without scrolling before the position is noted

export class Travel {
  /**
   * @param {{uploads: Uploads, arrive: Function, rest: Function, place: function(): Object}} how
   *   ``arrive`` shows a state, ``rest`` is called before "back" does, ``place`` says which photo is
   *   seen first and how many there are
   */
  constructor(how) {
    this.how = how;
  }

  /** Number of the dropped photo that the current entry searches by. */
  get upload() {
    return history.state?.upload;
  }

  /** Whether the large view was opened from the entry before. */
  get opened() {
    return Boolean(history.state?.opened);
  }

  /** Which photo of the entry was seen first, and how many there were. */
  get place() {
    return { seen: null, shown: 0, ...history.state?.place };
  }

  /** Goes to a state. "Back" returns from it, unless it replaces the current one. */
  go(next, { replace = false, opened = false, upload = this.upload } = {}) {
    if (!replace) this.#noteScroll();
    const entry = { opened, upload: next.example ? upload : undefined };
    history[replace ? "replaceState" : "pushState"](entry, "", toAddress(next));
    this.how.arrive(next);
  }

  /** The state of the address, without a dropped photo that a reload has lost. */
  here() {
    const here = fromAddress(location.search);
    const { uploads } = this.how;
    if (!here.example || uploads.has(this.upload)) return here;
    uploads.lost = here.example;
    const rest = { ...here, example: "" };
    history.replaceState({ ...history.state, upload: undefined }, "", toAddress(rest));
    return rest;
  }

  listen() {
    history.scrollRestoration = "manual";
    let resting = 0;
    addEventListener("popstate", () => {
      clearTimeout(resting);
      this.how.rest();
      this.how.arrive(this.here(), { back: true });
    });
    addEventListener("scroll", () => {
      clearTimeout(resting);
      resting = setTimeout(() => this.#noteScroll(), REST);
    }, { passive: true });
    addEventListener("pagehide", () => this.#noteScroll());
  }

  /** Makes a link lead to the start page without loading it again. */
  home(link) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.go(nothing());
      scrollTo(0, 0);
    });
  }

  #noteScroll() {
    history.replaceState({ ...history.state, place: this.how.place() }, "");
  }
}
