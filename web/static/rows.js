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
  const shapes = photos.map(shape);
  const boxes = [];
  let top = 0;
  for (let begin = 0; begin < shapes.length; ) {
    const end = rowEnd(shapes, begin, width, height, gap);
    const tall = rowHeight(shapes.slice(begin, end), width, gap);
    const full = end < shapes.length || tall <= height;
    const high = Math.round(Math.min(tall, full ? height * TALLEST : height));
    boxes.push(...row(shapes.slice(begin, end), top, width, high, gap, tall <= height * TALLEST && full));
    top += high + gap;
    begin = end;
  }
  return { boxes, height: Math.max(0, top - gap) };
}

function shape(photo) {
  const ratio = photo.width / photo.height;
  return Number.isFinite(ratio) && ratio > 0 ? Math.min(WIDEST, Math.max(NARROWEST, ratio)) : 1;
}

/** Height at which photos fill a row. */
function rowHeight(shapes, width, gap) {
  const sum = shapes.reduce((total, ratio) => total + ratio, 0);
  return (width - gap * (shapes.length - 1)) / sum;
}

/** Index of the first photo of the next row, chosen so that the height comes closest. */
function rowEnd(shapes, begin, width, height, gap) {
  let before = Infinity;
  for (let end = begin + 1; end <= shapes.length; end += 1) {
    const tall = rowHeight(shapes.slice(begin, end), width, gap);
    if (tall <= height) return before / height < height / tall ? end - 1 : end;
    before = tall;
  }
  return shapes.length;
}

/** Boxes of one row. Rounding never leaves a ragged edge. */
function row(shapes, top, width, height, gap, stretched) {
  let exact = 0;
  return shapes.map((ratio, place) => {
    const left = Math.round(exact);
    exact += ratio * height;
    const right = Math.round(exact);
    exact += gap;
    const last = stretched && place === shapes.length - 1;
    return { left, top, width: (last ? width : Math.min(width, right)) - left, height };
  });
}
