// Why a photo is among the hits, if it is by words.

/** The reasons that are no mere likeness. */
export function byWords(hit) {
  return (hit?.matched ?? []).filter(({ kind }) => kind !== "look" && kind !== "alike");
}

/** "text: “BOARDING PASS”", "person: Anna". */
export function inWords({ kind, words }) {
  return `${kind}: ${kind === "text" ? `“${words}”` : words}`;
}

/** What a photo of the grid says about words ``asked``; null if it merely looks like them. */
export function why(hit, asked) {
  const reasons = byWords(hit);
  const others = reasons.filter(({ kind }) => kind !== "place");
  const [first, ...rest] = others.length ? others : reasons;
  if (!first) return null;
  const alike = [first, ...rest.filter(({ kind }) => kind === first.kind)];
  const words = alike.map((reason) => (reason.kind === "text" ? `“${around(reason.words, asked)}”` : reason.words));
  return { kind: first.kind, words: words.join(", ") };
}

/** Whether the place where it was taken is the only reason, which the search says already. */
export function onlyByPlace(hit) {
  return byWords(hit).every(({ kind }) => kind === "place");
}

const ROOM = 12; // letters of a long line that a small photo has room for

/** A line without its beginning, if the first word that was asked for would not be seen. */
function around(line, asked) {
  const wanted = asked.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 2);
  const places = wanted.map((word) => line.toLowerCase().indexOf(word)).filter((place) => place >= 0);
  const first = Math.min(...places);
  return Number.isFinite(first) && first > ROOM ? `…${line.slice(first)}` : line;
}
