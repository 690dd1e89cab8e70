// Numbers and dates as people write them.

/** How well photos fit, best first. The server writes its table (engine/standing.py) into the page. */
const STANDINGS = JSON.parse(document.querySelector("meta[name=standings]").content);

/** The level, from 1 to 4, and the words for a relevance in [0, 1]. */
export function standing(relevance) {
  return STANDINGS.find(({ least }) => relevance >= least) ?? STANDINGS.at(-1);
}

/** A relevance with two decimal places, never rounded up into a better range (as standing.py does). */
export function figure(relevance) {
  const rounded = relevance.toFixed(2);
  if (standing(Number(rounded)) === standing(relevance)) return rounded;
  return (Math.floor(relevance * 100) / 100).toFixed(2);
}

/** Choices for the lowest relevance to show. */
export const LEAST_FITS = STANDINGS.slice(0, -1).reverse().map(({ least, level, words }) => ({
  value: String(least),
  words: level === 4 ? "only those that fit very well" : `at least “${words}”`,
}));

/** Shapes of photos. */
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

/** "2023-07" as "July 2023". */
export function monthName(text) {
  return text ? day(text) : "No date";
}

function day(text) {
  const [year, month, date] = text.trim().split("-").map(Number);
  const name = MONTHS[month - 1];
  if (!name) return text.trim();
  return date ? `${date} ${name} ${year}` : `${name} ${year}`;
}

const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short" });

/** "2023-05-01T14:30:00" as "1 May 2023 at 14:30". */
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

/** A place as maps write it: "48.2085° N, 16.3721° E". */
export function place({ latitude, longitude }) {
  const degrees = (value, positive, negative) =>
    `${Math.abs(value).toFixed(4)}° ${value < 0 ? negative : positive}`;
  return `${degrees(latitude, "N", "S")}, ${degrees(longitude, "E", "W")}`;
}

/** "4.." as "4 stars or more", "3..5" as "3 to 5 stars". */
export function stars(text) {
  if (!text.includes("..")) return text === "-1" ? "rejected" : `${text} ${text === "1" ? "star" : "stars"}`;
  const [least, most] = text.split("..").map((part) => part.trim());
  if (!most) return least === "1" ? "1 star or more" : `${least} stars or more`;
  return least ? `${least} to ${most} stars` : `up to ${most} stars`;
}

/** 12345 as "12,345". */
export function number(value) {
  return value.toLocaleString("en-GB");
}

/** "1 photo", "2,000 photos". */
export function photos(count) {
  return `${number(count)} ${count === 1 ? "photo" : "photos"}`;
}

/** A message of the server with a capital letter and a full stop. */
export function sentence(message) {
  const text = message.trim();
  const capitalised = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(capitalised) ? capitalised : `${capitalised}.`;
}
