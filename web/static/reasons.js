// Why a photo is among the hits, if it is by words.

/** The reasons that are no mere likeness. */
export function byWords(hit) {
  return (hit?.matched ?? []).filter(({ kind }) => kind !== "look" && kind !== "alike");
}

/** "text: “BOARDING PASS”", "person: Anna". */
export function inWords({ kind, words }) {
  return `${kind}: ${kind === "text" ? `“${words}”` : words}`;
}

/** One line for a photo of the grid; empty if the photo merely looks like what is searched. */
export function why(hit) {
  const reasons = byWords(hit);
  const others = reasons.filter(({ kind }) => kind !== "place");
  const [first, ...rest] = others.length ? others : reasons;
  if (!first) return "";
  const same = rest.filter(({ kind }) => kind === first.kind);
  const joined = [first, ...same].map(({ words }) => (first.kind === "text" ? `“${words}”` : words));
  return `${first.kind}: ${joined.join(", ")}`;
}

/** Whether the place where it was taken is the only reason, which the search says already. */
export function onlyByPlace(hit) {
  return byWords(hit).every(({ kind }) => kind === "place");
}
