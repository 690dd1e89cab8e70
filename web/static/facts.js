// What is known of a photo, as rows of the large view's details.

import { element, icon } from "./element.js";
import { byWords, inWords } from "./reasons.js";
import { bars } from "./tile.js";
import { bytes, figure, moment, place, size, standing } from "./words.js";

/**
 * The details of a photo.
 *
 * @param {Object} details as the server gives them
 * @param {Object|null} hit of the search, if the photo is among the results
 * @param {function(Object): void} search takes the part of a state to search for
 */
export function facts(details, hit, search) {
  const rows = [
    fits(hit),
    ["Found by", byWords(hit).length && several(byWords(hit).map(inWords))],
    ...written(details.annotation, search),
    ["Taken", details.taken && moment(details.taken)],
    ["Place", where(details, search)],
    ["Camera", details.camera],
    ["Size", size(details.width, details.height)],
    ["File", `${details.format}, ${bytes(details.bytes)}`],
    ["Modified", details.modified && moment(details.modified)],
    ["Folder", details.folder],
    ["Path", details.path && element("code", {}, details.path)],
    ["Text in the photo", details.lines.length && several(details.lines.map(({ text }) => text))],
  ].filter(([, value]) => value);
  return element("dl", {}, ...rows.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function fits(hit) {
  const { relevance = null, similarity = null } = hit ?? {};
  const noted = (value, note) => element("span", {}, value, element("span.note", {}, note));
  if (similarity === null) return ["", null];
  const likeness = similarity.toFixed(2);
  if (relevance === null) {
    return ["Likeness", noted(likeness, "How similar the photo is, not how well it fits.")];
  }
  const { level, words } = standing(relevance);
  const mark = element("span.fit", {}, bars(), words);
  mark.dataset.level = level;
  return ["How well it fits", noted(mark, `relevance ${figure(relevance)} out of 1, likeness ${likeness}`)];
}

/** What the owner wrote. */
function written(annotation, search) {
  if (!annotation) return [];
  const { title, caption, keywords, people, rating, label, location } = annotation;
  const ways = (names, filter) => names.length
    && choices(names.map((name) => ({ name, part: { [filter]: [name] } })), search);
  return [
    ["Title", title],
    ["Caption", caption && element("span.caption", {}, caption)],
    ["Keywords", ways(keywords, "keyword")],
    ["People", ways(people, "person")],
    ["Rating", rating !== null && stars(rating)],
    ["Label", label],
    ["Place, as written", location.join(", ")],
  ];
}

function stars(rating) {
  if (rating < 0) return "rejected";
  const drawn = Array.from({ length: 5 }, (_, place) => {
    const star = icon("star");
    star.classList.toggle("filled", place < rating);
    return star;
  });
  const words = `${rating} of 5 stars`;
  return element("span.stars", { role: "img", "aria-label": words, title: words }, ...drawn);
}

/** Names and coordinates of where the photo was taken. */
function where({ locality, place: point }, search) {
  if (!point && !locality) return null;
  const near = () => search({ near: `${point.latitude},${point.longitude}` });
  return element("span", {},
    locality && choices(placesOf(locality), search),
    point && element("span.point", {}, place(point)),
    point && element("button.near", { type: "button", on: { click: near } }, icon("place"), "Photos near here"));
}

/** The town, region and country, each once; the larger ones say which the smaller are. */
function placesOf({ city, region, country }) {
  const names = [...new Set([city, region, country])].filter(Boolean);
  return names.map((name) => ({ name, part: { place: name === country ? name : `${name}, ${country}` } }));
}

/** Names that can be searched for. */
function choices(all, search) {
  return element("span.choices", {}, ...all.map(({ name, part }) =>
    element("button.choice", {
      type: "button", title: `Search for ${name}`, on: { click: () => search(part) },
    }, name)));
}

function several(lines) {
  return element("span.several", {}, ...lines.map((line) => element("span", {}, line)));
}
