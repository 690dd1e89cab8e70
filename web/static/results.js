// The results of one search: the pages loaded so far, and how to load the next.

import { search } from "./server.js";

export class Results {
  /**
   * @param {string} request as the address module writes it
   * @param {File|null} photo of the user's own to search by
   */
  constructor(request, photo) {
    this.request = request;
    this.photo = photo;
    this.hits = [];
    this.answer = null;
    this.next = 0;
    this.loading = null;
  }

  /** Whether there are more photos to load. */
  get unfinished() {
    return this.next !== null;
  }

  /** Loads the next page and returns its photos. Calls made meanwhile share one request. */
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
