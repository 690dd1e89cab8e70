// The server's API as functions. What it refuses is thrown as an error with its message.

import { sentence } from "./words.js";

/** Largest photo that may be uploaded, in bytes. */
export const LARGEST_UPLOAD = 25e6;
/** Most attempts while the server is busy, and milliseconds before the second. */
const TRIES = 4;
const PAUSE = 600;

/** The server refused a request or did not answer. */
export class Refusal extends Error {
  /** @param {number} status of HTTP; 0 if there was no answer */
  constructor(status, message) {
    super(sentence(message));
    this.status = status;
  }
}

/** One page of an answer. ``photo`` is a file to search by. */
export async function search(request, offset, photo, { k, signal, onBusy }) {
  const parameters = new URLSearchParams(request);
  parameters.set("k", String(k));
  if (offset) parameters.set("offset", String(offset));
  return patiently(() => ask(`api/search?${parameters}`, { signal, ...upload(photo) }), signal, onBusy);
}

/** All photos of a search without a description, by date. ``find`` is the id of one to look up. */
export async function timeline(request, find, { signal, onBusy }) {
  const parameters = new URLSearchParams(request);
  if (find) parameters.set("find", String(find));
  return patiently(() => ask(`api/timeline?${parameters}`, { signal }), signal, onBusy);
}

/** What the library contains. */
export const library = () => ask("api/library");

/** Everything known about a photo. */
export const photo = (id, options) => ask(`api/images/${id}`, options);

/**
 * Address of a photo's thumbnail, for a longer side in device pixels.
 *
 * Browsers keep a thumbnail that was requested with its version. They revalidate the others.
 */
export function thumbnail({ id, version }, pixels) {
  const size = [160, 320].find((least) => least >= pixels) ?? 640;
  return `api/images/${id}/thumbnail?size=${size}${version ? `&of=${version}` : ""}`;
}

const SHOWN_BY_BROWSERS = new Set(["JPEG", "PNG", "GIF", "WebP", "BMP", "AVIF"]);

/** Address of the photo's own file. */
export const original = (id) => `api/images/${id}/file`;

/** Address of the photo in a format that browsers can show. */
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
    throw new Refusal(0, "the server does not answer: check that `pixquery serve` is still running");
  }
  if (response.ok) return response.json();
  const refusal = await response.json().catch(() => ({}));
  throw new Refusal(response.status, refusal.error || `the server answered ${response.status}`);
}

/** Tries again, a little later each time, while the server is busy. */
async function patiently(attempt, signal, onBusy) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (error.status !== 429 || tries === TRIES) throw error;
      onBusy?.();
      await new Promise((done) => { setTimeout(done, PAUSE * 2 ** (tries - 1)); });
      signal?.throwIfAborted();
    }
  }
}
