// Loads more photos when the end of the page comes near, and offers a button that does the same.

import { byId } from "./element.js";
import { Refusal } from "./server.js";

/** Most photos that are loaded again after a reload. */
const RELOADED = 400;

export class Paging {
  /**
   * @param {{results: Results|null}} page
   * @param {Function} onMore called with the photos that came, and whether the button was used
   */
  constructor(page, onMore) {
    this.page = page;
    this.onMore = onMore;
    this.button = byId("more");
    this.button.addEventListener("click", () => this.more({ byHand: true }));
    this.horizon = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && this.more(),
      { rootMargin: "0px 0px 1500px 0px" },
    );
  }

  /** Shows the button if there are more photos. */
  offer({ failed = false } = {}) {
    this.horizon.disconnect();
    this.button.hidden = !this.page.results?.unfinished;
    this.button.textContent = failed ? "Could not load more photos. Try again" : "More photos";
    if (!this.button.hidden && !failed) this.horizon.observe(this.button);
  }

  /** Loads the next photos. */
  async more({ byHand = false } = {}) {
    const mine = this.page.results;
    let fresh = [];
    try {
      fresh = await mine.more();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (mine === this.page.results) this.offer({ failed: true });
      return;
    }
    if (mine === this.page.results) this.onMore(fresh, { byHand });
  }

  /** Loads photos until there are as many as before a reload. */
  async upTo(count) {
    const mine = this.page.results;
    const wanted = Math.min(count, RELOADED);
    const lacking = () => mine === this.page.results && mine?.unfinished && mine.length < wanted;
    for (let before = -1; lacking() && mine.length > before;) {
      before = mine.length;
      await this.more();
    }
  }
}
