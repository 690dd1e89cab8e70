// Elements of the page. They are never made from strings of HTML, so no text can become markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element.
 *
 * @param {string} tag such as "button" or "span.word"
 * @param {Object} properties of the element; "role" and names with "-" become attributes, and "on"
 *   holds listeners
 * @param {...(Node|string|null)} children
 */
export function element(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const created = document.createElement(name);
  if (classes.length) created.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (key === "on") Object.entries(value).forEach(([on, act]) => created.addEventListener(on, act));
    else if (key === "role" || key.includes("-")) created.setAttribute(key, value);
    else created[key] = value;
  }
  created.append(...children.filter((child) => child !== null && child !== undefined));
  return created;
}

/** Text as nodes, with everything between backticks as code. */
export function coded(text) {
  return text.split("`").map((piece, place) => (place % 2 ? element("code", {}, piece) : piece));
}

/** One of the page's icons, hidden from screen readers. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** The element with this id, which the page must have. */
export function byId(id) {
  const match = document.getElementById(id);
  if (!match) throw new Error(`the page has no #${id}`);
  return match;
}
