// What the page says of an answer, or of its absence.

import { describes, filterCount, judged } from "./address.js";
import { fit, number, photos } from "./words.js";

/** One line above the photos. */
export function summary(state, answer) {
  const among = photos(answer.among);
  if (!describes(state)) return `${among}, newest first`;
  if (judged(state)) return `${poor(answer) ? "Nothing fits well. " : ""}Best of ${among} first`;
  return `Most alike of ${among} first. This is likeness, not how well they fit.`;
}

function poor({ hits: [best] }) {
  return best && best.relevance !== null && fit(best.relevance).level === 1;
}

/** The same for those who listen. */
export function spoken(state, results) {
  const shown = photos(results.hits.length);
  const what = state.q.trim() ? ` for ${state.q.trim()}` : "";
  return `${shown} shown${what}. ${summary(state, results.answer)}`;
}

/** What to call the page in the list of windows. */
export function title(state) {
  const less = state.minus.map((part) => `less ${part.text}`);
  const more = state.plus.map((part) => `more ${part.text}`);
  const alike = state.like_id.length || state.example ? ["photos alike"] : [];
  const asked = [state.q.trim(), ...alike, ...more, ...less].filter(Boolean).join(", ");
  return asked ? `${asked} – pixquery` : "pixquery";
}

/** Where a photo stands among those found. */
export function standing(place, state, results) {
  if (place < 0) return "";
  if (!results.unfinished) return `${number(place + 1)} of ${number(results.hits.length)}`;
  const cut = judged(state) && state.min_relevance;
  return cut ? number(place + 1) : `${number(place + 1)} of ${number(results.answer.among)}`;
}

/**
 * Why there are no photos, and the ways out.
 *
 * @param {Object} ways functions: noFilters, anyFit, again
 * @param {string} folder the library's, where it may be known
 */
export function nothingFound(state, answer, ways, folder = "") {
  const filters = filterCount(state);
  if (!answer.among && !filters && !state.like_id.length) {
    return {
      mark: "empty",
      title: "No photos yet",
      text: `Fill this library with \`pixquery index ~/Pictures${folder && ` --library ${quoted(folder)}`}\` and look again.`,
      ways: [{ words: "Look again", go: ways.again }],
    };
  }
  if (judged(state) && state.min_relevance && answer.among) {
    return {
      mark: "lost",
      title: "No photo fits that well",
      text: "Others may fit partly.",
      ways: [{ words: "Show them", go: ways.anyFit }],
    };
  }
  if (!filters) return { mark: "lost", title: "There is no other photo", ways: [] };
  return {
    mark: "lost",
    title: "No photo passes these filters",
    text: "Take one away above, or all of them.",
    ways: [{ words: "Remove all filters", go: ways.noFilters }],
  };
}

/** A path as shells take it. */
function quoted(path) {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/**
 * What went wrong, and the ways out.
 *
 * @param {import("./server.js").Refusal} error
 * @param {Object} ways functions: again, anew, choose, noFilters
 */
export function trouble(error, state, ways) {
  const again = { words: "Try again", go: ways.again };
  const anew = { words: "Start anew", go: ways.anew };
  const other = { words: "Choose another photo", go: ways.choose };
  const noFilters = { words: "Remove all filters", go: ways.noFilters };
  const text = error.message;
  if (state.example && [400, 413, 415, 422].includes(error.status)) {
    return { title: "This photo cannot be searched by", text, ways: [other, anew], urgent: true };
  }
  const said = {
    0: { title: "No answer", ways: [again] },
    401: { title: "This library asks for its token", ways: [again] },
    403: { mark: "lost", title: "This is not searched for", ways: [anew] },
    413: { title: "That is too much", ways: [anew] },
    422: { mark: "lost", title: "This cannot be searched", ways: filterCount(state) ? [noFilters, anew] : [anew] },
    429: { title: "Many are searching just now", ways: [again] },
    503: { mark: "empty", title: "The library is not ready", ways: [again] },
  }[error.status] ?? { title: "Something went wrong", ways: [again, anew] };
  return { urgent: true, text, ...said };
}
