// What was found for one request: the pages so far, and how to get the next.

import { search } from "./server.js";

export class Results {
  /**
   * @param {string} request as the address module writes it
   * @param {File|null} photo to search by
   */
  constructor(request, photo) {
    this.request = request;
    this.photo = photo;
    this.hits = [];
    this.answer = null;
    this.next = 0;
    this.loading = null;
  }

  /** Whether there are more photos than were loaded. */
  get unfinished() {
    return this.next !== null;
  }

  /** Loads the next page, once however often it is asked for; returns the photos that are new. */
  more(options = {}) {
    this.loading ??= this.#load(options).finally(() => { this.loading = null; });
    return this.loading;
  }

  async #load(options) {
    if (!this.unfinished) return [];
    const answer = await search(this.request, this.next, this.photo, options);
    const known = new Set(this.hits.map((hit) => hit.id));
    const fresh = answer.hits.filter((hit) => !known.has(hit.id)); // the library may have changed
    this.answer ??= answer;
    this.hits.push(...fresh);
    this.next = answer.hits.length ? answer.next : null;
    return fresh;
  }
}
