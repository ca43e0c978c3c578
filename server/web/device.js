/** Where the learner's hand is found: on this device or on the server, what that means, and why it is not as was chosen. */

import { decimal, text } from "./text.js";

/** How long it is tried, and how often: browsers compile what is used most while it runs, and other things may run then. */
const TRY_MS = 1000;
const TRIES = 4;

/** Causes for which there is a sentence. @type {Record<string, import("./text.js").TextKey>} */
const PROBLEMS = { unavailable: "deviceNot", unreachable: "deviceUnreachable", damaged: "deviceDamaged", unsupported: "deviceUnsupported" };

/** @typedef {{key: import("./text.js").TextKey, values?: Record<string, string|number>}} Said */

/** How long it is waited for a camera's picture before it is looked for again. */
const LOOK_MS = 100;

/** @typedef {import("./tracker.js").Tracker|null|"undecided"|"stopped"} Decision The tracker; null: pictures are to be sent;
 *   `undecided`: something else was chosen meanwhile, which is to be asked for; `stopped`: it works no longer, and the learner is to
 *   choose whether pictures are sent. */

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
  /** Undefined until it has been asked for. @type {Promise<Decision>|undefined} */
  #tracker;
  /** Ends the tracker, or its loading. */
  #ending = new AbortController();
  /** Whether it was said, since this was chosen, that pictures stay here: none is sent then unless that is chosen. */
  #isPromised = false;
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
    if (JSON.stringify(offer) === JSON.stringify(this.#offer)) return;
    this.#offer = offer;
    byId("tracking").hidden = !offer.pictures || !(offer.landmarks || this.#isPromised);
    this.#begin();
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

  /** Begins anew with what was chosen. */
  renew() {
    this.#isPromised = false;
    this.#begin();
  }

  #begin() {
    this.#drop();
    this.#problem = undefined;
    byId("loading").hidden = true;
    this.#say({ key: this.isWanted ? "trackingText" : this.#otherwise });
  }

  /** What holds where nothing is found here. @returns {import("./text.js").TextKey} */
  get #otherwise() {
    return this.#offer?.pictures === "" ? "deviceOnly" : "privacy";
  }

  /**
   * The tracker, or what is to be done without. It is loaded and tried the first time, and again after it has stopped.
   * @param {HTMLVideoElement} video It plays what is tried, now or later.
   * @returns {Promise<Decision>}
   */
  async tracker(video) {
    const asked = (this.#tracker ??= this.isWanted ? this.#load(video, this.#ending.signal) : Promise.resolve(null));
    const decision = await asked;
    if (decision === "stopped" && this.#tracker === asked) this.#tracker = undefined;
    return decision;
  }

  /** The tracker has failed while it was at work. @param {string} reason */
  fail(reason) {
    this.#drop();
    this.#giveUp({ key: "deviceFailed", values: { reason } });
  }

  #drop() {
    this.#ending.abort();
    this.#ending = new AbortController();
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

  /** @param {HTMLVideoElement} video @param {AbortSignal} signal @returns {Promise<Decision>} */
  async #load(video, signal) {
    if (!this.#offer?.landmarks) return this.#giveUp({ key: "deviceNot" });
    this.#problem = undefined;
    const bar = byId("loading");
    Object.assign(bar, { hidden: false, value: 0 });
    this.#say({ key: "deviceLoading" });
    /** @type {Said} */
    let problem;
    try {
      const { Tracker } = await import("./tracker.js");
      const onProgress = (/** @type {number} */ loaded, /** @type {number} */ total) => (bar.value = loaded / total);
      const tracker = await Tracker.load({ onProgress, signal });
      this.#say({ key: "deviceTrying" });
      const rate = await rateOf(tracker, video);
      if (rate >= Device.leastRate) {
        bar.hidden = true;
        this.#isPromised = true;
        this.#say({ key: this.#isOfHands ? "privacyDevice" : "privacyDeviceAll" });
        return tracker;
      }
      tracker.close();
      problem = { key: "deviceSlow", values: { rate: decimal(rate) } };
    } catch (error) {
      if (signal.aborted) return "undecided";
      const { cause, message } = /** @type {import("./tracker.js").TrackerError} */ (error);
      const key = PROBLEMS[String(cause)];
      problem = key ? { key } : { key: "deviceFailed", values: { reason: message } };
    }
    bar.hidden = true;
    return this.#giveUp(problem);
  }

  /** @param {Said} problem @returns {null|"stopped"} */
  #giveUp(problem) {
    this.#problem = problem;
    const isStopped = this.#isPromised;
    this.#say({ key: isStopped && this.#offer?.pictures ? "deviceStopped" : this.#otherwise });
    return isStopped ? "stopped" : null;
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
  for (let tries = 0; tries < TRIES && best < Device.leastRate; ) {
    try {
      best = Math.max(best, await tryOnce(tracker, video));
      tries += 1;
    } catch (error) {
      if (/** @type {import("./tracker.js").TrackerError} */ (error).cause !== "no_picture") throw error;
      // The camera was turned off, or another one is turned on: that says nothing of the device.
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
  return best;
}

/** @param {import("./tracker.js").Tracker} tracker @param {HTMLVideoElement} video */
async function tryOnce(tracker, video) {
  const begin = performance.now();
  let [count, elapsed] = [0, 0];
  while (elapsed < TRY_MS) {
    await tracker.track(video, performance.now());
    count += 1;
    elapsed = performance.now() - begin;
  }
  return (1000 * count) / elapsed;
}
