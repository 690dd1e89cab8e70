// Lines of text on the large photo: those that were searched for, and all that can be selected.

import { byId, element } from "./element.js";

const SVG = "http://www.w3.org/2000/svg";
const MEASURE = 100; // pixels of the font that lines are measured in
const FONT = "sans-serif";

export class Lines {
  constructor() {
    this.layer = byId("lines");
    this.button = byId("viewer-text");
    this.on = false;
    this.measure = document.createElement("canvas").getContext("2d");
    this.measure.font = `${MEASURE}px ${FONT}`;
    this.clear();
    this.button.addEventListener("click", () => this.toggle());
  }

  /** Forgets the lines of the last photo. Whether text is shown stays. */
  clear() {
    this.layer.replaceChildren();
    this.button.hidden = true;
    this.#set(this.on);
  }

  /**
   * Shows the lines of a photo.
   *
   * @param {{width: number, height: number, lines: {text: string, corners: number[]}[]}} details
   * @param {{corners: number[]|null}[]} reasons why the photo is a hit
   */
  draw(details, reasons) {
    const marked = reasons.filter(({ corners }) => corners).map(({ corners }) => String(corners));
    const areas = document.createElementNS(SVG, "svg");
    areas.setAttribute("viewBox", "0 0 1 1");
    areas.setAttribute("preserveAspectRatio", "none");
    areas.setAttribute("aria-hidden", "true");
    areas.append(...details.lines.map(({ corners }) => area(corners, marked.includes(String(corners)))));
    const text = element("div.text", { role: "group", "aria-label": "Text in the photo" },
      ...details.lines.map((line) => this.#line(line, details)));
    this.layer.replaceChildren(areas, text);
    this.button.hidden = !details.lines.length;
    this.#set(this.on);
  }

  toggle() {
    if (!this.button.hidden) this.#set(!this.on);
  }

  #set(on) {
    this.on = on;
    this.layer.classList.toggle("all", on);
    this.button.setAttribute("aria-pressed", String(on));
  }

  /** A line as transparent text on top of the photo's own, as large, as wide and as crooked. */
  #line({ text, corners }, { width, height }) {
    const [x, y] = corners;
    const side = (from, to) => [(corners[to] - corners[from]) * width, (corners[to + 1] - corners[from + 1]) * height];
    const [along, down] = [side(0, 2), side(0, 6)];
    const [long, tall] = [Math.hypot(...along), Math.hypot(...down)];
    const natural = (this.measure.measureText(text).width / MEASURE) * tall;
    const made = element("p", {}, text);
    made.style.left = `${100 * x}%`;
    made.style.top = `${100 * y}%`;
    made.style.fontSize = `${(100 * tall) / width}cqw`;
    made.style.transform = `rotate(${Math.atan2(along[1], along[0])}rad) scaleX(${natural ? long / natural : 1})`;
    return made;
  }
}

function area(corners, marked) {
  const polygon = document.createElementNS(SVG, "polygon");
  polygon.setAttribute("points", corners.join(" "));
  if (marked) polygon.setAttribute("class", "marked");
  return polygon;
}
