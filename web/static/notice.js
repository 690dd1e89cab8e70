// What to say instead of photos, or above them: nothing found, trouble, an empty library.

import { coded, element, icon } from "./element.js";

export class Notice {
  /** @param {HTMLElement} section */
  constructor(section) {
    this.section = section;
  }

  /**
   * Says something.
   *
   * @param {{mark?: string, title: string, text?: string, urgent?: boolean,
   *   ways?: {words: string, go: Function}[]}} what ``ways`` are the ways out, as buttons; what
   *   stands between backticks in the text is a command
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

  /** Says something above the photos that can be put away. */
  mention(title, text = "") {
    this.say({ mark: "info", title, text, ways: [{ words: "All right", go: () => this.hush() }] });
    this.section.classList.add("small");
  }

  hush() {
    this.section.hidden = true;
    this.section.classList.remove("small");
    this.section.replaceChildren();
  }
}
