// The layout of the grid: rows as wide as the page, in which every photo keeps its shape.

/** Width / height beyond which photos are cropped, or a panorama would be a thin strip. */
const NARROWEST = 0.4;
const WIDEST = 4;
/** How many times its wanted height a row may reach. */
const TALLEST = 1.4;

/**
 * Lays photos out.
 *
 * @param {{width: number, height: number}[]} photos
 * @param {number} width of the page, in pixels
 * @param {number} height of a row, approximately
 * @param {number} gap between photos
 * @returns {{boxes: {left: number, top: number, width: number, height: number}[], height: number}}
 *   in whole pixels, one box per photo; the last row is not stretched
 */
export function layOut(photos, width, height, gap) {
  const shape = (at) => photos[at].width / photos[at].height;
  const rows = new Rows({ length: photos.length, shape, months: [] }, { width, height, gap, heading: 0 });
  return { boxes: photos.map((_, at) => rows.box(at)), height: rows.height };
}

/** The rows of any number of photos. Boxes are worked out when they are asked for. */
export class Rows {
  /**
   * @param {{length: number, shape: function(number): number, months: Object[]}} photos with
   *   width / height of each; a month begins a row of its own
   * @param {{width: number, height: number, gap: number, heading: number}} sizes in pixels: of the
   *   page, of a row approximately, between photos, and of the heading above a month
   */
  constructor(photos, sizes) {
    this.sizes = sizes;
    this.shapes = Float64Array.from({ length: photos.length }, (_, at) => sane(photos.shape(at)));
    this.begins = [];
    this.tops = [];
    this.heights = [];
    this.full = [];
    this.height = 0;
    const parts = photos.months.length ? photos.months : [{ begin: 0, images: photos.length }];
    /** Months with the place of their heading, ``top``. */
    this.months = photos.months.map((month) => ({ ...month, top: 0 }));
    let top = 0;
    parts.forEach(({ begin, images }, part) => {
      if (photos.months.length) {
        this.months[part].top = top;
        top += sizes.heading;
      }
      top = this.#fill(begin, begin + images, top);
    });
    this.height = Math.max(0, top - sizes.gap);
  }

  #fill(first, end, from) {
    const { width, height, gap } = this.sizes;
    let top = from;
    for (let begin = first; begin < end;) {
      const next = this.#rowEnd(begin, end);
      const tall = this.#tall(begin, next);
      const stretched = next < end || tall <= height;
      const high = Math.round(Math.min(tall, stretched ? height * TALLEST : height));
      this.begins.push(begin);
      this.tops.push(top);
      this.heights.push(high);
      this.full.push(stretched && tall <= height * TALLEST ? width : 0);
      top += high + gap;
      begin = next;
    }
    return top;
  }

  /** Height at which photos fill a row. */
  #tall(begin, end) {
    let sum = 0;
    for (let at = begin; at < end; at += 1) sum += this.shapes[at];
    return (this.sizes.width - this.sizes.gap * (end - begin - 1)) / sum;
  }

  /** The first photo of the next row, chosen so that the height comes closest. */
  #rowEnd(begin, end) {
    const { width, height, gap } = this.sizes;
    let before = Infinity;
    let sum = 0;
    for (let at = begin; at < end; at += 1) {
      sum += this.shapes[at];
      const tall = (width - gap * (at - begin)) / sum;
      if (tall <= height) return before / height < height / tall ? at : at + 1;
      before = tall;
    }
    return end;
  }

  // -- places ----------------------------------------------------------------------------------

  /** Number of rows. */
  get count() {
    return this.begins.length;
  }

  /** The places of a row's photos, as [first, end]. */
  photosOf(row) {
    return [this.begins[row], this.begins[row + 1] ?? this.shapes.length];
  }

  /** The row of a photo. */
  rowOf(at) {
    return last(this.begins, at);
  }

  /** The last row that begins at or above a height; the first if none does. */
  rowAt(y) {
    return Math.max(0, last(this.tops, y));
  }

  /** The last month whose heading is at or above a height; -1 if there are no months. */
  monthAt(y) {
    if (!this.months.length) return -1;
    return Math.max(0, last(this.months, y, (month) => month.top));
  }

  /** The box of a photo. Rounding never leaves a ragged edge. */
  box(at) {
    const row = this.rowOf(at);
    const [begin, end] = this.photosOf(row);
    const height = this.heights[row];
    let exact = 0;
    for (let other = begin; other < at; other += 1) exact += this.shapes[other] * height + this.sizes.gap;
    const left = Math.round(exact);
    const right = Math.round(exact + this.shapes[at] * height);
    const stretched = this.full[row] && at === end - 1;
    const width = (stretched ? this.full[row] : Math.min(this.sizes.width, right)) - left;
    return { left, top: this.tops[row], width, height };
  }
}

function sane(ratio) {
  return Number.isFinite(ratio) && ratio > 0 ? Math.min(WIDEST, Math.max(NARROWEST, ratio)) : 1;
}

/** Index of the last element that is at most a value, in ascending order; -1 if there is none. */
function last(sorted, value, of = (one) => one) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (of(sorted[middle]) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
