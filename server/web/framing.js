/** Whether the camera sees what it must: the whole hand, and the shoulders near enough, or nothing but the hand. */

import { text } from "./text.js";

/** Share of the picture's width between the shoulders from which somebody is near enough. */
const NEAR = 0.16;
/** Share of the picture at its edges in which nothing should lie. */
const EDGE = 0.02;
/** Pictures in a row in which all is well before the check ends. */
const STEADY = 8;
const STORED = "dactyl.framed";
/** Landmarks of the pose. */
const SHOULDERS = [11, 12];

/** @typedef {"framingBack"|"framingCloser"|"framingRaise"|"framingInside"|"framingGood"} Advice */
/** @typedef {{shoulders: boolean, near: boolean, hand: boolean, advice: Advice}} Framing What is well, and what to do next. */

/**
 * A hand without anybody, as close to the camera, is near enough, and needs no shoulders.
 * @param {import("./client.js").Landmarks} landmarks @returns {Framing}
 */
export function framingOf({ pose, left_hand, right_hand }) {
  const isInside = (/** @type {number[]} */ [x, y]) => x > EDGE && x < 1 - EDGE && y > EDGE && y < 1 - EDGE;
  const [left, right] = SHOULDERS.map((index) => pose?.[index]);
  const hands = [left_hand, right_hand].filter((hand) => hand !== null);
  const isAlone = pose === null && hands.length > 0;
  const shoulders = isAlone || (left !== undefined && right !== undefined && isInside(left) && isInside(right));
  const near = isAlone || (left !== undefined && right !== undefined && Math.abs(left[0] - right[0]) >= NEAR);
  const hand = hands.some((points) => points.every(isInside));
  const advice = !shoulders ? "framingBack" : !near ? "framingCloser" : !hands.length ? "framingRaise" : !hand ? "framingInside" : "framingGood";
  return { shoulders, near, hand, advice };
}

/** @param {string} id */
const byId = (id) => /** @type {any} */ (document.getElementById(id));

/** The check before the first letter. */
export class FramingView {
  #steady = 0;
  #onEnd;

  /** @param {() => void} onEnd Called when all is well, or when the learner goes on without. */
  constructor(onEnd) {
    this.#onEnd = onEnd;
    byId("framing-skip").addEventListener("click", () => this.#end());
  }

  /** Whether the check was gone through at an earlier visit. */
  static get isKnown() {
    return localStorage.getItem(STORED) !== null;
  }

  get isOpen() {
    return !byId("framing").hidden;
  }

  begin() {
    this.#steady = 0;
    byId("framing").hidden = false;
    document.body.classList.add("framing");
    this.#show({ shoulders: false, near: false, hand: false });
    byId("framing-advice").textContent = "";
  }

  /** Leaves the check without an answer, as when the camera goes. */
  leave() {
    byId("framing").hidden = true;
    document.body.classList.remove("framing");
  }

  /** @param {import("./client.js").Landmarks} landmarks */
  look(landmarks) {
    if (!this.isOpen) return;
    const framing = framingOf(landmarks);
    this.#show(framing);
    const advice = text(framing.advice);
    if (byId("framing-advice").textContent !== advice) byId("framing-advice").textContent = advice;
    this.#steady = framing.advice === "framingGood" ? this.#steady + 1 : 0;
    if (this.#steady >= STEADY) this.#end();
  }

  /** @param {Omit<Framing, "advice">} framing */
  #show(framing) {
    const checks = /** @type {const} */ ([["shoulders", "framingShoulders"], ["near", "framingNear"], ["hand", "framingHand"]]);
    for (const [name, key] of checks) {
      const item = byId(`framing-${name}`);
      item.classList.toggle("done", framing[name]);
      const shown = text(framing[name] ? "framingDone" : "framingOpen", { check: text(key) });
      if (item.textContent !== shown) item.textContent = shown;
    }
  }

  #end() {
    localStorage.setItem(STORED, "yes");
    this.leave();
    this.#onEnd();
  }
}
