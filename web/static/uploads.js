// The user's own photos to search by. The page keeps them until it is reloaded.

export class Uploads {
  constructor() {
    this.known = new Map();
    this.lost = "";
  }

  /** Keeps a file, and returns its number. */
  add(file) {
    const upload = this.known.size + 1;
    this.known.set(upload, { file, picture: URL.createObjectURL(file) });
    return upload;
  }

  has(upload) {
    return this.known.has(upload);
  }

  /** The file with this number; null if there is none. */
  file(upload) {
    return this.known.get(upload)?.file ?? null;
  }

  /** Address of a picture of it, or "". */
  picture(upload) {
    return this.known.get(upload)?.picture ?? "";
  }

  /** Name of a photo that a reload has lost, until the user has been told. */
  takeLost() {
    const { lost } = this;
    this.lost = "";
    return lost;
  }
}
