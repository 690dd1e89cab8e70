// How the server understood the description, below the chips, and what else to search for.

import { coded, element } from "./element.js";
import { meant } from "./phrases.js";
import { sentence } from "./words.js";

export class Meaning {
  /**
   * @param {HTMLElement} section
   * @param {{exactly: Function, instead: function(string): void}} ways to search for the words as
   *   they were typed, or for other words
   */
  constructor(section, { exactly, instead }) {
    this.section = section;
    this.exactly = exactly;
    this.instead = instead;
  }

  /** Shows what an answer says about the description ``q``. */
  show(q, { searched, suggestions, hints }) {
    const lines = [];
    if (searched?.reworded) {
      lines.push(element("p", {}, "Searching for ", element("b", {}, meant(searched)), ". ",
        this.#way("Search for exactly what I typed", this.exactly)));
    }
    for (const text of suggestions.filter((suggestion) => !unfinished(q, suggestion))) {
      lines.push(element("p", {}, "Did you mean ", this.#way(text, () => this.instead(text)), "?"));
    }
    lines.push(...hints.map((hint) => element("p", {}, ...coded(sentence(hint)))));
    this.section.replaceChildren(...lines);
    this.section.hidden = !lines.length;
  }

  hush() {
    this.section.hidden = true;
    this.section.replaceChildren();
  }

  #way(words, go) {
    return element("button.way", { type: "button", on: { click: go } }, words);
  }
}

/** Whether somebody may still be typing the suggestion. */
function unfinished(q, suggestion) {
  return suggestion.toLowerCase().startsWith(q.trim().toLowerCase());
}
