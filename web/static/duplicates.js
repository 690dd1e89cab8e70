// The duplicates page: compares the photos, shows groups, and moves chosen copies to the trash.

import { byId, coded, element } from "./element.js";
import { original, thumbnail } from "./server.js";

/** Milliseconds between two questions how far the work is. */
const PAUSE = 500;
/** Groups per page. */
const GROUPS = 20;

/** The last answer of the server, the chosen copies by id, and whether those moved just now. */
const page = { answer: null, chosen: new Map(), shown: 0, working: false };

async function ask(address, body) {
  const options = body
    ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }
    : {};
  const response = await fetch(address, options).catch(() => null);
  if (!response) throw new Error("the server does not answer: check that `pixquery serve` is still running");
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || `the server answered ${response.status}`);
  return answer;
}

// -- words --------------------------------------------------------------------------------------

function number(value, noun) {
  return `${value.toLocaleString("en")} ${noun}${value === 1 ? "" : "s"}`;
}

function size(bytes) {
  if (bytes < 1e5) return `${Math.max(bytes ? 1 : 0, Math.round(bytes / 1e3))} KB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

function summary({ state, found, copies, bytes, among, may_trash: may, trouble }) {
  if (trouble) return `That did not work: ${trouble}.`;
  if (state !== "done") return "";
  if (!found) return `None of the ${number(among, "photo")} is there twice.`;
  const what = `${copies === 1 ? "1 copy" : `${copies.toLocaleString("en")} copies`} in ${number(found, "group")}, ${size(bytes)}.`;
  if (may) return `${what} The best photo of each group stays. Choose the copies to move to the trash.`;
  return `${what} To move copies from here, start \`pixquery serve --trash\` on the computer with the photos. `
    + "In a terminal, `pixquery duplicates --trash` does it.";
}

function say(text) {
  byId("summary").replaceChildren(...coded(text));
}

// -- groups -------------------------------------------------------------------------------------

function file(photo, ...below) {
  const facts = `${photo.width} × ${photo.height}, ${size(photo.bytes)}`;
  return element(
    "li.file",
    {},
    element(
      "a",
      { href: original(photo.id), target: "_blank", rel: "noopener" },
      element("img", { alt: photo.name, loading: "lazy", src: thumbnail(photo, 320) }),
      element("span.name", {}, photo.name),
    ),
    element("span.note", { title: photo.path ?? "" }, facts),
    photo.path ? element("span.note", {}, photo.path.slice(0, -photo.name.length)) : null,
    ...below,
  );
}

function copy(photo) {
  const why = photo.exact ? "Equal, byte for byte" : `Looks the same, likeness ${photo.likeness.toFixed(2)}`;
  const item = file(photo, element("span.note", {}, why));
  if (photo.moved) {
    item.classList.add("moved");
    item.append(element("span.keep", {}, "In the trash"));
  } else if (page.answer.may_trash) {
    const box = element("input", {
      className: photo.exact ? "exact" : "",
      type: "checkbox",
      checked: page.chosen.has(photo.id),
      "aria-label": `Choose ${photo.name}`,
      on: {
        change: () => {
          if (box.checked) page.chosen.set(photo.id, photo);
          else page.chosen.delete(photo.id);
          count();
        },
      },
    });
    item.append(element("label", {}, box, "Choose"));
  }
  return item;
}

function group({ number: place, best, copies }) {
  const kept = file(best, element("span.keep", {}, "Best: stays"));
  return element("li", { "aria-label": `Group ${place}` }, element("ul", {}, kept, ...copies.map(copy)));
}

function count() {
  const bytes = [...page.chosen.values()].reduce((sum, photo) => sum + photo.frees, 0);
  byId("chosen").hidden = !page.chosen.size || page.working;
  byId("equal").hidden = page.working || !document.querySelector("#groups input.exact:not(:checked)");
  byId("chosen-words").textContent = `${number(page.chosen.size, "photo")} chosen, ${size(bytes)}`;
}

/** Shows groups from the first on, as many as were shown, or the next ones. */
async function showGroups({ anew = false } = {}) {
  const wanted = anew ? Math.max(page.shown, GROUPS) : page.shown + GROUPS;
  if (anew) {
    page.shown = 0;
    byId("groups").replaceChildren();
  }
  let next = page.shown;
  while (next !== null && page.shown < wanted) {
    page.answer = await ask(`api/duplicates?offset=${next}&k=${GROUPS}`);
    for (const { copies } of anew ? page.answer.groups : []) preselect(copies);
    byId("groups").append(...page.answer.groups.map(group));
    page.shown += page.answer.groups.length;
    ({ next } = page.answer);
  }
  byId("more").hidden = next === null;
  count();
}

/** Drops copies from the selection that are in the trash by now. */
function preselect(copies) {
  for (const { id, moved } of copies) if (moved) page.chosen.delete(id);
}

// -- work ---------------------------------------------------------------------------------------

function showWork({ state, done, total }) {
  page.working = state === "comparing" || state === "moving";
  byId("working").hidden = !page.working;
  byId("working-words").textContent = state === "moving" ? "Moving to the trash" : "Comparing the photos";
  const bar = byId("progress");
  if (total) Object.assign(bar, { max: total, value: done });
  else bar.removeAttribute("value");
  for (const button of document.querySelectorAll("#compare button, #move")) button.disabled = page.working;
  count();
}

/** Waits for the work to end, and shows what came of it. */
async function follow({ quiet = false } = {}) {
  for (;;) {
    const answer = await ask("api/duplicates?k=0");
    page.answer = answer;
    showWork(answer);
    if (!page.working) break;
    await new Promise((done) => { setTimeout(done, PAUSE); });
  }
  const { answer } = page;
  const radio = document.querySelector(`input[value="${answer.threshold}"]`);
  if (radio && answer.state === "done") radio.checked = true;
  await showGroups({ anew: true });
  say(summary(page.answer));
  byId("left").replaceChildren(...answer.left.map(({ name, reason }) => element("li", {}, `${name} stays: ${reason}`)));
  if (!quiet) byId("summary").focus();
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    say(`That did not work: ${error.message}.`);
  }
}

function listen() {
  byId("compare").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(async () => {
      page.chosen.clear();
      page.shown = 0;
      const threshold = Number(new FormData(event.target).get("threshold"));
      say("");
      byId("groups").replaceChildren();
      byId("left").replaceChildren();
      byId("more").hidden = true;
      showWork(await ask("api/duplicates", { threshold }));
      await follow();
    });
  });
  byId("more").addEventListener("click", () => attempt(() => showGroups()));
  byId("equal").addEventListener("click", () => {
    for (const box of document.querySelectorAll("#groups input.exact:not(:checked)")) box.click();
    byId("chosen").querySelector("button").focus();
  });
  byId("none").addEventListener("click", () => {
    page.chosen.clear();
    for (const box of document.querySelectorAll("#groups input")) box.checked = false;
    count();
    byId("summary").focus();
  });
  byId("move").addEventListener("click", () => {
    byId("confirm-words").textContent = `${byId("chosen-words").textContent}. The best photo of each group stays.`;
    byId("confirm").returnValue = "no";
    byId("confirm").showModal();
  });
  byId("confirm").addEventListener("close", () => {
    if (byId("confirm").returnValue !== "yes") return;
    attempt(async () => {
      showWork(await ask("api/duplicates/trash", { ids: [...page.chosen.keys()] }));
      await follow();
    });
  });
}

listen();
attempt(() => follow({ quiet: true }));
