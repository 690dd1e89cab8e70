// The order of the photos: how well they fit, or their dates.

import { describes } from "./address.js";
import { byId, element } from "./element.js";

const ORDERS = { relevance: "best first", newest: "newest first", oldest: "oldest first" };

export class Sorting {
  /** @param {Function} change called with "newest", "oldest", or "" for the usual order */
  constructor(change) {
    this.select = byId("sort");
    this.label = this.select.closest("label");
    this.select.addEventListener("change", () => {
      const { value } = this.select;
      change(value === this.usual ? "" : value);
    });
  }

  /** Offers the orders that a state can have. */
  draw(state, results) {
    const described = describes(state) && !(results?.answer && results.timeline);
    this.usual = described || state.text ? "relevance" : "newest";
    const orders = Object.entries(ORDERS).filter(([value]) => value !== "relevance" || this.usual === value);
    const sort = state.sort || this.usual;
    this.select.replaceChildren(...orders.map(([value, words]) => element("option", { value }, words)));
    this.select.value = sort;
    this.label.hidden = !results?.length;
  }
}
