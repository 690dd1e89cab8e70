// Judgements: whether a photo shows what was searched for, said by thumbs or keys.

import { judged } from "./address.js";
import { byId, element, icon } from "./element.js";
import { judge, judgements, withdraw } from "./server.js";
import { Toast } from "./toast.js";

const LABELS = { yes: "Fits", partly: "Fits partly", no: "Does not fit" };
const KEYS = { y: "yes", p: "partly", n: "no" };
const SHORT = { yes: "Yes", partly: "Partly", no: "No" };
/** Milliseconds until a photo that a finger judged moves: it must not leave from under the finger. */
const UNDER_A_FINGER = 1200;
/** Where photos go that were judged since the page was opened; others are between. */
const GROUPS = { yes: 0, partly: 1, no: 2 };

export class Judging {
  /**
   * @param {{state: Object, results: Results|null}} page
   * @param {{show: function(): void, focus: function(number): void, say: function(string): void,
   *   counted: function(Object): void}} how
   *   ``show`` draws the results again, and ``counted`` takes what the server says of all judgements
   */
  constructor(page, how) {
    this.page = page;
    this.how = how;
    this.toast = new Toast(() => this.undo());
    this.active = false;
    this.text = "";
    this.verdicts = new Map();
    this.sessions = new Map();
    this.history = [];
    this.sending = Promise.resolve();
    this.waiting = false;
    this.large = group((verdict) => this.#judge(Number(page.state.photo), verdict, "large"), { words: true });
    byId("stage").append(this.large);
    document.addEventListener("keydown", (event) => this.#press(event));
  }

  /** Learns what was judged for a new search. */
  async begin() {
    const { state } = this.page;
    const key = judged(state) ? this.#keyOf(state) : "";
    if (key === this.key && this.active) return;
    this.key = key;
    this.active = false;
    this.verdicts = new Map();
    this.draw();
    if (!key) return;
    try {
      const found = await judgements(state);
      if (this.key !== key) return;
      this.#take(found);
      this.active = found.writable && found.text !== null;
      this.text = found.text ?? "";
      this.verdicts = new Map(found.given.map(({ id, rating }) => [id, rating]));
      this.draw();
    } catch {
      // The search itself says what is wrong with the server.
    }
  }

  /** Puts hits in order: those judged to fit first, those judged not to fit last. */
  order(results) {
    const said = this.sessions.get(this.#keyOf(this.page.state));
    if (!said || this.#byDate()) return;
    const place = ({ id }) => GROUPS[said.get(id)] ?? GROUPS.partly;
    results.sort((one, other) => place(one) - place(other) || one.rank - other.rank);
  }

  /** Draws the thumbs of every tile, and those of the large view. */
  draw() {
    for (const item of byId("photos").children) this.adorn(item);
    const { photo } = this.page.state;
    const shown = this.active && photo !== "";
    byId("viewer").classList.toggle("judgeable", shown);
    this.large.hidden = !shown;
    if (shown) {
      this.large.setAttribute("aria-label", `Does it show “${this.text}”?`);
      this.large.firstChild.textContent = `“${this.text}”?`;
      press(this.large, this.verdicts.get(Number(photo)));
    }
    if (!photo && this.waiting) this.#arrange();
  }

  /** Draws the thumbs of one tile. */
  adorn(item) {
    const id = Number(item.dataset.id);
    let thumbs = item.querySelector(".verdicts");
    if (this.active && !thumbs && id) {
      thumbs = group((verdict, event) => this.#judge(id, verdict, event.pointerType === "mouse" ? "mouse" : "touch"));
      item.append(thumbs);
    }
    if (!thumbs) return;
    thumbs.hidden = !this.active;
    const verdict = this.active ? this.verdicts.get(id) : undefined;
    item.dataset.verdict = verdict ?? "";
    press(thumbs, verdict);
  }

  /** Takes the last judgement back. */
  undo() {
    const last = this.history.pop();
    if (!last) return;
    if (last.key === this.key) this.#note(last.id, last.before);
    this.toast.say("Taken back.");
    this.how.say("Judgement taken back");
    const again = last.before && !last.verdict;
    this.#send(() => (again
      ? judge(last.search, last.id, last.before)
      : withdraw(last.search, last.id, { last: true })), last);
    this.#arrange();
    if (!this.page.state.photo && last.by === "key") this.how.focus(last.id);
  }

  // -- one judgement ---------------------------------------------------------------------------

  #judge(id, pressed, by) {
    if (!this.active || !id) return;
    const before = this.verdicts.get(id);
    const verdict = pressed === before ? undefined : pressed; // the same again takes it back
    const { q, exact } = this.page.state;
    const last = { id, before, verdict, key: this.key, search: { q, exact }, by };
    this.history.push(last);
    this.#note(id, verdict);
    this.#send(() => (verdict ? judge(last.search, id, verdict) : withdraw(last.search, id)), last);
    const words = this.#said(verdict);
    this.how.say(`${words} Press u to undo.`);
    if (by !== "large") this.toast.say(words, { undo: true });
    this.#move(id, by);
  }

  #said(verdict) {
    const moved = this.#byDate() ? "" : { yes: " It goes up.", no: " It goes down." }[verdict] ?? "";
    return {
      yes: `It fits “${this.text}”.${moved}`,
      partly: `It partly fits “${this.text}”.`,
      no: `Not “${this.text}”.${moved}`,
    }[verdict] ?? "Taken back.";
  }

  #note(id, verdict) {
    const said = this.sessions.get(this.key) ?? new Map();
    this.sessions.set(this.key, said);
    for (const known of [said, this.verdicts]) {
      if (verdict) known.set(id, verdict);
      else known.delete(id);
    }
    this.draw();
  }

