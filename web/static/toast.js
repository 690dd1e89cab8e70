// A line at the foot of the page that says what was done, and takes it back.

import { element } from "./element.js";

/** Milliseconds for which it stays. */
const STAY = 6000;

export class Toast {
  /** @param {Function} undo takes back what the line is about */
  constructor(undo) {
    this.words = element("span");
    this.button = element("button.plain", { type: "button", title: "Undo (u)", on: { click: undo } }, "Undo");
    this.line = element("div.toast", { hidden: true }, this.words, this.button);
    this.line.addEventListener("pointerenter", () => clearTimeout(this.timer));
    this.line.addEventListener("pointerleave", () => this.#leaveSoon());
    document.body.append(this.line);
  }

  say(words, { undo = false } = {}) {
    this.words.textContent = words;
    this.button.hidden = !undo;
    this.line.hidden = false;
    this.#leaveSoon();
  }

  #leaveSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.line.hidden = true; }, STAY);
  }
}
