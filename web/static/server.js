// The server's API, as functions; what it refuses comes as an error with its sentence.

import { sentence } from "./words.js";

/** The most that an uploaded photo may weigh. */
export const LARGEST_UPLOAD = 25e6;
/** How often a busy server is asked again, and after how many milliseconds at first. */
const TRIES = 4;
const PAUSE = 600;

/** The server did not do what it was asked. */
export class Refusal extends Error {
  /** @param {number} status of HTTP, 0 where there was no answer */
  constructor(status, message) {
    super(sentence(message));
    this.status = status;
  }
}

/** One page of an answer; ``photo`` is a file to search by. */
export async function search(request, offset, photo, { signal, onBusy }) {
  const more = new URLSearchParams(request);
  more.set("k", "40");
  if (offset) more.set("offset", String(offset));
  return patiently(() => ask(`api/search?${more}`, { signal, ...upload(photo) }), signal, onBusy);
}

/** What the library holds. */
export const library = () => ask("api/library");

/** All that is known of a photo. */
export const photo = (id, options) => ask(`api/images/${id}`, options);

/**
 * Where a photo's small picture lies, for a longest side in device pixels.
 *
 * Browsers keep what they asked for with its version, and ask after the rest each time.
 */
export function thumbnail({ id, version }, pixels) {
  const size = [160, 320].find((least) => least >= pixels) ?? 640;
  return `api/images/${id}/thumbnail?size=${size}${version ? `&of=${version}` : ""}`;
}

const SHOWN_BY_BROWSERS = new Set(["JPEG", "PNG", "GIF", "WebP", "BMP", "AVIF"]);

/** Where the photo's own file lies. */
export const original = (id) => `api/images/${id}/file`;

/** Where a photo lies in a format that browsers show. */
export function shown({ id, format, version }) {
  return SHOWN_BY_BROWSERS.has(format) ? original(id) : `${original(id)}?as=jpeg&of=${version}`;
}

function upload(photo) {
  if (!photo) return {};
  const body = new FormData();
  body.append("photo", photo);
  return { method: "POST", body };
}

async function ask(address, options = {}) {
  let response;
  try {
    response = await fetch(address, { headers: { Accept: "application/json" }, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "the server does not answer: see whether `pixquery serve` still runs");
  }
  if (response.ok) return response.json();
  const told = await response.json().catch(() => ({}));
  throw new Refusal(response.status, told.error || `the server answered ${response.status}`);
}

/** Asks a busy server again after a while. */
async function patiently(attempt, signal, onBusy) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (error.status !== 429 || tried === TRIES) throw error;
      onBusy?.();
      await new Promise((done) => { setTimeout(done, PAUSE * 2 ** (tried - 1)); });
      signal?.throwIfAborted();
    }
  }
}
