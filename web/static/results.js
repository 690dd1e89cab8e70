// The results of one search. By relevance, they are loaded page by page from the best photo on. By
// date, each photo has its place from the beginning, and pages are loaded wherever someone looks.

import { describes, toRequest } from "./address.js";
import { search, timeline } from "./server.js";
import { Timeline, monthsOf } from "./timeline.js";

/** Photos in a request. */
export const PAGE = 60;
/** Most photos of a description that are sorted by date; the server sorts no more. */
const SORTED = 200;
/** Pages that are kept of results by date, those that were used last. */
const KEPT = 40;
/** Most requests at a time, and milliseconds before one that failed is made again. */
const AT_ONCE = 2;
const PAUSE = 3000;
/** Least milliseconds between two looks at a timeline that has changed. */
const REST = 3000;

export class Results {
  /** The results of a state, before anything is loaded. ``photo`` is the user's own, or null. */
  static of(state, photo) {
    const described = describes(state);
    return new Results(toRequest(state), {
      photo,
      dated: !described && !state.text,
      described: described && state.sort !== "",
    });
  }

  /**
   * @param {string} request as the address module writes it
   * @param {{photo: File|null, dated: boolean, described: boolean}} what ``photo`` is one of the
   *   user's own to search by; ``dated`` if the answer is surely by date, ``described`` if surely not
   *   everything that matches is wanted
   */
  constructor(request, { photo = null, dated = false, described = false } = {}) {
    this.request = request;
    this.photo = photo;
    this.dated = dated;
    this.k = described ? SORTED : PAGE;
    this.answer = null;
    this.timeline = null;
    this.next = 0;
    this.loading = null;
    this.list = [];
    this.pages = new Map();
    this.running = new Set();
    this.range = null;
    this.looked = 0;
    /** Called when photos have come, and when all may have moved. */
    this.onPhotos = () => {};
    this.onMoved = () => {};
  }

  // -- what is known ---------------------------------------------------------------------------

  /** Number of photos that have a place on the page. */
  get length() {
    return this.timeline?.length ?? this.list.length;
  }

  /** Number of photos in the answer; null while its end is not known. */
  get total() {
    if (this.timeline || !this.unfinished) return this.length;
    return this.request.includes("min_relevance=") ? null : this.answer.among;
  }

  /** Whether there are more photos after the last that has a place. */
  get unfinished() {
    return !this.timeline && this.next !== null;
  }

  /** Months with ``name``, ``images`` and ``begin``; empty if photos are not sorted by date. */
  get months() {
    if (this.timeline) return this.timeline.months;
    return !this.answer || this.answer.sort === "relevance" ? [] : monthsOf(this.list);
  }

  /** The hit at a place; undefined if it is not loaded. */
  hit(at) {
    if (!this.timeline) return this.list[at];
    return this.pages.get(Math.floor(at / PAGE))?.[at % PAGE];
  }

  /** Width / height of the photo at a place. */
  shape(at) {
    return this.timeline ? this.timeline.shapes[at] : this.list[at].width / this.list[at].height;
  }

  /** The place of a photo; -1 if it is not loaded. */
  placeOf(id) {
    if (!this.timeline) return this.list.findIndex((hit) => hit.id === id);
    for (const [page, hits] of this.pages) {
      const at = hits.findIndex((hit) => hit.id === id);
      if (at >= 0) return page * PAGE + at;
    }
    return -1;
  }

  /** The place nearest to another whose photo is loaded; the same if none is. */
  nearest(at) {
    if (this.hit(at) || !this.timeline) return at;
    let best = null;
    for (const [page, hits] of this.pages) {
      const there = at < page * PAGE ? page * PAGE : page * PAGE + hits.length - 1;
      if (hits.length && (best === null || Math.abs(there - at) < Math.abs(best - at))) best = there;
    }
    return best ?? at;
  }

  // -- loading ---------------------------------------------------------------------------------

  /** Loads the first photos, and their timeline if they are sorted by date. ``find`` is a photo's id. */
  async begin({ find = 0, ...options } = {}) {
    const early = this.dated ? this.#ask(find, options) : null;
    early?.catch(() => {}); // the search reports the same trouble
    await this.more(options);
    const { sort, candidates } = this.answer;
    if (sort !== "relevance" && !candidates) this.#take(await (early ?? this.#ask(find, options)));
  }

  /** Loads the next page and returns its photos. Calls made meanwhile share one request. */
  more(options = {}) {
    this.loading ??= this.#load(options).finally(() => { this.loading = null; });
    return this.loading;
  }

  async #load(options) {
    if (!this.unfinished) return [];
    const answer = await search(this.request, this.next, this.photo, { ...options, k: this.k });
    const known = new Set(this.list.map((hit) => hit.id));
    const fresh = answer.hits.filter((hit) => !known.has(hit.id)); // the library may have changed
    this.answer ??= answer;
    this.list.push(...fresh);
    this.next = answer.hits.length ? answer.next : null;
    return fresh;
  }

  /** Loads the photos from one place up to another as far as they are missing, by date. */
  want(begin, end) {
    if (!this.timeline) return;
    this.range = { first: Math.floor(begin / PAGE), last: Math.floor((end - 1) / PAGE) };
    this.#fill();
  }

  /** The hit at a place, loaded if need be; undefined beyond the last. */
  async load(at) {
    if (!this.timeline && at >= this.list.length) await this.more();
    if (this.timeline && at >= 0 && at < this.length && !this.hit(at)) await this.#page(Math.floor(at / PAGE));
    return this.hit(at);
  }

  #fill() {
    const { first, last } = this.range;
    for (let page = first; page <= last && this.running.size < AT_ONCE; page += 1) {
      if (this.pages.has(page) || this.running.has(page) || page * PAGE >= this.length) continue;
      this.#page(page).then(
        () => this.#fill(),
        () => setTimeout(() => this.#fill(), PAUSE), // the photos stay wanted
      );
    }
  }

  async #page(page) {
    this.running.add(page);
    const { timeline: before } = this;
    try {
      const answer = await search(this.request, page * PAGE, this.photo, { k: PAGE });
      if (before !== this.timeline) return; // it has moved meanwhile
      if (answer.revision !== before.revision && this.#moved()) return; // all are loaded anew
      this.#keep(page, answer.hits);
    } finally {
      this.running.delete(page);
    }
    this.onPhotos();
  }

  #keep(page, hits) {
    this.pages.delete(page);
    this.pages.set(page, hits);
    for (const old of this.pages.keys()) {
      if (this.pages.size <= KEPT) break;
      if (!this.range || old < this.range.first || old > this.range.last) this.pages.delete(old);
    }
  }

  // -- the timeline ----------------------------------------------------------------------------

  #ask(find, options) {
    return timeline(this.request, find, options);
  }

  #take(answer) {
    this.timeline = new Timeline(answer);
    const { revision } = this.timeline;
    if (this.answer.revision === revision && this.list.length) this.#keep(0, this.list.slice(0, PAGE));
    this.list = [];
  }

  /** Tells that photos have moved, but not all the time while photos are being indexed. */
  #moved() {
    if (Date.now() - this.looked < REST) return false;
    this.looked = Date.now();
    this.onMoved();
    return true;
  }

  /** Asks for the timeline again, and returns the new place of a photo; null if it is gone. */
  async renew(id) {
    const fresh = new Timeline(await this.#ask(id, {}));
    this.timeline = fresh;
    this.pages.clear();
    return fresh.found;
  }
}
