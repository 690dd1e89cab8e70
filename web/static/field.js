// The search field: it searches while a person types.

import { byId } from "./element.js";

/** Milliseconds between the last key and the search. */
const PAUSE = 160;

export class SearchField {
  /**
   * @param {function(string, {continued: boolean}): void} onSearch takes a new description;
   *   ``continued`` if it belongs to the same stretch of typing as the last one
   */
  constructor(onSearch) {
    this.input = byId("q");
    this.clear = byId("clear");
    this.onSearch = onSearch;
    this.shown = "";
    this.timer = 0;
    this.continued = false;
    this.#listen();
  }

  /** Shows a description; one that is the same but for spaces is left as it was typed. */
  show(description) {
    this.shown = description;
    if (this.input.value.trim() !== description) this.input.value = description;
    this.clear.hidden = !this.input.value;
  }

  /** Text that was typed but not searched for yet, or null. */
  get unsearched() {
    return this.timer ? this.input.value : null;
  }

  focus() {
    this.input.focus();
  }

  /** Drops the search that was about to begin. */
  cancel() {
    clearTimeout(this.timer);
    this.timer = 0;
  }

  /** Makes the next key begin a new stretch of typing. */
  rest() {
    this.continued = false;
  }

  #search() {
    this.cancel();
    const description = this.input.value.trim();
    this.clear.hidden = !this.input.value;
    if (description === this.shown) return;
    this.onSearch(description, { continued: this.continued });
    this.continued = true;
  }

  #searchSoon() {
    this.timer = setTimeout(() => this.#search(), PAUSE);
  }

  #listen() {
    this.input.addEventListener("input", (event) => {
      this.cancel();
      if (!event.isComposing) this.#searchSoon();
    });
    this.input.addEventListener("compositionend", () => this.#searchSoon());
    this.input.addEventListener("blur", () => this.rest());
    byId("search").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#search();
      this.rest();
      if (matchMedia("(pointer: coarse)").matches) this.input.blur(); // the keyboard hides the photos
    });
    this.clear.addEventListener("click", () => {
      this.input.value = "";
      this.#search();
      this.rest();
      this.focus();
    });
    document.addEventListener("keydown", (event) => {
      const elsewhere = !event.target.closest?.("input, select, textarea, dialog, [popover]");
      if (event.key === "/" && elsewhere && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        this.input.select();
      }
    });
  }
}
