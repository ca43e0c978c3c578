/**
 * Finds the landmarks of a person's pose, hands and face in pictures, in this browser: no picture leaves it. Without
 * dependencies. For pages of a server of Dactyl, which has `tracker-worker.js`, `tracker.wasm` and `tracker-plain.wasm` beside this
 * file, and the networks.
 *
 *     import { DactylClient } from "./client.js";
 *     import { Tracker } from "./tracker.js";
 *     const tracker = await Tracker.load();
 *     const client = new DactylClient("/ws?pipeline=landmarks");
 *     client.connect();
 *     client.start(video, { tracker });
 *
 * Needs a browser of 2023 or later, and in the page's Content-Security-Policy, if it has one, `script-src
 * 'wasm-unsafe-eval'`.
 *
 * Licence: MIT or Apache-2.0.
 */

/**
 * @typedef {import("./client.js").Found} Found
 * @typedef {"unavailable"|"unreachable"|"damaged"|"unsupported"|"forbidden"|"failed"|"busy"|"no_picture"|"closed"} Cause `unavailable`:
 *   the server has no networks. `unreachable`: they did not come. `damaged`: one came, but not as the server lists it.
 *   `unsupported`: the browser lacks something. `forbidden`: a Content-Security-Policy. `failed`: the tracker itself. `busy`: the
 *   picture before is not done. `no_picture`: the video shows none now. `closed`: {@link Tracker.close}.
 * @typedef {(loaded: number, total: number) => void} OnProgress Bytes of all networks.
 */

/** Why there is no tracker, or no landmarks; the message names cause and cure. */
export class TrackerError extends Error {
  /** @param {Cause} cause @param {string} message */
  constructor(cause, message) {
    super(message, { cause });
    this.name = "TrackerError";
  }
}

/** A tracker that follows the person of one stream of pictures, on a thread of its own. */
export class Tracker {
  #worker;
  /** What is asked of the thread now. @type {{resolve: (value: any) => void, reject: (error: TrackerError) => void}|undefined} */
  #asked;
  /** @type {OnProgress} */
  #onProgress = () => {};
  #isFused = false;
  #isBusy = false;
  /** Why it can be used no more. @type {TrackerError|undefined} */
  #ended;

  /** Only {@link Tracker.load} makes one that can be used. */
  constructor() {
    this.#worker = new Worker(new URL("./tracker-worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    // As a property Chromium's workers do not have it.
    this.#worker.addEventListener("messageerror", () =>
      this.#hear({ failure: { cause: "failed", message: "the answer of the tracker's thread cannot be read: load another one" } }),
    );
    this.#worker.onerror = ({ message }) =>
      this.#end(new TrackerError("failed", `the tracker's thread ended (${message || "it cannot be loaded"}): load the page again`));
  }

  /**
   * Loads the tracker and its networks, about 19 MB. What the browser has already is not loaded again, and none is used that
   * is not what the server lists (which is checked where the browser can: on localhost and over https).
   * @param {{base?: string|URL, profile?: "fast"|"exact", onProgress?: OnProgress, signal?: AbortSignal}} [options] `base`: the
   *   server's folder `web/`, where the page's own origin has it; the folder of this file, unless given. `profile`: `exact`
   *   tracks every picture in full, as the server's `holistic.profile = "exact"`; `fast` (unless given) is quicker where nothing moves.
   *   `signal`: closes the tracker, loaded or not.
   * @returns {Promise<Tracker>}
   * @throws {TrackerError}
   */
  static async load({ base = new URL(".", import.meta.url), profile = "fast", onProgress = () => {}, signal } = {}) {
    const tracker = new Tracker();
    if (signal?.aborted) tracker.close();
    signal?.addEventListener("abort", () => tracker.close());
    tracker.#onProgress = onProgress;
    try {
      const address = new URL(base, globalThis.location?.href).href;
      tracker.#isFused = await tracker.#ask({ load: { base: address, isExact: profile === "exact" } });
      return tracker;
    } catch (error) {
      tracker.close();
      throw error;
    }
  }

  /** Whether this processor computes the networks as the server does, to the last bit. */
  get isFused() {
    return this.#isFused;
  }

  /**
   * Finds the landmarks of a picture; at most 640 pixels of its width are looked at. One picture at a time.
   * @param {VideoFrame|ImageBitmap|HTMLCanvasElement|OffscreenCanvas|HTMLVideoElement} picture A VideoFrame or an ImageBitmap is
   *   given away and closed.
   * @param {number} timestampMs When it was taken, by a clock that only goes on.
   * @returns {Promise<Found>}
   * @throws {TrackerError}
   */
  async track(picture, timestampMs) {
    const isGiven = "close" in picture;
    if (this.#isBusy || this.#ended) {
      if (isGiven) picture.close();
      throw this.#ended ?? new TrackerError("busy", "a picture is being tracked: wait for its landmarks");
    }
    this.#isBusy = true;
    try {
      const taken = isGiven ? picture : await pictureOf(picture);
      // The thread may have ended while the picture was taken.
      if (this.#ended) taken.close();
      return await this.#ask({ track: { picture: taken, timestampMs } }, [taken]);
    } finally {
      this.#isBusy = false;
    }
  }

  /** Forgets the person that was followed, as for another stream. */
  reset() {
    this.#worker.postMessage({ reset: true });
  }

  /** Ends the thread and frees its memory. */
  close() {
    this.#end(new TrackerError("closed", "the tracker was closed: load another one"));
  }

  /** @param {object} question @param {Transferable[]} [given] @returns {Promise<any>} */
  #ask(question, given = []) {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#asked = { resolve, reject };
      this.#worker.postMessage(question, given);
    });
  }

  /** @param {{progress?: [number, number], failure?: {cause: Cause, message: string}, answer?: unknown}} said */
  #hear({ progress, failure, answer }) {
    if (progress) {
      this.#onProgress(...progress);
      return;
    }
    const asked = this.#asked;
    this.#asked = undefined;
    if (failure) asked?.reject(new TrackerError(failure.cause, failure.message));
    else asked?.resolve(answer);
  }

  /** @param {TrackerError} why */
  #end(why) {
    this.#ended ??= why;
    this.#worker.terminate();
    this.#asked?.reject(why);
    this.#asked = undefined;
  }
}

/**
 * A picture that can be given to another thread, without a copy where the browser can.
 * @param {HTMLVideoElement|HTMLCanvasElement|OffscreenCanvas} source
 * @returns {Promise<ImageBitmap|VideoFrame>}
 * @throws {TrackerError}
 */
async function pictureOf(source) {
  if ("readyState" in source && source.readyState < source.HAVE_CURRENT_DATA) {
    throw new TrackerError("no_picture", "the video shows no picture now: try again when it plays");
  }
  return "VideoFrame" in globalThis && "videoWidth" in source ? new VideoFrame(source) : createImageBitmap(source);
}
