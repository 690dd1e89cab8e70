// Which photo the large view shows: the one of the address, and its neighbours in the results.

import { position } from "./phrases.js";
import { Refusal } from "./server.js";
import { Viewer } from "./viewer.js";

export class Large {
  /**
   * @param {{state: Object, results: Results|null}} page
   * @param {{go: Function, more: Function, opened: function(): boolean, waiting: function(): boolean,
   *   onAlike: Function, onSearch: Function}} how
   */
  constructor(page, how) {
    this.page = page;
    this.how = how;
    this.viewer = new Viewer({
      onTurn: (step) => this.#turn(step),
      onClose: () => this.#leave(),
      onAlike: how.onAlike,
      onSearch: how.onSearch,
    });
  }

  /** Opens, turns or closes the large view to match the state. */
  show() {
    const { state, results } = this.page;
    if (!state.photo) {
      this.viewer.close();
      return;
    }
    const id = Number(state.photo);
    const at = this.how.waiting() || !results ? -1 : results.placeOf(id);
    this.viewer.show(id, at < 0 ? null : results.hit(at), {
      position: at < 0 ? "" : position(at, results),
      first: at <= 0,
      last: at < 0 || (at === results.length - 1 && !results.unfinished),
    });
  }

  async #turn(step) {
    const { state, results } = this.page;
    const there = results.placeOf(Number(state.photo)) + step;
    if (there === results.length) await this.how.more();
    let hit = null;
    try {
      hit = await results.load(there);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error; // the photo that is shown stays
    }
    if (this.page.state.photo !== state.photo) return; // it was closed or turned meanwhile
    const opened = this.how.opened();
    if (hit) this.how.go({ ...state, photo: String(hit.id) }, { replace: true, opened });
  }

  /** Updates the address after the user has closed the large view. */
  #leave() {
    const { state } = this.page;
    if (!state.photo) return;
    if (this.how.opened()) history.back();
    else this.how.go({ ...state, photo: "" }, { replace: true });
  }
}
