// What the page says about an answer, or why there is none.

import { filterCount, judged } from "./address.js";
import { number, photos } from "./words.js";

/** One line above the photos. */
export function summary(state, answer) {
  const among = photos(answer.among);
  const sorted = answer.sort === "relevance" ? "" : `, ${answer.sort} first`;
  if (!answer.candidates && state.text) return `${among} with this text${sorted}`;
  if (!answer.candidates) return `${among}${sorted}`;
  if (sorted) return `The best of ${among}${sorted}`;
  if (answer.judged) return `${answer.fits === 0 ? "Nothing fits well. " : ""}${among}, best first`;
  return `${among}, most similar first. Likeness does not say how well a photo fits.`;
}

/** The models behind an answer, by the name that `pixquery models list` shows. */
export function answering(answer) {
  return `Profile: ${answer.profile}`;
}

/** What was searched for a description: "beach, without people". */
export function meant({ text, minus }) {
  return [text, ...(minus.length ? [minus.join(" or ")] : [])].join(", without ");
}

/** The same for people who use a screen reader. */
export function spoken(state, results) {
  const shown = photos(results.length);
  const what = state.q.trim() ? ` for ${state.q.trim()}` : "";
  const { searched } = results.answer;
  const taken = searched?.reworded ? `, understood as ${meant(searched)}` : "";
  const only = filtering(results.answer.recognised);
  return `${shown} shown${what}${taken}${only}. ${summary(state, results.answer)}`;
}

/** The same about words that became a filter. */
function filtering(recognised) {
  return recognised.length ? `, with ${recognised.map(({ words }) => words).join(" and ")} as a filter` : "";
}

/** How far the text in photos was read: "Text read in 1,050 of 2,350 photos"; empty once it is. */
export function reading({ text, images }) {
  const begun = text.on || text.read > 0;
  return begun && text.read < images ? `Text read in ${number(text.read)} of ${photos(images)}` : "";
}

/** Title of the window. */
export function title(state) {
  const less = state.minus.map((part) => `less ${part.text}`);
  const more = state.plus.map((part) => `more ${part.text}`);
  const alike = state.like_id.length || state.example ? ["similar photos"] : [];
  const parts = [state.q.trim(), ...alike, ...more, ...less].filter(Boolean).join(", ");
  return parts ? `${parts} – pixquery` : "pixquery";
}

/** Position of a photo among the results: "3 of 60". */
export function position(at, results) {
  return results.total === null ? number(at + 1) : `${number(at + 1)} of ${number(results.total)}`;
}

/**
 * Why there are no photos, and what to do about it.
 *
 * @param {Object} ways functions: noFilters, anyFit, again
 * @param {string} folder of the library, if the server reveals it
 */
export function nothingFound(state, answer, ways, folder = "") {
  const filters = filterCount(state);
  if (!answer.among && !filters && !state.like_id.length) {
    return {
      mark: "empty",
      title: "No photos yet",
      text: `Add photos with \`pixquery index ~/Pictures${folder && ` --library ${quoted(folder)}`}\`, then look again.`,
      ways: [{ words: "Look again", go: ways.again }],
    };
  }
  if (judged(state) && state.min_relevance && answer.among) {
    return {
      mark: "lost",
      title: "No photo fits that well",
      text: "Others may still fit partly.",
      ways: [{ words: "Show them", go: ways.anyFit }],
    };
  }
  if (!filters) return { mark: "lost", title: "There are no other photos", ways: [] };
  if (filters === 1 && state.text) {
    return {
      mark: "lost",
      title: "No photo with this text",
      text: "Leave out a word, or read more photos with `pixquery index --read-text`.",
      ways: [{ words: "Search without it", go: ways.noFilters }],
    };
  }
  return {
    mark: "lost",
    title: "No photo matches these filters",
    text: "Remove one of them above, or all at once.",
    ways: [{ words: "Remove all filters", go: ways.noFilters }],
  };
}

/** A path quoted for a shell. */
function quoted(path) {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/**
 * What went wrong, and what to do about it.
 *
 * @param {import("./server.js").Refusal} error
 * @param {Object} ways functions: again, anew, choose, noFilters
 */
export function trouble(error, state, ways) {
  const again = { words: "Try again", go: ways.again };
  const anew = { words: "Start over", go: ways.anew };
  const other = { words: "Choose another photo", go: ways.choose };
  const noFilters = { words: "Remove all filters", go: ways.noFilters };
  const text = error.message;
  if (state.example && [400, 413, 415, 422].includes(error.status)) {
    return { title: "Cannot search by this photo", text, ways: [other, anew], urgent: true };
  }
  const notice = {
    0: { title: "No connection", ways: [again] },
    401: { title: "This library needs a token", ways: [again] },
    403: { mark: "lost", title: "This search is not allowed", ways: [anew] },
    413: { title: "Too large", ways: [anew] },
    422: { mark: "lost", title: "Cannot search for this", ways: filterCount(state) ? [noFilters, anew] : [anew] },
    429: { title: "The server is busy", ways: [again] },
    503: { mark: "empty", title: "The library is not ready", ways: [again] },
  }[error.status] ?? { title: "Something went wrong", ways: [again, anew] };
  return { urgent: true, text, ...notice };
}
