// The page: its address holds the search, and everything shown follows from it.

import { contains, filtersOf, nothing, redescribed, toAddress, toRequest, unfiltered } from "./address.js";
import { Announcer } from "./announcer.js";
import { Chips } from "./chips.js";
import { byId } from "./element.js";
import { listenForPhotos } from "./example.js";
import { SearchField } from "./field.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { Large } from "./large.js";
import { Meaning } from "./meaning.js";
import { Notice } from "./notice.js";
import { Paging } from "./paging.js";
import { answering, nothingFound, reading, spoken, summary, title, trouble } from "./phrases.js";
import { Results } from "./results.js";
import { Searches } from "./searches.js";
import { LARGEST_UPLOAD, Refusal, library } from "./server.js";
import { Travel } from "./travel.js";
import { Uploads } from "./uploads.js";

/** What is shown: the state of the address, its results, and the library's folder if it is known. */
const page = { state: nothing(), results: null, folder: "" };

const notice = new Notice(byId("notice"));
const announcer = new Announcer(byId("announcement"));
const uploads = new Uploads();
const searches = new Searches(showWaiting);
const field = new SearchField((q, { continued }) => go(redescribed(page.state, q), { replace: continued }));
const chips = new Chips(byId("chips"), refine);
const filters = new Filters(byId("filters"), refine);
const travel = new Travel({
  uploads,
  arrive,
  rest: () => field.rest(),
  shown: () => page.results?.hits.length ?? 0,
});
const grid = new Grid(byId("photos"), {
  addressOf: (id) => toAddress({ ...page.state, photo: String(id) }),
  onOpen: (id) => go({ ...page.state, photo: String(id) }, { opened: true }),
  onAlike: alike,
  asked: () => `${page.state.text} ${page.state.q}`,
});
const meaning = new Meaning(byId("meaning"), {
  exactly: () => go({ ...page.state, exact: "true" }),
  instead: (q) => go({ ...redescribed(page.state, q), exact: page.state.exact }),
});
const paging = new Paging(page, showMore);
const large = new Large(page, {
  go,
  more: () => paging.more(),
  opened: () => travel.opened,
  waiting: () => searches.pending !== null,
  onAlike: alike,
  onSearch: (search) => go({ ...nothing(), ...search }),
});

// -- states ------------------------------------------------------------------------------------

function go(next, options) {
  travel.go(next, options);
}

/** Goes to a state that chips or filters changed, with any words typed in the meantime. */
function refine(next, { keep = "" } = {}) {
  go(field.unsearched === null ? next : redescribed(next, field.unsearched));
  if (keep) byId("chips").querySelector(`.${keep.replace(/\d+$/, "")} button`)?.focus();
}

/** Shows the state that the address already holds. */
function arrive(next, { back = false } = {}) {
  const before = page.state.photo;
  page.state = next;
  field.cancel();
  draw();
  if (keyNow() !== (searches.pending?.key ?? page.results?.key)) search({ back });
  large.show();
  if (before && !next.photo) grid.focus(Number(before));
}

function draw() {
  field.show(page.state.q);
  drawChips();
  document.title = title(page.state);
}

/** Draws everything but the search field, in which someone may be typing. */
function drawChips() {
  const { state } = page;
  chips.draw(state, uploads.picture(travel.upload), recognised());
  filters.draw(state);
  byId("reading").hidden = toAddress(state) !== "./" && !state.text;
}

/** Words of the description that are a filter; while an answer is on its way, those of the last. */
function recognised() {
  const { state, results } = page;
  const literal = (words) => state.literal.some((other) => other.toLowerCase() === words.toLowerCase());
  const known = state.exact ? [] : (results?.answer?.recognised ?? []);
  return known.filter(({ words }) => contains(state.q, words) && !literal(words));
}

function keyNow() {
  const upload = page.state.example ? travel.upload : "";
  return `${toRequest(page.state)} ${upload ?? ""}`;
}

// -- searching ----------------------------------------------------------------------------------

