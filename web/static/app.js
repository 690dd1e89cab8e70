// The page: its address holds the search, and everything shown follows from it.

import { contains, fromAddress, nothing, redescribed, toAddress, toRequest, unfiltered } from "./address.js";
import { Announcer } from "./announcer.js";
import { Chips } from "./chips.js";
import { byId } from "./element.js";
import { listenForPhotos } from "./example.js";
import { SearchField } from "./field.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { Meaning } from "./meaning.js";
import { Notice } from "./notice.js";
import { answering, nothingFound, position, reading, spoken, summary, title, trouble } from "./phrases.js";
import { Results } from "./results.js";
import { LARGEST_UPLOAD, Refusal, library } from "./server.js";
import { Viewer } from "./viewer.js";

/** Milliseconds before the page shows that it is waiting for an answer. */
const PATIENCE = 250;
/** Number of searches that "back" can show without asking the server again. */
const KEPT = 20;
/** Most photos that are loaded again after a reload. */
const RELOADED = 400;

const moreButton = byId("more");
const notice = new Notice(byId("notice"));
const announcer = new Announcer(byId("announcement"));
const field = new SearchField((q, { continued }) => go(redescribed(state, q), { replace: continued }));
const chips = new Chips(byId("chips"), refine);
const filters = new Filters(byId("filters"), refine);
const grid = new Grid(byId("photos"), {
  addressOf: (id) => toAddress({ ...state, photo: String(id) }),
  onOpen: (id) => go({ ...state, photo: String(id) }, { opened: true }),
  onAlike: alike,
  asked: () => `${state.text} ${state.q}`,
});
const meaning = new Meaning(byId("meaning"), {
  exactly: () => go({ ...state, exact: "true" }),
  instead: (q) => go({ ...redescribed(state, q), exact: state.exact }),
});
const viewer = new Viewer({
  onTurn: turn,
  onClose: leaveLarge,
  onAlike: alike,
  onSearch: (search) => go({ ...nothing(), ...search }),
});

let state = nothing();
/** The results on the page. */
let results = null;
/** The search in progress. */
let pending = null;
/** Folder of the library, if the server reveals it. */
let folder = "";
/** Recent results by their key. */
const kept = new Map();
/** The user's own photos by number; a reload forgets them. */
const uploads = new Map();

// -- states ------------------------------------------------------------------------------------

/** Goes to a state. "Back" returns from it, unless it replaces the current one. */
function go(next, { replace = false, opened = false, upload = history.state?.upload } = {}) {
  if (!replace) noteScroll();
  const entry = { opened, upload: next.example ? upload : undefined };
  history[replace ? "replaceState" : "pushState"](entry, "", toAddress(next));
  arrive(next);
}

/** Goes to a state that chips or filters changed, with any words typed in the meantime. */
function refine(next, { keep = "" } = {}) {
  go(field.unsearched === null ? next : redescribed(next, field.unsearched));
  if (keep) byId("chips").querySelector(`.${keep.replace(/\d+$/, "")} button`)?.focus();
}

/** Shows the state that the address already holds. */
function arrive(next, { back = false } = {}) {
  const before = state.photo;
  state = next;
  field.cancel();
  draw();
  if (keyNow() !== (pending?.key ?? results?.key)) search({ back });
  showLarge();
  if (before && !state.photo) grid.focus(Number(before));
}

function draw() {
  field.show(state.q);
  drawChips();
  document.title = title(state);
}

/** Draws everything but the search field, in which someone may be typing. */
function drawChips() {
  chips.draw(state, uploads.get(history.state?.upload)?.picture ?? "", recognised());
  filters.draw(state);
  byId("reading").hidden = toAddress(state) !== "./" && !state.text;
}

/** Words of the description that are a filter; while an answer is on its way, those of the last. */
function recognised() {
  const literal = (words) => state.literal.some((other) => other.toLowerCase() === words.toLowerCase());
  const known = state.exact ? [] : (results?.answer?.recognised ?? []);
  return known.filter(({ words }) => contains(state.q, words) && !literal(words));
}

/** Stores in the history how far the page is scrolled. */
function noteScroll() {
  const shown = results?.hits.length ?? 0;
  history.replaceState({ ...history.state, scroll: scrollY, shown }, "");
}

