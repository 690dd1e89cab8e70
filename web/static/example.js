// A photo of the user's own to search by: dropped anywhere on the page, pasted, or chosen.

import { byId } from "./element.js";

/**
 * Listens for photos.
 *
 * @param {Function} take called with a photo's file
 * @param {Function} refuse called when something else was dropped
 */
export function listenForPhotos(take, refuse) {
  const file = byId("file");
  byId("choose").addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    if (file.files.length) take(file.files[0]);
    file.value = ""; // so that the same photo can be chosen again
  });
  document.addEventListener("paste", (event) => {
    const pasted = photoIn(event.clipboardData);
    if (!pasted) return; // text goes into the focused field
    event.preventDefault();
    take(pasted);
  });
  listenForDrops(take, refuse);
}

function listenForDrops(take, refuse) {
  const veil = byId("drop");
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => {
    if (carriesFiles(event)) veil.hidden = false;
  });
  document.addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault(); // or the browser would not allow the drop
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true; // the pointer left the window
  });
  document.addEventListener("drop", (event) => {
    veil.hidden = true;
    if (!carriesFiles(event)) return;
    event.preventDefault();
    const dropped = event.dataTransfer.files[0];
    if (dropped) take(dropped);
    else refuse();
  });
}

function photoIn(data) {
  return [...(data?.files ?? [])].find((file) => file.type.startsWith("image/"));
}
