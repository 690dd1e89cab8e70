// One photo of the grid: its thumbnail, the marks on it, and its button.

import { element, icon } from "./element.js";
import { byWords, inWords, onlyByPlace, why } from "./reasons.js";
import { thumbnail } from "./server.js";
import { standing } from "./words.js";

/** How often a thumbnail that failed is requested again, and milliseconds before the first time. */
const RETRIES = 2;
const PAUSE = 1500;

/**
 * Makes the tile of a hit.
 *
 * @param {Object} hit
 * @param {{onOpen: Function, onAlike: Function}} how
 * @returns {HTMLLIElement}
 */
export function tile(hit, how) {
  const link = element(
    "a",
    { draggable: false, on: { click: (event) => open(event, hit.id, how) } },
    element("img", { alt: hit.name, loading: "lazy", decoding: "async", draggable: false }),
    element("span.marks", {}, element("span.why"), element("span.fit")),
  );
  const alike = element(
    "button.alike",
    {
      type: "button",
      title: "More like this",
      "aria-label": `More like ${hit.name}`,
      on: { click: () => how.onAlike(hit) },
    },
    icon("alike"),
  );
  const item = element("li.photo", {}, link, alike);
  item.dataset.id = hit.id;
  link.dataset.name = hit.name;
  const picture = link.firstChild;
  picture.addEventListener("load", () => item.classList.add("loaded"));
  picture.addEventListener("error", () => retry(picture, item));
  return item;
}

/**
 * Writes on a tile what a search says of its photo.
 *
 * @param {HTMLLIElement} item
 * @param {Object} hit
 * @param {{addressOf: Function, asked: function(): string}} how
 */
export function describe(item, hit, how) {
  item.querySelector("a").href = how.addressOf(hit.id);
  const reason = item.querySelector(".why");
  const { kind, words: said } = why(hit, how.asked()) ?? {};
  reason.hidden = !kind;
  reason.replaceChildren(...(kind ? [element("span.kind", {}, `${kind}: `), said] : []));
  reason.title = byWords(hit).map(inWords).join("\n");
  reason.classList.toggle("known", onlyByPlace(hit));
  const mark = item.querySelector(".fit");
  mark.hidden = hit.similarity === null;
  if (mark.hidden) return;
  if (hit.relevance === null) {
    mark.dataset.level = "0";
    mark.replaceChildren(element("span.word", {}, `likeness ${hit.similarity.toFixed(2)}`));
  } else {
    const { level, words } = standing(hit.relevance);
    mark.dataset.level = level;
    mark.replaceChildren(bars(), element("span.word", {}, words));
  }
}

/**
 * Puts a tile into its box, with a thumbnail that is large enough for it.
 *
 * @param {HTMLLIElement} item
 * @param {{left: number, top: number, width: number, height: number}} box in pixels
 * @param {Object|undefined} hit none for the place of a photo that is not loaded yet
 */
export function put(item, box, hit) {
  for (const side of ["left", "top", "width", "height"]) item.style[side] = `${box[side]}px`;
  if (!hit) return;
  const picture = item.querySelector("img");
  const pixels = Math.max(box.width, box.height) * Math.min(devicePixelRatio, 2);
  const edited = picture.dataset.version !== hit.version;
  if (edited || pixels > Number(picture.dataset.pixels)) { // a larger one is never replaced by a smaller one
    Object.assign(picture.dataset, { pixels, version: hit.version });
    const source = thumbnail(hit, pixels);
    if (picture.getAttribute("src") !== source) picture.src = source;
  }
}

/** Four bars; CSS fills as many as the level says. */
export function bars() {
  return element("span.bars", { "aria-hidden": "true" }, ...Array.from({ length: 4 }, () => element("i")));
}

function open(event, id, how) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return; // a new tab
  event.preventDefault();
  how.onOpen(id);
}

/** Requests a thumbnail again, since a busy server refuses some. */
function retry(picture, item) {
  const retries = Number(picture.dataset.retries ?? 0);
  if (retries === RETRIES) {
    item.classList.add("failed");
    return;
  }
  picture.dataset.retries = retries + 1;
  setTimeout(() => { picture.src = picture.getAttribute("src"); }, PAUSE * 2 ** retries);
}
