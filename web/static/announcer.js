// Spoken announcements, for people who listen to the page rather than look at it.

/** Milliseconds without typing before a result is announced. */
const QUIET = 700;

export class Announcer {
  /** @param {HTMLElement} region a live region */
  constructor(region) {
    this.region = region;
    this.timer = 0;
  }

  /** Announces something now. */
  say(words) {
    clearTimeout(this.timer);
    this.region.textContent = words;
  }

  /** Announces something once typing has stopped. */
  saySoon(words) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.say(words), QUIET);
  }
}
