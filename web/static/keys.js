// The keys of the page: a list of them, and the way from the search field to the photos.

import { byId, element } from "./element.js";

const KEYS = [
  ["Everywhere", [
    [["/"], "Go to the search field"],
    [["?"], "Show these keys"],
  ]],
  ["In the search field", [
    [["↓"], "Go to the photos"],
    [["Enter"], "Search now"],
  ]],
  ["On the photos", [
    [["←", "→", "↑", "↓"], "Go to the next photo"],
    [["Page Up", "Page Down"], "Go a screen up or down"],
    [["Home", "End"], "Go to the first or last photo"],
    [["Enter"], "Show the photo large"],
  ]],
  ["In the large view", [
    [["←", "→"], "Show the next photo"],
    [["Esc"], "Close the large view"],
  ]],
];

/** Listens for the keys that belong to no single part of the page. */
export function listenForKeys() {
  const dialog = byId("keys");
  byId("keys-list").replaceChildren(...KEYS.flatMap(([title, rows]) => [
    element("h3", {}, title),
    element("dl", {}, ...rows.flatMap(([keys, what]) => [
      element("dt", {}, ...keys.map((key) => element("kbd", {}, key))),
      element("dd", {}, what),
    ])),
  ]));
  byId("keys-open").addEventListener("click", () => dialog.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.key !== "?" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, select, textarea, dialog, [popover]")) return;
    event.preventDefault();
    dialog.showModal();
  });
  byId("q").addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" || event.isComposing || event.shiftKey || event.altKey) return;
    const photos = [...document.querySelectorAll("#photos > .photo a")];
    const below = byId("q").closest(".bar").getBoundingClientRect().bottom;
    const seen = photos.find((link) => link.getBoundingClientRect().bottom > below) ?? photos[0];
    if (!seen) return;
    event.preventDefault();
    seen.focus();
  });
}
