/** Hands in time: a letter that moves, and a word that is spelled. */

import { held, moves } from "./poses.js";
import { poseAlong } from "./skeleton.js";

/** @typedef {import("./skeleton.js").Pose} Pose */
/** @typedef {{length: number, poseAt: (ms: number) => Pose, letterAt: (ms: number) => number}} Motion Times in milliseconds; the
 *   letters are counted from 0. */

/** Of the time of a letter, the share in which it is held; the rest is the way to the next one. */
const HELD = 0.6;
/** Times of a letter that a movement takes, and the least for it: J and Z are not drawn in no time. */
const MOVING = 1.5;
const LEAST_MOVING_MS = 700;
/** How far the hand slides to its own side for a second equal letter. */
const SLIDE = 0.3;

/** Whether a word can be spelled. @param {string} word */
export function canSpell(word) {
  return [...word.toUpperCase()].every((letter) => letter in held || letter in moves);
}

/**
 * A word, letter by letter: each is held, then the hand goes to the next one. A second equal letter slides.
 * @param {string} word Of letters that {@link canSpell} knows.
 * @param {number} letterMs Time of a letter with the way to the next one.
 * @returns {Motion}
 */
export function spelled(word, letterMs) {
  const letters = [...word.toUpperCase()];
  /** @type {{from: number, to: number, letter: number, pose: (share: number) => Pose}[]} */
  const parts = [];
  let now = 0;
  const add = (/** @type {number} */ length, /** @type {number} */ letter, /** @type {(share: number) => Pose} */ pose) => {
    parts.push({ from: now, to: now + length, letter, pose });
    now += length;
  };
  let slid = 0;
  letters.forEach((letter, index) => {
    slid = index > 0 && letters[index - 1] === letter ? slid + SLIDE : 0;
    const aside = -slid;
    const shifted = (/** @type {Pose} */ pose) => {
      const [x, y, z] = pose.at ?? [0, 0, 0];
      return /** @type {Pose} */ ({ ...pose, at: [x + aside, y, z] });
    };
    const move = moves[letter];
    const [first, last] = move ? [move.poses[0], move.poses[move.poses.length - 1]] : [held[letter], held[letter]];
    const before = parts.at(-1)?.pose(1);
    if (before) add((1 - HELD) * letterMs, index, (share) => poseAlong([before, shifted(first)], share, false));
    if (move) {
      add(Math.max(LEAST_MOVING_MS, MOVING * letterMs), index, (share) => shifted(poseAlong(move.poses, share, move.isRound)));
    }
    add(HELD * letterMs * (move ? 0.4 : 1), index, () => shifted(last));
  });
  const partAt = (/** @type {number} */ ms) => parts.find(({ to }) => ms < to) ?? parts[parts.length - 1];
  return {
    length: now,
    poseAt: (ms) => {
      const { from, to, pose } = partAt(ms);
      return pose(Math.min(Math.max((ms - from) / (to - from), 0), 1));
    },
    letterAt: (ms) => partAt(ms).letter,
  };
}
