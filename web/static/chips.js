// The parts and filters of a search, as chips below the search field that can be removed.

import { FILTERS, contains, describes, filterCount, judged, unfiltered } from "./address.js";
import { element, icon } from "./element.js";
import { photo, thumbnail } from "./server.js";
import { LEAST_FITS, number, period, stars } from "./words.js";

const STRENGTHS = [{ weight: 1, word: "" }, { weight: 2, word: "much" }, { weight: 0.5, word: "a little" }];

export class Chips {
  /**
   * @param {HTMLElement} section
   * @param {Function} change called with the new state
   */
  constructor(section, change) {
    this.section = section;
    this.change = change;
    this.names = new Map();
    this.roots = [];
    this.recognised = [];
    this.adding = "";
  }

  /**
   * Draws the chips of a state.
   *
   * @param {Object} state
   * @param {string} example address of a dropped photo's picture
   * @param {{kind: string, words: string, meaning: string}[]} recognised words that are a filter
   */
  draw(state, example = this.example, recognised = this.recognised) {
    this.state = state;
    this.example = example;
    this.recognised = recognised;
    const filters = FILTERS.flatMap((name) => this.#filter(name));
    const understood = [...this.#text(), ...this.#exact(), ...this.#recognised(), ...this.#literal()];
    const chips = [...understood, ...this.#photos(), ...this.#words("plus"), ...this.#words("minus"), ...filters];
    const adders = describes(state) ? [this.#adder("plus"), this.#adder("minus")] : [];
    const all = filterCount(state) > 1 ? [this.#noFilters()] : [];
    const items = [...chips, ...all, ...adders].map((chip) => element("li", {}, chip));
    this.section.hidden = !items.length;
    this.section.replaceChildren(element("ul", { role: "list" }, ...items));
  }

  /** Takes the words that an answer made a filter of; draws only what changes, for the focus' sake. */
  recognise(recognised) {
    if (JSON.stringify(recognised) !== JSON.stringify(this.recognised)) {
      this.draw(this.state, this.example, recognised);
    }
  }

  // -- photos --------------------------------------------------------------------------------

  #photos() {
    const chips = this.state.like_id.map((id) => {
      const name = this.#nameOf(id);
      const rest = { ...this.state, like_id: this.state.like_id.filter((other) => other !== id) };
      return this.#pictured(thumbnail({ id }, 160), `like ${name}`, rest);
    });
    if (this.state.example) {
      const words = `like ${this.state.example}`;
      chips.push(this.#pictured(this.example, words, { ...this.state, example: "" }));
    }
    return chips;
  }

  #pictured(source, words, rest) {
    const picture = source
      ? element("img", { src: source, alt: "", on: { error: (event) => event.target.remove() } })
      : null;
    return this.#chip("example", words, rest, picture);
  }

  #nameOf(id) {
    if (!this.names.has(id)) {
      this.names.set(id, "this photo");
      photo(id).then((details) => {
        this.names.set(id, details.name);
        this.draw(this.state);
      }, () => {}); // the search itself reports an unknown photo
    }
    return this.names.get(id);
  }

  /** Remembers a photo's name, so that the server need not be asked for it. */
  learn(id, name) {
    this.names.set(String(id), name);
  }

  /** The description, if photos or further words are searched for too: it can be taken off. */
  #text() {
    const q = this.state.q.trim();
    if (!q || !(this.state.like_id.length || this.state.example)) return [];
    const words = q.length > 40 ? `${q.slice(0, 40)}…` : q;
    return [this.#chip("filter", `also “${words}”`, { ...this.state, q: "", exact: "", literal: [] })];
  }

  #exact() {
    const { exact, q } = this.state;
    return exact && q ? [this.#chip("filter", "word for word", { ...this.state, exact: "" })] : [];
  }

  /** Words of the description that became a filter; without the chip, they are words again. */
  #recognised() {
    return this.recognised.map(({ kind, words, meaning }) => {
      const rest = { ...this.state, literal: [...this.state.literal, words] };
      const label = kind === "place" ? meaning : words;
      const chip = this.#chip("recognised", label, rest, icon(kind === "place" ? "place" : "date"));
      const means = kind === "place" ? `taken in ${meaning}` : `taken ${period(meaning)}`;
      chip.title = `Only photos ${means}`;
      const remover = chip.querySelector(".remove");
      remover.title = `Search for “${words}” as words`;
      remover.setAttribute("aria-label", `${label}: only photos ${means}. Search for “${words}” as words`);
      return chip;
    });
  }

  #literal() {
    const { literal, q, exact } = this.state;
    return literal.filter((words) => !exact && contains(q, words)).map((words) => {
      const rest = { ...this.state, literal: literal.filter((other) => other !== words) };
      return this.#chip("filter", `“${words}” as words`, rest);
    });
  }

  // -- words ---------------------------------------------------------------------------------

  #words(which) {
    return this.state[which].map((part, place) => this.#word(which, part, place));
  }

  #word(which, part, place) {
    const others = this.state[which].filter((_, other) => other !== place);
    const sign = which === "plus" ? "more" : "less";
    const index = STRENGTHS.findIndex(({ weight }) => weight === part.weight);
    const strength = index < 0 ? `${part.weight} ×` : STRENGTHS[index].word;
    const next = STRENGTHS[(index + 1) % STRENGTHS.length];
    const words = [strength, sign, part.text].filter(Boolean).join(" ");
    const stronger = [...this.state[which]];
    stronger[place] = { ...part, weight: next.weight };
    return element(
      `span.chip.${which}`,
      {},
      element(
        "button.strength",
        {
          type: "button",
          title: "Change how much this counts",
          "aria-label": `${words}: change to ${[next.word, sign].filter(Boolean).join(" ")}`,
          on: { click: () => this.change({ ...this.state, [which]: stronger }, { keep: `${which}${place}` }) },
        },
        icon(which),
        words,
      ),
      this.#remover(words, { ...this.state, [which]: others }),
    );
  }

