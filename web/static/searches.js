// The search in progress, and recent ones, which "back" shows without asking the server again.

/** Milliseconds before the page shows that it is waiting for an answer. */
const PATIENCE = 250;
/** Number of searches that are kept. */
const KEPT = 20;

export class Searches {
  /** @param {function(boolean)} showWaiting */
  constructor(showWaiting) {
    this.showWaiting = showWaiting;
    this.pending = null;
    this.kept = new Map();
  }

  /** The recent results with this key, if they are kept. */
  recent(key) {
    return this.kept.get(key);
  }

  /** Keeps results in place of the oldest. */
  keep(results) {
    this.kept.delete(results.key);
    this.kept.set(results.key, results);
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
  }

  /** Drops the search in progress. */
  stop() {
    this.pending?.control.abort();
    this.pending = null;
  }

  /**
   * Loads the first photos of results, and drops any search in progress.
   *
   * @returns {Promise<boolean>} whether they are still wanted; errors of others are dropped
   */
  async begin(results, options = {}) {
    this.stop();
    const control = new AbortController();
    const mine = { key: results.key, control };
    this.pending = mine;
    const late = setTimeout(() => this.showWaiting(true), PATIENCE);
    try {
      await results.begin({ ...options, signal: control.signal });
    } catch (error) {
      if (mine === this.pending) throw error;
    } finally {
      clearTimeout(late);
      if (mine === this.pending || !this.pending) this.showWaiting(false);
    }
    const wanted = mine === this.pending;
    if (wanted) this.pending = null;
    return wanted;
  }
}
