// Searching by a photo: one of the library, or one of the user's own.

import { filtersOf, nothing } from "./address.js";
import { byId } from "./element.js";
import { listenForPhotos } from "./example.js";
import { LARGEST_UPLOAD } from "./server.js";

export class Likeness {
  /**
   * @param {{state: Object}} page
   * @param {{go: Function, chips: Chips, notice: Notice, uploads: Uploads}} parts of the page
   */
  constructor(page, parts) {
    this.page = page;
    Object.assign(this, parts);
  }

  /** Searches by photos that are dropped, pasted or chosen. */
  listen() {
    const refuse = () =>
      this.notice.mention("That is not a photo", "Drop a file rather than a link or text.");
    listenForPhotos((file) => this.searchBy(file), refuse);
  }

  /** Searches for more photos like one. The description and filters stay; chips take them off. */
  search(hit) {
    this.chips.learn(hit.id, hit.name);
    const { q, exact, literal } = this.page.state;
    this.go({ ...this.#filters(), q, exact, literal, like_id: [String(hit.id)] });
    byId("summary").focus({ preventScroll: true });
  }

  /** Searches by a photo of the user's own. */
  searchBy(file) {
    if (file.size > LARGEST_UPLOAD) {
      this.notice.mention("This photo is too large", "The limit is 25 MB: make the photo smaller.");
      return;
    }
    const upload = this.uploads.add(file);
    this.go({ ...this.#filters(), example: file.name || "a photo" }, { upload });
  }

  /** Tells the user about a photo that a reload has lost. */
  mentionLost() {
    const lost = this.uploads.takeLost();
    if (lost) {
      this.notice.mention(`“${lost}” was not kept`, "The browser forgets a dropped photo when the page "
        + "is reloaded. Drop it again to search by it.");
    }
  }

  #filters() {
    return { ...nothing(), ...filtersOf(this.page.state) };
  }
}