  #adder(which) {
    const words = which === "plus" ? "more of…" : "less of…";
    if (this.adding !== which) {
      const begin = () => {
        this.adding = which;
        this.draw(this.state);
        this.section.querySelector(".adding input").focus();
      };
      return element("button.adder", { type: "button", on: { click: begin } }, icon(which), words);
    }
    const input = element("input", {
      type: "text",
      maxLength: 200,
      autocomplete: "off",
      placeholder: which === "plus" ? "sunset" : "people",
      "aria-label": which === "plus" ? "More of" : "Less of",
      on: { blur: () => this.#added(which, input.value) },
    });
    const send = (event) => {
      event.preventDefault();
      this.#added(which, input.value);
    };
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      input.value = "";
      this.#added(which, "");
    });
    return element("form.adding", { on: { submit: send } }, icon(which), input);
  }

  #added(which, text) {
    if (this.adding !== which) return; // Enter already added it, and now the field loses its focus
    this.adding = "";
    const part = { text: text.trim(), weight: 1 };
    if (part.text) this.change({ ...this.state, [which]: [...this.state[which], part] });
    else this.draw(this.state);
  }

  // -- filters -------------------------------------------------------------------------------

  #filter(name) {
    const value = this.state[name];
    if (Array.isArray(value)) {
      return value.map((one) => {
        const rest = { ...this.state, [name]: value.filter((other) => other !== one) };
        return this.#chip("filter", this.#inWords(name, one), rest);
      });
    }
    if (!value || (name === "min_relevance" && !judged(this.state))) return [];
    return [this.#chip("filter", this.#inWords(name, value), { ...this.state, [name]: "" })];
  }

  #inWords(name, value) {
    const words = {
      taken: () => `taken ${period(value)}`,
      modified: () => `modified ${period(value)}`,
      root: () => `in ${this.roots.find((root) => String(root.number) === value)?.name ?? `folder ${value}`}`,
      path: () => `path contains ${value.replace(/^\*|\*$/g, "")}`,
      min_width: () => `at least ${number(Number(value))} px wide`,
      min_height: () => `at least ${number(Number(value))} px tall`,
      near: () => `near ${centre(value)}`,
      place: () => `taken in ${value}`,
      text: () => `text “${value}”`,
      keyword: () => `keyword ${value}`,
      person: () => `with ${value}`,
      rating: () => stars(value),
      min_relevance: () => LEAST_FITS.find((fit) => fit.value === value)?.words ?? `relevance at least ${value}`,
    };
    return words[name]?.() ?? value;
  }

  #noFilters() {
    const rest = unfiltered(this.state);
    return element("button.unfilter", { type: "button", on: { click: () => this.change(rest) } },
      "remove filters");
  }

  // -- one chip ------------------------------------------------------------------------------

  #chip(kind, words, rest, picture = null) {
    return element(`span.chip.${kind}`, {}, picture, element("span.words", {}, words),
      this.#remover(words, rest));
  }

  #remover(words, rest) {
    const remove = () => {
      this.change(rest);
      (this.section.querySelector("button") ?? document.getElementById("q")).focus();
    };
    return element("button.remove", {
      type: "button", "aria-label": `Remove: ${words}`, on: { click: remove },
    }, icon("close"));
  }
}

/** The centre of a circle such as "48.21,16.37,5" or "Vienna,5", without its kilometres. */
function centre(near) {
  const parts = near.split(",").map((part) => part.trim());
  const town = /^\p{L}/u.test(near.trim());
  const kept = town ? parts.filter((part, place) => !place || Number.isNaN(Number(part))) : parts.slice(0, 2);
  return kept.join(", ");
}
