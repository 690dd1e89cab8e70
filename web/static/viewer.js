// The large view of one photo, with its details. Arrow keys and swipes go to the next.

import { byId } from "./element.js";
import { facts } from "./facts.js";
import { Lines } from "./lines.js";
import { byWords } from "./reasons.js";
import { original, photo, shown, thumbnail } from "./server.js";
import { Zoom } from "./zoom.js";

const SWIPE = 60; // pixels that a finger must travel to count as a swipe

export class Viewer {
  /**
   * @param {{onTurn: Function, onClose: Function, onAlike: Function, onSearch: Function}} how
   *   ``onTurn`` is called with -1 or 1, ``onSearch`` with the part of a state to search for
   */
  constructor(how) {
    this.how = how;
    this.dialog = byId("viewer");
    this.frame = byId("frame");
    this.picture = byId("large");
    this.lines = new Lines();
    this.zoom = new Zoom();
    this.id = null;
    this.details = null;
    byId("viewer-close").addEventListener("click", () => this.dialog.close());
    byId("viewer-alike").addEventListener("click", () => how.onAlike({ id: this.id, name: byId("viewer-name").textContent }));
    byId("viewer-details").addEventListener("click", () => this.#toggle());
    byId("previous").addEventListener("click", () => how.onTurn(-1));
    byId("next").addEventListener("click", () => how.onTurn(1));
    this.dialog.addEventListener("close", () => how.onClose());
    this.dialog.addEventListener("keydown", (event) => this.#key(event));
    this.#listenForSwipes(byId("stage"));
  }

  /**
   * Shows a photo.
   *
   * @param {number} id
   * @param {Object|null} hit of the search, if the photo is among the results
   * @param {{position: string, first: boolean, last: boolean}} where in the results
   */
  async show(id, hit, where) {
    byId("viewer-place").textContent = where.position;
    byId("previous").disabled = where.first;
    byId("next").disabled = where.last;
    if (this.id === id) {
      this.#judge(hit);
      return;
    }
    this.id = id;
    this.hit = hit;
    this.details = null;
    this.#preview(id, hit);
    if (!this.dialog.open) this.dialog.showModal();
    this.request?.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    try {
      const details = await photo(id, { signal });
      this.#describe(details);
      await this.#enlarge(details, signal);
    } catch (error) {
      if (error.name !== "AbortError") this.#fail(error);
    }
  }

  /** Takes a hit that arrives after the photo's details. */
  #judge(hit) {
    if (!hit || this.hit) return;
    this.hit = hit;
    if (this.details) this.#describe(this.details);
  }

  close() {
    this.request?.abort();
    this.id = null;
    this.zoom.hold(0);
    if (this.dialog.open) this.dialog.close();
    this.picture.removeAttribute("src");
  }

  // -- the picture ---------------------------------------------------------------------------

  /** Shows the thumbnail until the photo has loaded. */
  #preview(id, hit) {
    byId("viewer-name").textContent = hit?.name ?? `Photo ${id}`;
    byId("facts").replaceChildren();
    this.lines.clear();
    byId("large-failed").hidden = true;
    this.dialog.classList.remove("unknown");
    this.frame.hidden = false;
    this.picture.alt = hit?.name ?? "";
    this.picture.src = thumbnail(hit ?? { id }, 640);
    if (hit) this.#shape(hit);
    this.zoom.hold(0);
    byId("viewer-original").href = original(id);
  }

  #shape({ width, height }) {
    this.frame.style.setProperty("--width", width);
    this.frame.style.setProperty("--height", height);
  }

  async #enlarge(details, signal) {
    this.#shape(details);
    const large = new Image();
    large.src = shown(details);
    try {
      await large.decode();
    } catch {
      await this.#makeDo(signal);
      return;
    }
    if (signal.aborted) return;
    this.picture.src = large.src;
    this.zoom.hold(large.naturalWidth);
  }

  /** Keeps the thumbnail, if there is one, when the photo itself does not load. */
  async #makeDo(signal) {
    try {
      await this.picture.decode();
    } catch {
      if (!signal.aborted) this.#say("This photo's file is missing, changed or damaged: index its folder again.");
    }
  }

  #fail(error) {
    const unknown = error.status === 404;
    this.dialog.classList.toggle("unknown", unknown);
    this.#say(unknown ? "This photo is not in the library, or has been removed from it." : error.message);
  }

  /** Shows a message in place of the photo. */
  #say(words) {
    this.frame.hidden = true;
    byId("large-failed").hidden = false;
    byId("large-failed").textContent = words;
  }

  // -- details -------------------------------------------------------------------------------

  #describe(details) {
    this.details = details;
    byId("viewer-name").textContent = details.name;
    this.picture.alt = details.name;
    byId("facts").replaceChildren(facts(details, this.hit, this.how.onSearch));
    this.lines.draw(details, byWords(this.hit));
  }

  #toggle(open = !this.dialog.classList.contains("detailed")) {
    this.dialog.classList.toggle("detailed", open);
    byId("viewer-details").setAttribute("aria-expanded", String(open));
  }

  // -- keys and fingers ----------------------------------------------------------------------

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.zoom.step(event.key)) {
      event.preventDefault();
      return;
    }
    if (event.key === "Escape" && !this.zoom.on) return; // the dialog closes itself
    const act = {
      Escape: () => this.zoom.leave(),
      z: () => this.zoom.toggle(),
      ArrowLeft: () => byId("previous").disabled || this.how.onTurn(-1),
      ArrowRight: () => byId("next").disabled || this.how.onTurn(1),
      i: () => this.#toggle(),
      t: () => this.lines.toggle(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  #listenForSwipes(stage) {
    let from = null;
    const fingers = new Set();
    const drop = () => {
      from = null;
      this.frame.style.translate = "";
    };
    stage.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" || event.target.closest("button, .lines")) return;
      fingers.add(event.pointerId);
      const zoomed = this.zoom.on || (visualViewport?.scale ?? 1) > 1.01;
      from = fingers.size === 1 && !zoomed ? { x: event.clientX, y: event.clientY } : null;
    });
    stage.addEventListener("pointermove", (event) => {
      if (from) this.frame.style.translate = `${event.clientX - from.x}px 0`;
    });
    stage.addEventListener("pointerup", (event) => {
      fingers.delete(event.pointerId);
      if (!from) return;
      const [x, y] = [event.clientX - from.x, event.clientY - from.y];
      drop();
      this.#swiped(x, y);
    });
    stage.addEventListener("pointercancel", (event) => {
      fingers.delete(event.pointerId);
      drop();
    });
  }

  #swiped(x, y) {
    if (Math.abs(x) > SWIPE && Math.abs(x) > Math.abs(y)) {
      const turn = byId(x > 0 ? "previous" : "next");
      if (!turn.disabled) turn.click();
    } else if (y > 2 * SWIPE) {
      this.dialog.close();
    }
  }
}
