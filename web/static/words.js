// Numbers as people say them.

/**
 * Relevance as words. Where they begin was seen in 300 captions of Flickr8k among 200 photos: of the
 * photos that a caption was written for a quarter reach 0.7 and three quarters 0.35, of the others
 * one in a hundred reaches 0.45 and one in ten 0.2.
 */
const FITS = [
  { least: 0.7, level: 4, word: "fits very well" },
  { least: 0.45, level: 3, word: "fits" },
  { least: 0.2, level: 2, word: "fits partly" },
  { least: 0, level: 1, word: "hardly fits" },
];

/** The level from 1 to 4 and the word for a relevance in [0, 1]. */
export function fit(relevance) {
  return FITS.find(({ least }) => relevance >= least) ?? FITS.at(-1);
}

/** What the least relevance can be set to: value and words. */
export const LEAST_FITS = FITS.slice(0, 3).reverse().map(({ least, word }) => ({
  value: String(least),
  words: word === "fits very well" ? "only those that fit very well" : `at least “${word}”`,
}));

/** Three shapes a photo can have. */
export const SHAPES = { landscape: "landscape", portrait: "portrait", square: "square" };

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August",
  "September", "October", "November", "December"];

/** "2023-07..2024" as "July 2023 to 2024". */
export function period(text) {
  if (!text.includes("..")) return day(text);
  const [first, last] = text.split("..").map((part) => part.trim());
  if (!first) return `until ${day(last)}`;
  if (!last) return `since ${day(first)}`;
  return `${day(first)} to ${day(last)}`;
}

function day(text) {
  const [year, month, date] = text.trim().split("-").map(Number);
  const name = MONTHS[month - 1];
  if (!name) return text.trim();
  return date ? `${date} ${name} ${year}` : `${name} ${year}`;
}

const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short" });

/** A moment as the server writes it, such as "2023-05-01T14:30:00". */
export function moment(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? text : MOMENT.format(date);
}

/** 1234567 as "1.2 MB". */
export function bytes(number) {
  const units = ["bytes", "KB", "MB", "GB"];
  let unit = 0;
  let value = number;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** "4,032 × 3,024, 12.2 megapixels". */
export function size(width, height) {
  const millions = (width * height) / 1e6;
  return `${number(width)} × ${number(height)}, ${millions.toFixed(1)} megapixels`;
}

/** Degrees as maps write them: "48.2085° N, 16.3721° E". */
export function place({ latitude, longitude }) {
  const degrees = (value, positive, negative) =>
    `${Math.abs(value).toFixed(4)}° ${value < 0 ? negative : positive}`;
  return `${degrees(latitude, "N", "S")}, ${degrees(longitude, "E", "W")}`;
}

/** 12345 as "12,345". */
export function number(value) {
  return value.toLocaleString("en-GB");
}

/** "1 photo", "2,000 photos". */
export function photos(count) {
  return `${number(count)} ${count === 1 ? "photo" : "photos"}`;
}

/** A server's sentence with a capital letter and a full stop. */
export function sentence(text) {
  const whole = text.trim();
  const begun = whole.charAt(0).toUpperCase() + whole.slice(1);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}
