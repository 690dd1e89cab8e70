// The state of the page: a plain object that its address and its requests are written from.

const ONE = [
  "q", "taken", "root", "orientation", "camera", "min_width", "min_height", "min_relevance",
  "modified", "near", "place", "text", "rating", "exact", "sort", "example", "photo",
];
const MANY = ["like_id", "path", "format", "keyword", "person", "literal"];
const WEIGHTED = ["plus", "minus"];

/** Names that only the page uses: a dropped photo's name, and the photo in the large view. */
const PAGE_ONLY = ["example", "photo"];

/** Names that limit which photos are searched, rather than say what they show. */
export const FILTERS = [
  "text", "taken", "modified", "root", "path", "orientation", "format", "camera", "min_width",
  "min_height", "place", "near", "keyword", "person", "rating", "min_relevance",
];

/** The empty state. Texts are strings; names that may occur several times hold lists. */
export function nothing() {
  const state = {};
  for (const name of ONE) state[name] = "";
  for (const name of [...MANY, ...WEIGHTED]) state[name] = [];
  return state;
}

/** The state of an address such as "?q=dog&minus=people:0.5". */
export function fromAddress(search) {
  const parameters = new URLSearchParams(search);
  const state = nothing();
  for (const name of ONE) state[name] = (parameters.get(name) ?? "").trim();
  for (const name of MANY) state[name] = parameters.getAll(name).filter(Boolean);
  for (const name of WEIGHTED) {
    state[name] = parameters.getAll(name).map(fromWeighted).filter((part) => part.text);
  }
  return state;
}

/** The address of a state; "./" for the empty state. */
export function toAddress(state) {
  const text = written(state).toString();
  return text ? `?${text}` : "./";
}

/** The query string of the request for a state, without "?". */
export function toRequest(state) {
  const request = { ...state };
  for (const name of PAGE_ONLY) request[name] = "";
  if (!judged(state)) request.min_relevance = ""; // there is no relevance to compare with
  return written(request).toString();
}

/** Whether relevance is predicted, which needs a description and nothing else. */
export function judged(state) {
  return state.q.trim() !== "" && !likened(state);
}

/** Whether the search has photos or further words, so that results are ordered by likeness. */
function likened(state) {
  const parts = [state.plus, state.minus, state.like_id, state.example];
  return parts.some((part) => part.length > 0);
}

/** Whether the search says anything about what the photos show. */
export function describes(state) {
  return state.q.trim() !== "" || likened(state);
}

/** The state with another description. Words that are still in it stay words. */
export function redescribed(state, q) {
  const sort = describes(state) ? state.sort : ""; // what is described anew comes best first
  return { ...state, q, sort, exact: "", literal: state.literal.filter((words) => contains(q, words)) };
}

/** Whether a description contains some words, in any case. */
export function contains(q, words) {
  return q.toLowerCase().includes(words.toLowerCase());
}

/** Those words that an answer recognised as filters which are still filters in a state. */
export function stillRecognised(state, recognised) {
  const literal = (words) => state.literal.some((other) => other.toLowerCase() === words.toLowerCase());
  return state.exact ? [] : recognised.filter(({ words }) => contains(state.q, words) && !literal(words));
}

/** The state without its filters. */
export function unfiltered(state) {
  const empty = nothing();
  return { ...state, ...Object.fromEntries(FILTERS.map((name) => [name, empty[name]])) };
}

/** The part of a state that says which photos are searched, not what they show. */
export function filtersOf(state) {
  const { q, exact, literal, plus, minus, like_id, sort, example, photo, ...rest } = state;
  return rest;
}

/** How many filters a state has. */
export function filterCount(state) {
  return FILTERS.map((name) => [state[name]].flat().filter(Boolean).length)
    .reduce((sum, count) => sum + count, 0);
}

function written(state) {
  const parameters = new URLSearchParams();
  const add = (name, value) => value && parameters.append(name, value);
  add("q", state.q.trim());
  for (const name of WEIGHTED) state[name].forEach((part) => add(name, toWeighted(part)));
  for (const name of MANY) state[name].forEach((value) => add(name, value));
  for (const name of ONE.slice(1)) add(name, state[name]);
  if (!state.q.trim()) { // there are no words to take word for word
    parameters.delete("exact");
    parameters.delete("literal");
  }
  return parameters;
}

const WEIGHT = /^(.*\S)\s*:\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$/s;

function fromWeighted(text) {
  const match = WEIGHT.exec(text);
  return match
    ? { text: match[1].trim(), weight: Number(match[2]) }
    : { text: text.trim(), weight: 1 };
}

/** "snow" or "snow:0.5". A text that ends like a weight ("16:9") is always followed by one. */
function toWeighted({ text, weight }) {
  return weight === 1 && !WEIGHT.test(text) ? text : `${text}:${weight}`;
}
