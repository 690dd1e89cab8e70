// The page: what is asked lives in the address, and everything shown follows from it.

import {
  describes, fromAddress, nothing, toAddress, toRequest, unfiltered,
} from "./address.js";
import { Asked } from "./asked.js";
import { byId } from "./element.js";
import { listenForPhotos } from "./example.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { Notice } from "./notice.js";
import { nothingFound, spoken, standing, summary, title, trouble } from "./phrases.js";
import { Results } from "./results.js";
import { LARGEST_UPLOAD, Refusal, library } from "./server.js";
import { Viewer } from "./viewer.js";

/** Milliseconds after the last key until the search begins. */
const PAUSE = 160;
/** An answer that comes sooner needs no sign of waiting. */
const PATIENCE = 250;
/** As many searches can be gone back to without asking again. */
const KEPT = 20;
/** As many photos are loaded again at a reload. */
const RELOADED = 400;

const field = byId("q");
const moreButton = byId("more");
const notice = new Notice(byId("notice"));
const asked = new Asked(byId("asked"), refine);
const filters = new Filters(byId("filters"), refine);
const grid = new Grid(byId("photos"), {
  addressOf: (id) => toAddress({ ...state, photo: String(id) }),
  onOpen: (id) => go({ ...state, photo: String(id) }, { opened: true }),
  onAlike: alike,
});
const viewer = new Viewer({
  onTurn: turn,
  onClose: leaveLarge,
  onAlike: alike,
  onNear: (near) => go({ ...nothing(), near }),
});

let state = nothing();
/** The results that are shown. */
let results = null;
/** What is being asked, to be told when something else is wanted. */
let pending = null;
/** Where the library lies, for those who may know. */
let folder = "";
/** Recent results by what was asked. */
const kept = new Map();
/** Photos of one's own by number; a reload forgets them. */
const uploads = new Map();
const typing = { timer: 0, going: false };

// -- from place to place ------------------------------------------------------------------------

/** Goes to a state, as a step that "back" undoes unless it replaces the last. */
function go(next, { replace = false, opened = false, upload = history.state?.upload } = {}) {
  if (!replace) note();
  const entry = { opened, upload: next.example ? upload : undefined };
  history[replace ? "replaceState" : "pushState"](entry, "", toAddress(next));
  arrive(next);
}

/** Chips and filters change what is asked; what was typed just now counts as well. */
function refine(next, { keep = "" } = {}) {
  const typed = typing.timer ? { q: field.value } : {};
  go({ ...next, ...typed });
  if (keep) byId("asked").querySelector(`.${keep.replace(/\d+$/, "")} button`)?.focus();
}

/** Shows a state that the address says already. */
function arrive(next, { back = false } = {}) {
  const left = state.photo;
  state = next;
  stopTyping();
  draw();
  if (keyNow() !== (pending?.key ?? results?.key)) look({ back });
  showLarge();
  if (left && !state.photo) grid.focus(Number(left));
}

function draw() {
  if (field.value.trim() !== state.q) field.value = state.q;
  byId("clear").hidden = !field.value;
  drawChips();
  document.title = title(state);
}

/** All but the field, in which someone may be typing. */
function drawChips() {
  asked.draw(state, uploads.get(history.state?.upload)?.picture);
  filters.draw(state);
}

/** Keeps in the history how far down the page was. */
function note() {
  const shown = results?.hits.length ?? 0;
  history.replaceState({ ...history.state, scroll: scrollY, shown }, "");
}

function keyNow() {
  const upload = state.example ? history.state?.upload : "";
  return `${toRequest(state)} ${upload ?? ""}`;
}

// -- searching ----------------------------------------------------------------------------------

/** Asks for the state's photos; whatever was being asked before is dropped. */
async function look({ back = false, fresh = false } = {}) {
  const key = keyNow();
  pending?.stop();
  const known = back && !fresh && kept.get(key);
  if (known) {
    settle(known);
    scrollTo(0, history.state?.scroll ?? 0);
    return;
  }
  const mine = begin(key);
  const found = new Results(toRequest(state), uploads.get(history.state?.upload)?.file ?? null);
  found.key = key;
  try {
    await found.more({ signal: mine.signal, onBusy: () => tell("The server is busy. Trying again.") });
  } catch (error) {
    if (mine === pending) stumble(error, found);
    return;
  } finally {
    mine.end();
  }
  if (!mine.signal.aborted) settle(found, { glide: true });
}