/** Searches for the state's photos. */
async function search({ back = false, fresh = false } = {}) {
  const key = keyNow();
  const known = back && !fresh && searches.recent(key);
  if (known) {
    searches.stop();
    settle(known);
    scrollTo(0, travel.place.scroll);
    return;
  }
  const fetched = new Results(toRequest(page.state), uploads.file(travel.upload));
  fetched.key = key;
  const onBusy = () => announcer.say("The server is busy. Trying again.");
  try {
    if (!await searches.begin(fetched, { onBusy })) return;
  } catch (error) {
    fail(error, fetched);
    return;
  }
  settle(fetched, { glide: true });
}

function showWaiting(waiting) {
  byId("busy").hidden = !waiting;
  byId("photos").setAttribute("aria-busy", String(waiting));
}

/** Shows the results of a search. */
function settle(fetched, { glide = false } = {}) {
  const { state } = page;
  const first = page.results === null;
  page.results = fetched;
  searches.keep(fetched);
  notice.hush();
  chips.recognise(recognised());
  meaning.show(state.q, fetched.answer);
  byId("summary").textContent = fetched.hits.length ? summary(state, fetched.answer) : "";
  byId("profile").textContent = fetched.hits.length ? answering(fetched.answer) : "";
  grid.show(fetched.hits, { glide: glide && !first && scrollY < innerHeight });
  if (glide && !first) scrollTo(0, 0);
  if (!fetched.hits.length) notice.say(nothingFound(page.state, fetched.answer, WAYS, page.folder));
  paging.offer();
  large.show();
  announcer.saySoon(fetched.hits.length ? spoken(state, fetched) : "");
  mentionLost();
}

function showMore(fresh, { byHand }) {
  const { hits } = page.results;
  grid.show(hits);
  paging.offer();
  large.show();
  if (fresh.length) announcer.say(`${fresh.length} more photos, ${hits.length} in total`);
  if (byHand && fresh.length) grid.focus(fresh[0].id); // the keyboard goes on where it was
}

/** Says why the search failed. */
function fail(error, fetched) {
  searches.stop();
  if (!(error instanceof Refusal)) throw error;
  page.results = fetched;
  fetched.next = null;
  byId("summary").textContent = "";
  byId("profile").textContent = "";
  meaning.hush();
  grid.show([]);
  paging.offer();
  notice.say(trouble(error, page.state, WAYS));
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
  anyFit: () => go({ ...page.state, min_relevance: "" }),
  choose: () => byId("choose").click(),
  noFilters: () => go(unfiltered(page.state)),
};

// -- photos to search by ------------------------------------------------------------------------

/** Searches for more photos like one. It replaces the description; filters stay. */
function alike(hit) {
  chips.learn(hit.id, hit.name);
  go({ ...nothing(), ...filtersOf(page.state), like_id: [String(hit.id)] });
  byId("summary").focus({ preventScroll: true });
}

/** Searches by a photo of the user's own. */
function searchBy(file) {
  if (file.size > LARGEST_UPLOAD) {
    notice.mention("This photo is too large", "The limit is 25 MB: make the photo smaller.");
    return;
  }
  const upload = uploads.add(file);
  go({ ...nothing(), ...filtersOf(page.state), example: file.name || "a photo" }, { upload });
}

function mentionLost() {
  const lost = uploads.takeLost();
  if (lost) {
    notice.mention(`“${lost}” was not kept`, "The browser forgets a dropped photo when the page is "
      + "reloaded. Drop it again to search by it.");
  }
}

// -- the library, and the start -----------------------------------------------------------------

async function learnLibrary() {
  try {
    const contents = await library();
    chips.roots = contents.roots;
    filters.offer(contents);
    page.folder = contents.folder ?? "";
    byId("reading").textContent = reading(contents);
    drawChips();
    const { results } = page;
    if (!searches.pending && results?.answer && !results.hits.length) {
      notice.say(nothingFound(page.state, results.answer, WAYS, page.folder));
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error; // the search reports the same trouble
  }
}

/** After a reload, shows as many photos as before, and the same place. */
async function comeBack() {
  const { scroll, shown } = travel.place;
  await search();
  if (!scroll) return;
  await paging.upTo(shown);
  scrollTo(0, scroll);
}

function start() {
  page.state = travel.here();
  travel.listen();
  travel.home(document.querySelector(".brand"));
  const refuse = () => notice.mention("That is not a photo", "Drop a file rather than a link or text.");
  listenForPhotos(searchBy, refuse);
  draw();
  learnLibrary();
  comeBack();
}

start();
