/** Where the learner's hand is found: on this device or on the server, what that means, and why it is not as was chosen. */

import { decimal, text } from "./text.js";

/** How long it is tried, and how often: browsers compile what is used most while it runs, and other things may run then. */
const TRY_MS = 1000;
const TRIES = 4;

/** Causes for which there is a sentence. @type {Record<string, import("./text.js").TextKey>} */
const PROBLEMS = { unavailable: "deviceNot", unreachable: "deviceUnreachable", damaged: "deviceDamaged", unsupported: "deviceUnsupported" };

/** @typedef {{key: import("./text.js").TextKey, values?: Record<string, string|number>}} Said */

/** @typedef {{landmarks: string, pictures: string, features: string}} Offer What the server has: pipelines for landmarks that are
 *   found here and for pictures, "" = none; and what its classifier sees. */

/** @param {string} id */
const byId = (id) => /** @type {any} */ (document.getElementById(id));

/** The tracker of this device, if it is wanted and quick enough. */
export class Device {
  /** Pictures a second from which a device is quick enough. */
  static leastRate = 10;
  #settings;
  /** Once the server has said it. @type {Offer|undefined} */
  #offer;
  /** The tracker, or that there is none; undefined until it has been asked for. @type {Promise<import("./tracker.js").Tracker|null>|undefined} */
  #tracker;
  /** Number of the try: what an earlier one comes to is not told. */
  #turn = 0;
  /** @type {Said} */
  #said = { key: "privacy" };
  /** Why it is not as was chosen. @type {Said|undefined} */
  #problem;

  /** @param {import("./settings.js").Settings} settings */
  constructor(settings) {
    this.#settings = settings;
  }

  /** @param {Offer} offer */
  set offer(offer) {
    this.#offer = offer;
    byId("tracking").hidden = !offer.landmarks || !offer.pictures;
    this.renew();
  }

  /** Whether the hand is to be found here. */
  get isWanted() {
    const { landmarks, pictures } = this.#offer ?? {};
    return this.#settings.tracking === "device" || (pictures === "" && landmarks !== "");
  }

  /** The parts that the server makes letters or other signs of. @returns {(keyof import("./client.js").Parts)[]} */
  get parts() {
    return this.#isOfHands ? ["left_hand", "right_hand"] : ["pose", "face", "left_hand", "right_hand"];
  }

  get #isOfHands() {
    return this.#offer?.features === "hand-1";
  }

  /** Begins anew, as when the setting has changed. */
  renew() {
    this.#drop();
    this.#problem = undefined;
    this.#turn += 1;
    byId("loading").hidden = true;
    this.#say({ key: this.isWanted ? "trackingText" : this.#otherwise });
  }

  /** What holds where nothing is found here. @returns {import("./text.js").TextKey} */
  get #otherwise() {
    return this.#offer?.pictures === "" ? "deviceOnly" : "privacy";
  }

  /**
   * The tracker, or null where pictures are to be sent. It is loaded and tried the first time.
   * @param {HTMLVideoElement} video It plays what is tried.
   */
  tracker(video) {
    this.#tracker ??= this.isWanted ? this.#load(video) : Promise.resolve(null);
    return this.#tracker;
  }

  /** Goes on with pictures, because the tracker has failed. @param {string} reason */
  fail(reason) {
    this.#drop();
    this.#tracker = Promise.resolve(null);
    this.#giveUp({ key: "deviceFailed", values: { reason } });
  }

  #drop() {
    void this.#tracker?.then((tracker) => tracker?.close());
    this.#tracker = undefined;
  }

  /** Says it in the language of now. */
  retell() {
    const { key, values } = this.#said;
    const said = [this.#problem && text(this.#problem.key, this.#problem.values), text(key, values)].filter(Boolean).join(" ");
    for (const id of ["privacy", "where"]) {
      if (byId(id).textContent !== said) byId(id).textContent = said;
    }
  }

  /** @param {HTMLVideoElement} video @returns {Promise<import("./tracker.js").Tracker|null>} */
  async #load(video) {
    if (!this.#offer?.landmarks) return this.#giveUp({ key: "deviceNot" });
    const turn = this.#turn;
    const bar = byId("loading");
    Object.assign(bar, { hidden: false, value: 0 });
    this.#say({ key: "deviceLoading" });
    /** @type {import("./tracker.js").Tracker|undefined} */
    let tracker;
    /** @type {Said} */
    let problem;
    try {
      const { Tracker } = await import("./tracker.js");
      const onProgress = (/** @type {number} */ loaded, /** @type {number} */ total) => (bar.value = loaded / total);
      tracker = await Tracker.load({ onProgress });
      if (turn === this.#turn) this.#say({ key: "deviceTrying" });
      const rate = await rateOf(tracker, video);
      if (turn === this.#turn && rate >= Device.leastRate) {
        bar.hidden = true;
        this.#say({ key: this.#isOfHands ? "privacyDevice" : "privacyDeviceAll" });
        return tracker;
      }
      problem = { key: "deviceSlow", values: { rate: decimal(rate) } };
    } catch (error) {
      const { cause, message } = /** @type {import("./tracker.js").TrackerError} */ (error);
      const key = PROBLEMS[String(cause)];
      problem = key ? { key } : { key: "deviceFailed", values: { reason: message } };
    }
    tracker?.close();
    if (turn !== this.#turn) return null;
    bar.hidden = true;
    // Without a camera nothing can be tried. It is, when there is one again.
    if (video.srcObject) return this.#giveUp(problem);
    this.renew();
    return null;
  }

  /** @param {Said} problem @returns {null} */
  #giveUp(problem) {
    this.#problem = problem;
    this.#say({ key: this.#otherwise });
    return null;
  }

  /** @param {Said} said */
  #say(said) {
    this.#said = said;
    this.retell();
  }
}

/**
 * Pictures a second that a tracker can do, whatever the camera gives: in the first try in which they are enough, or in the best.
 * @param {import("./tracker.js").Tracker} tracker @param {HTMLVideoElement} video
 */
async function rateOf(tracker, video) {
  let best = 0;
  for (let tries = 0; tries < TRIES && best < Device.leastRate; tries += 1) {
    const begin = performance.now();
    let [count, elapsed] = [0, 0];
    while (elapsed < TRY_MS) {
      await tracker.track(video, performance.now());
      count += 1;
      elapsed = performance.now() - begin;
    }
    best = Math.max(best, (1000 * count) / elapsed);
  }
  return best;
}