/** Marks that something is being asked. */
function begin(key) {
  const control = new AbortController();
  const late = setTimeout(() => busy(true), PATIENCE);
  const mine = {
    key,
    signal: control.signal,
    stop: () => control.abort(),
    end: () => {
      clearTimeout(late);
      if (pending !== mine && pending) return;
      busy(false);
    },
  };
  pending = mine;
  return mine;
}

function busy(waiting) {
  byId("busy").hidden = !waiting;
  byId("photos").setAttribute("aria-busy", String(waiting));
}

/** Shows what was found. */
function settle(found, { glide = false } = {}) {
  const first = results === null;
  pending = null;
  results = found;
  keep(found);
  notice.hush();
  byId("summary").textContent = found.hits.length ? summary(state, found.answer) : "";
  grid.show(found.hits, { glide: glide && !first && scrollY < innerHeight });
  if (glide && !first) scrollTo(0, 0);
  if (!found.hits.length) sayNothing();
  offerMore();
  showLarge();
  tellSoon(found.hits.length ? spoken(state, found) : "");
  sayLost();
}

function sayNothing() {
  notice.say(nothingFound(state, results.answer, WAYS, folder));
}

/** Says why there are no photos. */
function stumble(error, found) {
  if (!(error instanceof Refusal)) throw error;
  pending = null;
  results = found;
  found.next = null;
  byId("summary").textContent = "";
  grid.show([]);
  offerMore();
  notice.say(trouble(error, state, WAYS));
}

function keep(found) {
  kept.delete(found.key);
  kept.set(found.key, found);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
}

const WAYS = {
  again: () => {
    look({ fresh: true });
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
  (seen) => seen.some((entry) => entry.isIntersecting) && more(),
  { rootMargin: "0px 0px 1500px 0px" },
);

/** Watches for the end of the page, and offers the same as a button. */
function offerMore({ failed = false } = {}) {
  horizon.disconnect();
  moreButton.hidden = !results?.unfinished;
  moreButton.textContent = failed ? "More photos did not come: try again" : "More photos";
  if (!moreButton.hidden && !failed) horizon.observe(moreButton);
}

/** Loads the next page; by hand, the keyboard goes on at the first new photo. */
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
  if (fresh.length) tell(`${fresh.length} more photos, ${mine.hits.length} in all`);
  if (byHand && fresh.length) grid.focus(fresh[0].id);
}

// -- one photo ----------------------------------------------------------------------------------

/** Opens, turns or closes the large view as the state says. */
function showLarge() {
  if (!state.photo) {
    viewer.close();
    return;
  }
  const id = Number(state.photo);
  const hits = pending ? [] : (results?.hits ?? []);
  const place = hits.findIndex((hit) => hit.id === id);
  viewer.show(id, hits[place] ?? null, {
    place: place < 0 ? "" : standing(place, state, results),
    first: place <= 0,
    last: place < 0 || (place === hits.length - 1 && !results.unfinished),
  });
}

async function turn(step) {
  const place = results.hits.findIndex((hit) => String(hit.id) === state.photo);
  if (place + step === results.hits.length) await more();
  const hit = results.hits[place + step];
  if (hit) go({ ...state, photo: String(hit.id) }, { replace: true, opened: history.state?.opened });
}

/** The large view was closed by hand. */
function leaveLarge() {
  if (!state.photo) return;
  if (history.state?.opened) history.back();
  else go({ ...state, photo: "" }, { replace: true });
}

/** More like a photo: it takes the description's place, and the filters stay. */
function alike(hit) {
  asked.learn(hit.id, hit.name);
  go({ ...nothing(), ...filtersOf(state), like_id: [String(hit.id)] });
  byId("summary").focus({ preventScroll: true });
}

function filtersOf(from) {
  const { q, plus, minus, like_id, example, photo, ...rest } = from;
  return rest;
}

