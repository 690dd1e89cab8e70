// Elements are made here, never from strings of HTML: no text can become markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element.
 *
 * @param {string} tag such as "button" or "span.word"
 * @param {Object} properties set on it; names with "-" and "role" become attributes, "on" listeners
 * @param {...(Node|string|null)} children
 */
export function element(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name);
  if (classes.length) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (key === "on") Object.entries(value).forEach(([on, act]) => made.addEventListener(on, act));
    else if (key === "role" || key.includes("-")) made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A sentence as nodes, of which what stands between backticks is code. */
export function coded(text) {
  return text.split("`").map((piece, place) => (place % 2 ? element("code", {}, piece) : piece));
}

/** One of the page's own icons; it says nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** The element of that id; one that is missing is a mistake of the page's. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}
