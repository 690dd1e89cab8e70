// What stands above the photos: how many there are, how the words were understood, and the order.

import { byId } from "./element.js";
import { Meaning } from "./meaning.js";
import { answering, summary } from "./phrases.js";
import { Sorting } from "./sorting.js";

export class Above {
  /** @param {{exactly: Function, instead: Function, onSort: Function}} how what its buttons do */
  constructor(how) {
    this.meaning = new Meaning(byId("meaning"), how);
    this.sorting = new Sorting(how.onSort);
  }

  /** Describes results; null if the search failed. */
  show(state, results) {
    const some = Boolean(results?.length);
    byId("summary").textContent = some ? summary(state, results.answer) : "";
    byId("profile").textContent = some ? answering(results.answer) : "";
    this.sorting.draw(state, results);
    if (results) this.meaning.show(state.q, results.answer);
    else this.meaning.hush();
  }
}