/** Searches by a photo of one's own. */
function searchBy(file) {
  if (file.size > LARGEST_UPLOAD) {
    notice.mention("This photo is too large", "At most 25 MB can be searched by: make it smaller.");
    return;
  }
  const upload = uploads.size + 1;
  uploads.set(upload, { file, picture: URL.createObjectURL(file) });
  go({ ...nothing(), ...filtersOf(state), example: file.name || "a photo" }, { upload });
}

/** A dropped photo is no part of the address: after a reload it is gone, which is said. */
let lost = "";
function fromHere() {
  const here = fromAddress(location.search);
  if (!here.example || uploads.has(history.state?.upload)) return here;
  lost = here.example;
  const rest = { ...here, example: "" };
  history.replaceState({ ...history.state, upload: undefined }, "", toAddress(rest));
  return rest;
}

function sayLost() {
  if (lost) {
    notice.mention(`“${lost}” was not kept`, "Browsers forget dropped photos when a page is loaded "
      + "again. Drop it once more to search by it.");
  }
  lost = "";
}

// -- telling ------------------------------------------------------------------------------------

let soon = 0;
/** Says something to those who listen rather than look. */
function tell(words) {
  clearTimeout(soon);
  byId("told").textContent = words;
}

/** The same after typing has come to rest. */
function tellSoon(words) {
  clearTimeout(soon);
  soon = setTimeout(() => tell(words), 700);
}

async function learnLibrary() {
  try {
    const held = await library();
    asked.roots = held.roots;
    filters.offer(held);
    folder = held.folder ?? "";
    drawChips();
    if (!pending && results?.answer && !results.hits.length) sayNothing();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error; // the search tells of trouble, too
  }
}

// -- hands --------------------------------------------------------------------------------------

function stopTyping() {
  clearTimeout(typing.timer);
  typing.timer = 0;
}

/** Searches for what the field holds; one stretch of typing is one step of the history. */
function searchTyped() {
  stopTyping();
  const q = field.value.trim();
  byId("clear").hidden = !field.value;
  if (q === state.q) return;
  go({ ...state, q }, { replace: typing.going });
  typing.going = true;
}

function listenToField() {
  field.addEventListener("input", (event) => {
    stopTyping();
    if (!event.isComposing) typing.timer = setTimeout(searchTyped, PAUSE);
  });
  field.addEventListener("compositionend", () => { typing.timer = setTimeout(searchTyped, PAUSE); });
  field.addEventListener("blur", () => { typing.going = false; });
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    searchTyped();
    typing.going = false;
    if (matchMedia("(pointer: coarse)").matches) field.blur(); // the keyboard covers the photos
  });
  byId("clear").addEventListener("click", () => {
    field.value = "";
    searchTyped();
    typing.going = false;
    field.focus();
  });
  document.addEventListener("keydown", (event) => {
    const elsewhere = !event.target.closest?.("input, select, textarea, dialog, [popover]");
    if (event.key === "/" && elsewhere && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      field.select();
    }
  });
}

function listenToHistory() {
  history.scrollRestoration = "manual";
  let resting = 0;
  addEventListener("popstate", () => {
    clearTimeout(resting);
    typing.going = false;
    arrive(fromHere(), { back: true });
  });
  addEventListener("scroll", () => {
    clearTimeout(resting);
    resting = setTimeout(note, 200);
  }, { passive: true });
  addEventListener("pagehide", note);
  document.querySelector(".brand").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(nothing());
    scrollTo(0, 0);
  });
}

/** After a reload as many photos as before, and the same place on the page. */
async function comeBack() {
  const { scroll = 0, shown = 0 } = history.state ?? {};
  await look();
  if (!scroll) return;
  while (results?.unfinished && results.hits.length < Math.min(shown, RELOADED)) await more();
  scrollTo(0, scroll);
}

function start() {
  state = fromHere();
  listenToField();
  listenToHistory();
  listenForPhotos(searchBy, () => notice.mention("That is no photo", "Drop a file, not a link or text."));
  moreButton.addEventListener("click", () => more({ byHand: true }));
  draw();
  learnLibrary();
  comeBack();
}

start();