function keyNow() {
  const upload = state.example ? history.state?.upload : "";
  return `${toRequest(state)} ${upload ?? ""}`;
}

// -- searching ----------------------------------------------------------------------------------

/** Searches for the state's photos, and drops any search in progress. */
async function search({ back = false, fresh = false } = {}) {
  const key = keyNow();
  pending?.stop();
  const known = back && !fresh && kept.get(key);
  if (known) {
    settle(known);
    scrollTo(0, history.state?.scroll ?? 0);
    return;
  }
  const mine = begin(key);
  const fetched = new Results(toRequest(state), uploads.get(history.state?.upload)?.file ?? null);
  fetched.key = key;
  const onBusy = () => announcer.say("The server is busy. Trying again.");
  try {
    await fetched.more({ signal: mine.signal, onBusy });
  } catch (error) {
    if (mine === pending) fail(error, fetched);
    return;
  } finally {
    mine.end();
  }
  if (!mine.signal.aborted) settle(fetched, { glide: true });
}

/** Registers a search in progress. */
function begin(key) {
  const control = new AbortController();
  const late = setTimeout(() => showWaiting(true), PATIENCE);
  const mine = {
    key,
    signal: control.signal,
    stop: () => control.abort(),
    end: () => {
      clearTimeout(late);
      if (pending !== mine && pending) return;
      showWaiting(false);
    },
  };
  pending = mine;
  return mine;
}

function showWaiting(waiting) {
  byId("busy").hidden = !waiting;
  byId("photos").setAttribute("aria-busy", String(waiting));
}

/** Shows the results of a search. */
function settle(fetched, { glide = false } = {}) {
  const first = results === null;
  pending = null;
  results = fetched;
  keep(fetched);
  notice.hush();
  chips.recognise(recognised());
  meaning.show(state.q, fetched.answer);
  byId("summary").textContent = fetched.hits.length ? summary(state, fetched.answer) : "";
  byId("profile").textContent = fetched.hits.length ? answering(fetched.answer) : "";
  grid.show(fetched.hits, { glide: glide && !first && scrollY < innerHeight });
  if (glide && !first) scrollTo(0, 0);
  if (!fetched.hits.length) explainNothing();
  offerMore();
  showLarge();
  announcer.saySoon(fetched.hits.length ? spoken(state, fetched) : "");
  mentionLost();
}

function explainNothing() {
  notice.say(nothingFound(state, results.answer, WAYS, folder));
}

/** Says why the search failed. */
function fail(error, fetched) {
  if (!(error instanceof Refusal)) throw error;
  pending = null;
  results = fetched;
  fetched.next = null;
  byId("summary").textContent = "";
  byId("profile").textContent = "";
  meaning.hush();
  grid.show([]);
  offerMore();
  notice.say(trouble(error, state, WAYS));
}

function keep(fetched) {
  kept.delete(fetched.key);
  kept.set(fetched.key, fetched);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
}

const WAYS = {
  again: () => {
    search({ fresh: true });
    learnLibrary();
  },
  anew: () => {
    go(nothing());
    field.focus();
  },
  anyFit: () => go({ ...state, min_relevance: "" }),
  choose: () => byId("choose").click(),
  noFilters: () => go(unfiltered(state)),
};

// -- more photos --------------------------------------------------------------------------------

const horizon = new IntersectionObserver(
  (entries) => entries.some((entry) => entry.isIntersecting) && more(),
  { rootMargin: "0px 0px 1500px 0px" },
);

/** Loads more photos when the end of the page comes near, and offers a button that does the same. */
function offerMore({ failed = false } = {}) {
  horizon.disconnect();
  moreButton.hidden = !results?.unfinished;
  moreButton.textContent = failed ? "Could not load more photos. Try again" : "More photos";
  if (!moreButton.hidden && !failed) horizon.observe(moreButton);
}

/** Loads the next page. With ``byHand``, the keyboard's focus moves to its first photo. */
async function more({ byHand = false } = {}) {
  const mine = results;
  let fresh = [];
  try {
    fresh = await mine.more();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (mine === results) offerMore({ failed: true });
    return;
  }
  if (mine !== results) return;
  grid.show(mine.hits);
  offerMore();
  showLarge();
  if (fresh.length) announcer.say(`${fresh.length} more photos, ${mine.hits.length} in total`);
  if (byHand && fresh.length) grid.focus(fresh[0].id);
}

