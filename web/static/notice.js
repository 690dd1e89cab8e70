// Messages in place of the photos or above them: no results, an error, an empty library.

import { coded, element, icon } from "./element.js";

export class Notice {
  /** @param {HTMLElement} section */
  constructor(section) {
    this.section = section;
  }

  /**
   * Shows a message in place of the photos.
   *
   * @param {{mark?: string, title: string, text?: string, urgent?: boolean,
   *   ways?: {words: string, go: Function}[]}} message ``ways`` become buttons; text between
   *   backticks is shown as code
   */
  say({ mark = "trouble", title, text = "", urgent = false, ways = [] }) {
    this.section.replaceChildren(
      icon(mark),
      element("div", { role: urgent ? "alert" : "status" }, element("h2", {}, title), element("p", {}, ...coded(text))),
      element("div.ways", {}, ...ways.map(({ words, go }) =>
        element("button", { type: "button", on: { click: go } }, words))),
    );
    this.section.classList.remove("small");
    this.section.hidden = false;
  }

  /** Shows a message above the photos, with a button that closes it. */
  mention(title, text = "") {
    this.say({ mark: "info", title, text, ways: [{ words: "OK", go: () => this.hush() }] });
    this.section.classList.add("small");
  }

  hush() {
    this.section.hidden = true;
    this.section.classList.remove("small");
    this.section.replaceChildren();
  }
}
