// What is asked, as one plain value; the page's address says the same, and so does the request.

const ONE = [
  "q", "taken", "root", "orientation", "camera", "min_width", "min_height", "min_relevance",
  "modified", "near", "example", "photo",
];
const MANY = ["like_id", "path", "format"];
const WEIGHTED = ["plus", "minus"];

/** Names that are for the page alone: the name of a dropped photo, and the photo shown large. */
const PAGE_ONLY = ["example", "photo"];

/** Names that say which photos are asked, not what they shall show. */
export const FILTERS = [
  "taken", "modified", "root", "path", "orientation", "format", "camera", "min_width",
  "min_height", "near", "min_relevance",
];

/** Nothing asked. Texts are strings, and what may come several times is a list. */
export function nothing() {
  const state = {};
  for (const name of ONE) state[name] = "";
  for (const name of [...MANY, ...WEIGHTED]) state[name] = [];
  return state;
}

/** The state that an address such as "?q=dog&minus=people:0.5" stands for. */
export function fromAddress(search) {
  const given = new URLSearchParams(search);
  const state = nothing();
  for (const name of ONE) state[name] = (given.get(name) ?? "").trim();
  for (const name of MANY) state[name] = given.getAll(name).filter(Boolean);
  for (const name of WEIGHTED) {
    state[name] = given.getAll(name).map(fromWeighted).filter((part) => part.text);
  }
  return state;
}

/** The address of a state, "./" where nothing is asked. */
export function toAddress(state) {
  const text = parameters(state).toString();
  return text ? `?${text}` : "./";
}

/** The query that the server is asked for a state, without "?". */
export function toRequest(state) {
  const asked = { ...state };
  for (const name of PAGE_ONLY) asked[name] = "";
  if (!judged(state)) asked.min_relevance = ""; // nothing predicts it then
  return parameters(asked).toString();
}

/** Whether relevance is predicted: for a description alone. */
export function judged(state) {
  return state.q.trim() !== "" && !likened(state);
}

/** Whether photos or further words are asked with, so that photos come by likeness. */
function likened(state) {
  const parts = [state.plus, state.minus, state.like_id, state.example];
  return parts.some((part) => part.length > 0);
}

/** Whether anything says what the photos shall show. */
export function describes(state) {
  return state.q.trim() !== "" || likened(state);
}

/** The state without its filters. */
export function unfiltered(state) {
  const empty = nothing();
  return { ...state, ...Object.fromEntries(FILTERS.map((name) => [name, empty[name]])) };
}

/** How many filters a state has. */
export function filterCount(state) {
  return FILTERS.map((name) => [state[name]].flat().filter(Boolean).length)
    .reduce((sum, count) => sum + count, 0);
}

function parameters(state) {
  const given = new URLSearchParams();
  const add = (name, value) => value && given.append(name, value);
  add("q", state.q.trim());
  for (const name of WEIGHTED) state[name].forEach((part) => add(name, toWeighted(part)));
  for (const name of MANY) state[name].forEach((value) => add(name, value));
  for (const name of ONE.slice(1)) add(name, state[name]);
  return given;
}

const WEIGHT = /^(.*\S)\s*:\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$/s;

function fromWeighted(text) {
  const found = WEIGHT.exec(text);
  return found
    ? { text: found[1].trim(), weight: Number(found[2]) }
    : { text: text.trim(), weight: 1 };
}

/** "snow" or "snow:0.5"; a text that ends like a weight ("16:9") gets its own said. */
function toWeighted({ text, weight }) {
  return weight === 1 && !WEIGHT.test(text) ? text : `${text}:${weight}`;
}