// -- one photo ----------------------------------------------------------------------------------

/** Opens, turns or closes the large view to match the state. */
function showLarge() {
  if (!state.photo) {
    viewer.close();
    return;
  }
  const id = Number(state.photo);
  const hits = pending ? [] : (results?.hits ?? []);
  const at = hits.findIndex((hit) => hit.id === id);
  viewer.show(id, hits[at] ?? null, {
    position: at < 0 ? "" : position(at, state, results),
    first: at <= 0,
    last: at < 0 || (at === hits.length - 1 && !results.unfinished),
  });
}

async function turn(step) {
  const at = results.hits.findIndex((hit) => String(hit.id) === state.photo);
  if (at + step === results.hits.length) await more();
  const hit = results.hits[at + step];
  if (hit) go({ ...state, photo: String(hit.id) }, { replace: true, opened: history.state?.opened });
}

/** Updates the address after the user has closed the large view. */
function leaveLarge() {
  if (!state.photo) return;
  if (history.state?.opened) history.back();
  else go({ ...state, photo: "" }, { replace: true });
}

/** Searches for more photos like one. It replaces the description; filters stay. */
function alike(hit) {
  chips.learn(hit.id, hit.name);
  go({ ...nothing(), ...filtersOf(state), like_id: [String(hit.id)] });
  byId("summary").focus({ preventScroll: true });
}

function filtersOf(from) {
  const { q, exact, literal, plus, minus, like_id, example, photo, ...rest } = from;
  return rest;
}

/** Searches by a photo of the user's own. */
function searchBy(file) {
  if (file.size > LARGEST_UPLOAD) {
    notice.mention("This photo is too large", "The limit is 25 MB: make the photo smaller.");
    return;
  }
  const upload = uploads.size + 1;
  uploads.set(upload, { file, picture: URL.createObjectURL(file) });
  go({ ...nothing(), ...filtersOf(state), example: file.name || "a photo" }, { upload });
}

/** Name of a dropped photo that a reload has lost, until the user has been told. */
let lost = "";
function fromHere() {
  const here = fromAddress(location.search);
  if (!here.example || uploads.has(history.state?.upload)) return here;
  lost = here.example;
  const rest = { ...here, example: "" };
  history.replaceState({ ...history.state, upload: undefined }, "", toAddress(rest));
  return rest;
}

function mentionLost() {
  if (lost) {
    notice.mention(`“${lost}” was not kept`, "The browser forgets a dropped photo when the page is "
      + "reloaded. Drop it again to search by it.");
  }
  lost = "";
}

async function learnLibrary() {
  try {
    const contents = await library();
    chips.roots = contents.roots;
    filters.offer(contents);
    folder = contents.folder ?? "";
    byId("reading").textContent = reading(contents);
    drawChips();
    if (!pending && results?.answer && !results.hits.length) explainNothing();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error; // the search reports the same trouble
  }
}

// -- the browser --------------------------------------------------------------------------------

function listenToHistory() {
  history.scrollRestoration = "manual";
  let resting = 0;
  addEventListener("popstate", () => {
    clearTimeout(resting);
    field.rest();
    arrive(fromHere(), { back: true });
  });
  addEventListener("scroll", () => {
    clearTimeout(resting);
    resting = setTimeout(noteScroll, 200);
  }, { passive: true });
  addEventListener("pagehide", noteScroll);
  document.querySelector(".brand").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(nothing());
    scrollTo(0, 0);
  });
}

/** After a reload, loads as many photos as before and scrolls to the same place. */
async function comeBack() {
  const { scroll = 0, shown = 0 } = history.state ?? {};
  await search();
  if (!scroll) return;
  while (results?.unfinished && results.hits.length < Math.min(shown, RELOADED)) await more();
  scrollTo(0, scroll);
}

function start() {
  state = fromHere();
  listenToHistory();
  const refuse = () => notice.mention("That is not a photo", "Drop a file rather than a link or text.");
  listenForPhotos(searchBy, refuse);
  moreButton.addEventListener("click", () => more({ byHand: true }));
  draw();
  learnLibrary();
  comeBack();
}

start();