  /** Sends judgements one after another, in the order in which they were given. */
  #send(request, last) {
    this.sending = this.sending.then(request).then((found) => this.#take(found), (error) => {
      this.toast.say(`This was not kept. ${error.message}`);
      this.how.say(`This was not kept. ${error.message}`);
      this.history = this.history.filter((other) => other !== last);
      if (last.key === this.key) this.#note(last.id, last.before);
    });
  }

  #take(found) {
    this.how.counted(found);
  }

  // -- moving ----------------------------------------------------------------------------------

  /** Moves a photo to its new place, but not while a pointer is on it. */
  #move(id, by) {
    if (by === "large") {
      this.waiting = true; // until it closes: the next photo stays the next
    } else if (by === "touch") {
      setTimeout(() => this.#arrange(), UNDER_A_FINGER);
    } else if (by === "mouse") {
      const item = byId("photos").querySelector(`[data-id="${id}"]`);
      item?.addEventListener("pointerleave", () => this.#arrange(), { once: true });
    } else {
      const { results } = this.page;
      const at = results.placeOf(id);
      const next = results.hit(at + 1) ?? results.hit(at - 1);
      this.#arrange();
      if (next) this.how.focus(next.id); // the focus stays where it was, and does not travel along
    }
  }

  #arrange() {
    if (this.page.state.photo) return;
    this.waiting = false;
    if (this.page.results && !this.#byDate()) this.how.show();
  }

  // -- keys ------------------------------------------------------------------------------------

  #press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.active) return;
    if (event.target.closest?.("input, select, textarea, [popover]")) return;
    const large = this.page.state.photo !== "";
    const id = large ? Number(this.page.state.photo) : Number(event.target.closest?.("#photos > li")?.dataset.id);
    if (event.key === "u") this.undo();
    else if (event.key in KEYS && id) this.#judge(id, KEYS[event.key], large ? "large" : "key");
    else return;
    event.preventDefault();
  }

  /** Whether photos are in the order of their dates, which judgements do not change. */
  #byDate() {
    const { sort } = this.page.state;
    return Boolean(sort) && sort !== "relevance";
  }

  #keyOf({ q, exact }) {
    return `${exact} ${q.trim()}`;
  }
}

/** Three buttons. Those of tiles are no stops for the Tab key, which would never get to the end. */
function group(act, { words = false } = {}) {
  const buttons = Object.entries(LABELS).map(([verdict, label]) => element(
    `button.verdict.${verdict}`,
    {
      type: "button",
      title: `${label} (${verdict[0]})`,
      "aria-label": label,
      "aria-pressed": "false",
      "data-verdict": verdict,
      tabIndex: words ? 0 : -1,
      on: { click: (event) => act(verdict, event) },
    },
    icon(verdict),
    words ? element("span.word", {}, SHORT[verdict]) : null,
  ));
  const asked = words ? element("span.asked") : null;
  return element("div.verdicts", { role: "group", "aria-label": "Judge", hidden: true }, asked, ...buttons);
}

function press(thumbs, verdict) {
  for (const button of thumbs.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict));
  }
}
