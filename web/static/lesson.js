// What could be learned from the judgements: offered, shown while it runs, and put to use.

import { byId, coded, element } from "./element.js";
import { cancelTraining, startTraining, training, useRelevance } from "./server.js";
import { sentence } from "./words.js";

/** Milliseconds between two looks at a training that runs. */
const PAUSE = 700;
/** Further judgements after which training is offered again. */
const MORE = 25;
/** What the browser remembers of the last offer, until its tab is closed. */
const OFFERED = "pixquery-offered";

export class Lesson {
  /** @param {{changed: Function, say: Function}} how ``changed``: photos are in another order now */
  constructor(how) {
    this.how = how;
    this.card = byId("lesson");
    this.counts = null;
    this.kind = "";
    this.timer = 0;
    this.#look(); // a training may run since another page started it
  }

  /** Takes what the server says of all judgements. */
  counted(counts) {
    this.counts = counts;
    const least = Math.max(Number(sessionStorage.getItem(OFFERED) ?? 0), counts.learned && counts.learned + MORE);
    const due = counts.judgements >= least;
    if (counts.writable && counts.worthwhile && due && !this.kind) this.#offer();
  }

  // -- what the card says ------------------------------------------------------------------------

  async #offer() {
    this.kind = "offer"; // only once, however many judgements arrive meanwhile
    const { missing } = await training().catch(() => ({ missing: "" }));
    const { judgements, texts } = this.counts;
    if (missing) {
      this.#show("offer", `${judgements} judgements to learn from`, [
        `Training needs more packages. Run \`${missing}\` where the server runs, then start it again.`,
      ], [["Not now", () => this.#dismiss()]]);
      return;
    }
    this.#show("offer", `Learn from your ${judgements} judgements?`, [
      `They are about ${texts} descriptions. Training finds out how you judge, and compares that with `
        + "what is used now, on photos and descriptions that it did not learn from.",
      "It takes less than a minute on most computers. You can go on searching. Nothing changes "
        + "unless you say so, and you can always go back.",
    ], [["Train", () => this.#act(startTraining)], ["Not now", () => this.#dismiss()]]);
  }

  #running({ done, total }) {
    if (this.kind !== "running") {
      this.bar = element("progress", { max: 1, "aria-label": "Training" });
      this.#show("running", "Learning from your judgements", [this.bar], [
        ["Cancel", () => this.#act(cancelTraining)],
      ]);
    }
    if (total) this.bar.value = done / total;
  }

  #ended(found) {
    const { state, profile, gain, why, used, message } = found;
    const figures = gain ? element("p.gain", {}, gainInWords(gain)) : null;
    if (state === "failed") {
      this.#show("failed", "Training did not work", [sentence(message)], [
        ["Try again", () => this.#act(startTraining)], ["Close", () => this.#dismiss()],
      ]);
    } else if (!profile) {
      this.#show("kept", "What there was is kept", [sentence(why), figures], [["Close", () => this.#dismiss()]]);
    } else if (used) {
      this.#show("used", "Photos are judged your way now", [figures], [
        ["Go back", () => this.#choose("earlier")], ["Close", () => this.#dismiss()],
      ]);
    } else {
      this.#show("done", "It gets nearer to your judgements", [
        figures, "Only how photos are ordered and what counts as fitting changes.",
      ], [["Use it", () => this.#choose("new")], ["Keep what there was", () => this.#dismiss()]]);
    }
  }

  #show(kind, heading, paragraphs, buttons) {
    this.kind = kind;
    this.card.dataset.kind = kind;
    this.card.replaceChildren(
      element("h2", {}, heading),
      ...paragraphs.filter(Boolean).map((each) => (each instanceof Node ? each : element("p", {}, ...coded(each)))),
      element("div.acts", {}, ...buttons.map(([words, act], place) => element(
        place ? "button.plain" : "button.first", { type: "button", on: { click: act } }, words,
      ))),
    );
    this.card.hidden = false;
    this.how.say(heading);
  }

  #dismiss() {
    sessionStorage.setItem(OFFERED, String((this.counts?.judgements ?? 0) + MORE));
    this.card.hidden = true;
    this.kind = "";
  }

  // -- what it does ------------------------------------------------------------------------------

  async #act(request) {
    for (const button of this.card.querySelectorAll("button")) button.disabled = true;
    try {
      this.#take(await request());
    } catch (error) {
      this.#ended({ state: "failed", message: error.message });
    }
  }

  async #choose(relevance) {
    await this.#act(() => useRelevance(relevance));
    this.how.changed();
  }

  async #look() {
    try {
      const found = await training();
      if (found.state === "running" || this.kind === "running") this.#take(found);
    } catch {
      if (this.kind === "running") this.#lookSoon(); // the server is busy
    }
  }

  #lookSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#look(), PAUSE);
  }

  #take(found) {
    if (found.state === "running") {
      this.#running(found);
      this.#lookSoon();
    } else if (found.state === "cancelled") {
      this.#dismiss();
    } else {
      this.#ended(found);
    }
  }
}

function gainInWords({ before, after }) {
  return `On held-out pairs, relevance is off by ${before.toFixed(3)} as it is, and by ${after.toFixed(3)} `
    + "with what was learned (root mean square; 0 is perfect).";
}
