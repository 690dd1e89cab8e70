// All photos of an answer by date: how many each month has, and the shape of each photo.

/** Letters for shapes, and the range of width / height that they cover in equal ratios. */
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const NARROWEST = 0.4;
const WIDEST = 4;
const RATIOS = new Float32Array(128).fill(1);
[...LETTERS].forEach((letter, step) => {
  RATIOS[letter.charCodeAt(0)] = NARROWEST * (WIDEST / NARROWEST) ** (step / (LETTERS.length - 1));
});

export class Timeline {
  /** @param {{revision: string, images: number, months: Object[], shapes: string}} answer of the server */
  constructor(answer) {
    this.revision = answer.revision;
    this.length = answer.images;
    this.shapes = Float32Array.from(answer.shapes, (letter) => RATIOS[letter.charCodeAt(0)]);
    this.months = begun(answer.months);
    this.found = answer.found;
  }
}

/** Months with the place of their first photo. */
export function begun(months) {
  let begin = 0;
  return months.map(({ month, images }) => {
    const one = { name: month, images, begin };
    begin += images;
    return one;
  });
}

/** The months of hits that are sorted by date. */
export function monthsOf(hits) {
  const months = [];
  for (const { month } of hits) {
    if (months.at(-1)?.month === month) months.at(-1).images += 1;
    else months.push({ month, images: 1 });
  }
  return begun(months);
}
