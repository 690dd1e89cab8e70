// The filter panel: the choices that the library offers, and those in use.

import { FILTERS, filterCount, judged, unfiltered } from "./address.js";
import { byId, element } from "./element.js";
import { LEAST_FITS, SHAPES, number, photos, stars } from "./words.js";

const STARS = ["1..", "2..", "3..", "4..", "5"];
/** Fields with the names that a library offers; half a name means nothing. */
const NAMED = { place: "places", keyword: "keywords", person: "people" };
const PAUSE = 350; // milliseconds between the last key in a field and the search

export class Filters {
  /**
   * @param {HTMLFormElement} panel
   * @param {Function} change takes the new state
   */
  constructor(panel, change) {
    this.panel = panel;
    this.change = change;
    this.offer({
      relevance: true, roots: [], formats: [], cameras: [], years: [],
      places: [], keywords: [], people: [], rated: 0, text: {},
    });
    byId("filters-none").addEventListener("click", () => change(unfiltered(this.state)));
    panel.addEventListener("change", (event) => this.#changed(event.target.name));
    panel.addEventListener("input", (event) => this.#typed(event.target));
    panel.addEventListener("submit", (event) => {
      event.preventDefault();
      panel.hidePopover();
    });
  }

  /** Fills the panel with what the library contains. */
  offer(library) {
    const { year, root, camera, min_relevance: least } = this.panel.elements;
    const counted = ({ name, images }) => ({ value: name, words: `${name} (${number(images)})` });
    options(year, "any", [...library.years].reverse().map(({ year: name, images }) => counted({ name, images })));
    options(root, "all", library.roots.map((one) => ({ ...counted(one), value: one.number })));
    options(camera, "any", library.cameras.map((one) => ({
      ...counted({ ...one, name: kinds(one.name, library.cameras) }), value: one.name,
    })));
    options(least, "any", LEAST_FITS);
    byId("shapes").replaceChildren(choice("radio", "orientation", "", "any"),
      ...Object.entries(SHAPES).map(([value, words]) => choice("radio", "orientation", value, words)));
    byId("formats").replaceChildren(
      ...library.formats.map((one) => choice("checkbox", "format", one.name, counted(one).words)));
    options(this.panel.elements.rating, "any", STARS.map((value) => ({ value, words: stars(value) })));
    hide(this.panel.elements.rating, !library.rated);
    this.names = {};
    for (const [field, list] of Object.entries(NAMED)) {
      byId(list).replaceChildren(...library[list].map(({ name, images }) =>
        element("option", { value: name, label: photos(images) })));
      this.names[field] = new Set(library[list].map(({ name }) => name));
      hide(this.panel.elements[field], !library[list].length);
    }
    hide(this.panel.elements.text, !library.text.on && !library.text.read);
    hide(least, !library.relevance);
    hide(year, !library.years.length);
    hide(this.panel.elements.from, !library.years.length);
    hide(root, library.roots.length < 2);
    hide(camera, !library.cameras.length);
    hide(byId("formats"), library.formats.length < 2);
    if (this.state) this.draw(this.state);
  }

  /** Shows the filters of a state. */
  draw(state) {
    this.state = state;
    const fields = this.panel.elements;
    for (const name of [
      "root", "camera", "place", "text", "rating", "min_width", "min_height", "min_relevance",
    ]) set(fields[name], state[name]);
    for (const name of ["keyword", "person"]) set(fields[name], state[name][0] ?? "");
    set(fields.year, /^\d{4}$/.test(state.taken) ? state.taken : "");
    const [from, to] = dates(state.taken);
    set(fields.from, from);
    set(fields.to, to);
    set(fields.path, (state.path[0] ?? "").replace(/^\*|\*$/g, ""));
    for (const box of this.panel.querySelectorAll("[name=orientation]")) box.checked = box.value === state.orientation;
    for (const box of this.panel.querySelectorAll("[name=format]")) box.checked = state.format.includes(box.value);
    fields.min_relevance.disabled = !judged(state);
    byId("fit-note").hidden = judged(state);
    this.#count(filterCount(state));
  }

  #count(count) {
    const mark = byId("filters-count");
    mark.hidden = count === 0;
    mark.textContent = count;
    byId("filters-none").hidden = count === 0;
    byId("filters-open").setAttribute("aria-label", count ? `Filters, ${count} in use` : "Filters");
  }

  #typed(field) {
    clearTimeout(this.waiting);
    const names = this.names[field.name];
    const whole = !names || !field.value || names.has(field.value);
    if (["text", "number"].includes(field.type) && whole) {
      this.waiting = setTimeout(() => this.#changed(field.name), PAUSE);
    }
  }

  #changed(name) {
    clearTimeout(this.waiting);
    const field = this.panel.elements[name];
    if (field.validity && !field.validity.valid) return;
    const next = { ...this.state, ...this.#value(name) };
    if (FILTERS.some((filter) => String(next[filter]) !== String(this.state[filter]))) this.change(next);
  }

  /** The part of the state that a field of the panel holds. */
  #value(name) {
    const fields = this.panel.elements;
    const checked = () => [...this.panel.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value);
    switch (name) {
      case "year": return { taken: fields.year.value };
      case "from":
      case "to": return { taken: between(fields.from.value, fields.to.value) };
      case "path": return { path: fields.path.value.trim() ? [`*${fields.path.value.trim()}*`] : [] };
      case "keyword":
      case "person": return { [name]: [fields[name].value.trim(), ...this.state[name].slice(1)].filter(Boolean) };
      case "orientation": return { orientation: checked()[0] ?? "" };
      case "format": return { format: checked() };
      default: return { [name]: fields[name].value.trim() };
    }
  }
}

/** A camera's name. If other names contain it, the filter finds their photos too, and it says so. */
export function kinds(name, cameras) {
  const part = name.toLowerCase();
  const several = cameras.filter((other) => other.name.toLowerCase().includes(part)).length > 1;
  return several ? `${name}, all models` : name;
}

function between(from, to) {
  return from || to ? `${from}..${to}` : "";
}

/** The first and last day of a period, where date fields can show them. */
function dates(taken) {
  const day = (text) => (/^\d{4}-\d\d-\d\d$/.test(text ?? "") ? text : "");
  const [from, to] = taken.includes("..") ? taken.split("..") : [taken, taken];
  return [day(from), day(to)];
}

function options(select, none, values) {
  select.replaceChildren(element("option", { value: "" }, none),
    ...values.map(({ value, words }) => element("option", { value }, words)));
}

/** Shows a value. One that the library does not offer gets an option of its own. */
function set(field, value) {
  if (field === document.activeElement && field.value.trim() === value) return;
  if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) {
    field.append(element("option", { value }, value));
  }
  field.value = value;
}

function choice(type, name, value, words) {
  return element("label.option", {}, element("input", { type, name, value }), element("span", {}, words));
}

function hide(field, hidden) {
  field.closest(".row").hidden = hidden;
}
