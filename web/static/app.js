// The page: its address holds the search, and everything shown follows from it.

import { nothing, redescribed, stillRecognised, toAddress, toRequest, unfiltered } from "./address.js";
import { Above } from "./above.js";
import { Announcer } from "./announcer.js";
import { Chips } from "./chips.js";
import { byId } from "./element.js";
import { SearchField } from "./field.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { Judging } from "./judging.js";
import { listenForKeys } from "./keys.js";
import { Large } from "./large.js";
import { Lesson } from "./lesson.js";
import { Likeness } from "./likeness.js";
import { Notice } from "./notice.js";
import { Paging } from "./paging.js";
import { nothingFound, reading, spoken, title, trouble } from "./phrases.js";
import { Results } from "./results.js";
import { Scrubber } from "./scrubber.js";
import { Searches } from "./searches.js";
import { Refusal, library } from "./server.js";
import { Steps } from "./steps.js";
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
const scrubber = new Scrubber((y) => grid.scrollTo(y));
const likeness = new Likeness(page, { go, chips, notice, uploads });
const travel = new Travel({
  uploads,
  arrive,
  rest: () => field.rest(),
  place: () => ({ seen: grid.place(), shown: page.results?.length ?? 0 }),
});
const grid = new Grid(byId("photos"), {
  addressOf: (id) => toAddress({ ...page.state, photo: String(id) }),
  onOpen: (id) => go({ ...page.state, photo: String(id) }, { opened: true }),
  onAlike: (hit) => likeness.search(hit),
  asked: () => `${page.state.text} ${page.state.q}`,
  onLaid: (rows) => scrubber.show(rows),
  adorn: (item) => judging.adorn(item),
});
new Steps(grid, byId("photos"));
const above = new Above({
  onSort: (sort) => refine({ ...page.state, sort }),
  exactly: () => go({ ...page.state, exact: "true" }),
  instead: (q) => go({ ...redescribed(page.state, q), exact: page.state.exact }),
});
const paging = new Paging(page, showMore);
const large = new Large(page, {
  go,
  more: () => paging.more(),
  opened: () => travel.opened,
  waiting: () => searches.pending !== null,
  onAlike: (hit) => likeness.search(hit),
  onSearch: (search) => go({ ...nothing(), ...search }),
});

const lesson = new Lesson({ changed: () => search({ fresh: true }), say: (words) => announcer.say(words) });
const judging = new Judging(page, {
  show: () => show({ glide: true }),
  focus: (id) => grid.focus(id),
  say: (words) => announcer.say(words),
  counted: (counts) => lesson.counted(counts),
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
  judging.draw();
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
  return stillRecognised(page.state, page.results?.answer?.recognised ?? []);
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
    goBack();
    return;
  }
  const fetched = resultsOf(key);
  const onBusy = () => announcer.say("The server is busy. Trying again.");
  const find = Number(page.state.photo) || travel.place.seen?.id || 0;
  try {
    if (!await searches.begin(fetched, { find, onBusy })) return;
  } catch (error) {
    fail(error, fetched);
    return;
  }
  settle(fetched, { glide: true });
}

/** Results that are still to be loaded, and tell the page what comes. */
function resultsOf(key) {
  const fetched = Results.of(page.state, uploads.file(travel.upload));
  fetched.key = key;
  fetched.onPhotos = () => {
    if (fetched !== page.results) return;
    grid.draw();
    large.show();
  };
  fetched.onMoved = () => moved(fetched);
  return fetched;
}

/** Lays photos out again after some came or went, and keeps those that are seen where they are. */
async function moved(fetched) {
  const place = grid.place();
  const found = await fetched.renew(place?.id ?? 0).catch(() => null); // the next page tells again
  if (fetched !== page.results) return;
  grid.show(fetched);
  if (place && found !== null) grid.goTo({ ...place, at: found });
}

/** Shows the place that a history entry notes. */
function goBack() {
  const { seen } = travel.place;
  const found = page.state.photo ? null : page.results?.timeline?.found;
  if (seen) grid.goTo({ ...seen, at: found ?? seen.at });
  else scrollTo(0, 0);
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
  above.show(state, fetched);
  show({ glide: glide && !first && scrollY < innerHeight });
  judging.begin();
  if (glide && !first) scrollTo(0, 0);
  if (!fetched.length) notice.say(nothingFound(page.state, fetched.answer, WAYS, page.folder));
  paging.offer();
  large.show();
  announcer.saySoon(fetched.length ? spoken(state, fetched) : "");
  likeness.mentionLost();
}

/** Shows the results that have been loaded. */
function show(how) {
  judging.order(page.results);
  grid.show(page.results, how);
}

function showMore(fresh, { byHand }) {
  const { length } = page.results;
  show();
  paging.offer();
  large.show();
  if (fresh.length) announcer.say(`${fresh.length} more photos, ${length} in total`);
  if (byHand && fresh.length) grid.focus(fresh[0].id); // the keyboard goes on where it was
}

/** Says why the search failed. */
function fail(error, fetched) {
  searches.stop();
  if (!(error instanceof Refusal)) throw error;
  page.results = fetched;
  fetched.next = null;
  above.show(page.state, null);
  grid.clear();
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
    if (!searches.pending && results?.answer && !results.length) {
      notice.say(nothingFound(page.state, results.answer, WAYS, page.folder));
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error; // the search reports the same trouble
  }
}

/** After a reload, shows as many photos as before, and the same place. */
async function comeBack() {
  const { seen, shown } = travel.place;
  await search();
  if (seen) await paging.upTo(shown);
  const found = page.results?.timeline?.found;
  if (seen) goBack();
  else if (page.state.photo && found) grid.goTo({ at: found, by: innerHeight / 3 });
}

function start() {
  page.state = travel.here();
  travel.listen();
  travel.home(document.querySelector(".brand"));
  likeness.listen();
  listenForKeys();
  draw();
  learnLibrary();
  comeBack();
}

start();
