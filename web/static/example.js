// A photo of one's own to search by: dropped anywhere, pasted, or chosen.

import { byId } from "./element.js";

/**
 * Listens for photos.
 *
 * @param {Function} take is given the file
 * @param {Function} refuse is given what was no file
 */
export function listenForPhotos(take, refuse) {
  const file = byId("file");
  byId("choose").addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    if (file.files.length) take(file.files[0]);
    file.value = ""; // the same photo can be chosen again
  });
  document.addEventListener("paste", (event) => {
    const pasted = photoIn(event.clipboardData);
    if (!pasted) return; // text goes where it belongs
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
    if (carriesFiles(event)) event.preventDefault(); // or it could not be dropped
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true; // it left the window
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
