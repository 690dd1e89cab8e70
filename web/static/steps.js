// The keyboard in the grid: arrow keys go from photo to photo, Home, End and page keys further.

export class Steps {
  /**
   * @param {Grid} grid
   * @param {HTMLElement} list
   */
  constructor(grid, list) {
    this.grid = grid;
    list.addEventListener("keydown", (event) => this.#step(event));
  }

  #step(event) {
    const here = event.target.closest(".photo")?.at;
    if (here === undefined || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const there = this.#goal(event.key, here);
    if (there === null || there === undefined) return;
    event.preventDefault();
    if (there !== here) this.grid.focusAt(there);
  }

  /** Place of the photo that a key leads to; null if it leads to none. */
  #goal(key, here) {
    const { rows } = this.grid;
    const row = rows.rowOf(here);
    const end = rows.shapes.length - 1;
    switch (key) {
      case "ArrowLeft": return here > 0 ? here - 1 : null;
      case "ArrowRight": return here < end ? here + 1 : null;
      case "ArrowUp": return row > 0 ? this.#nearest(here, row - 1) : null;
      case "ArrowDown": return row < rows.count - 1 ? this.#nearest(here, row + 1) : null;
      case "PageUp": return this.#nearest(here, this.#aScreen(row, -1));
      case "PageDown": return this.#nearest(here, this.#aScreen(row, 1));
      case "Home": return 0;
      case "End": return end;
      default: return null;
    }
  }

  /** The row that is most of a screen away, and at least one. */
  #aScreen(row, way) {
    const { rows } = this.grid;
    const there = rows.rowAt(rows.tops[row] + way * 0.75 * innerHeight);
    return Math.min(rows.count - 1, Math.max(0, there === row ? row + way : there));
  }

  /** The photo of a row whose middle is nearest to that of another photo. */
  #nearest(here, row) {
    const { rows } = this.grid;
    const middle = (at) => {
      const box = rows.box(at);
      return box.left + box.width / 2;
    };
    const [begin, end] = rows.photosOf(row);
    let best = begin;
    for (let at = begin + 1; at < end; at += 1) {
      if (Math.abs(middle(at) - middle(here)) < Math.abs(middle(best) - middle(here))) best = at;
    }
    return best;
  }
}
