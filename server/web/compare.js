/** Compares a hand that is seen with the hand of a letter, finger by finger. */

import { held, moves } from "./poses.js";
import { FINGERS, landmarksOf } from "./skeleton.js";

/** @typedef {number[]} Point x, y and z */
/** @typedef {import("./skeleton.js").Finger} Finger */

/** What hands are laid on each other by. */
const PALM = [0, 1, 5, 9, 13, 17];

/** Distances, one unit = wrist to middle knuckle, from which a finger counts as different, and as more bent or straighter. */
const DIFFERENT = 0.14;
const REACH = 0.25;
/** Turn in radians from which the whole hand is held another way. */
const TURNED = 0.6;

/** Landmarks of a letter's hand, that of its first moment if it moves. @param {string} letter @returns {Point[]|undefined} */
export function handOf(letter) {
  const pose = held[letter] ?? moves[letter]?.poses[0];
  return pose && landmarksOf(pose);
}

/**
 * What differs most between a hand and the one of a letter.
 * @param {Point[]} seen A right hand in the camera's view, in any unit.
 * @param {Point[]} wanted As {@link handOf} gives it.
 * @returns {{turn: boolean, fingers: {finger: Finger, how: "straighten"|"bend"|"move"}[]}} The two worst fingers at most.
 */
export function differences(seen, wanted) {
  const { hand, turn } = laidOn(seen, wanted);
  const worst = FINGERS.map((finger, index) => {
    const base = 1 + 4 * index;
    const moving = [base + 1, base + 2, base + 3];
    const distance = moving.reduce((sum, joint) => sum + length(hand[joint], wanted[joint]), 0) / moving.length;
    const reach = length(hand[base], hand[base + 3]) - length(wanted[base], wanted[base + 3]);
    const how = /** @type {"straighten"|"bend"|"move"} */ (
      reach < -REACH ? "straighten" : reach > REACH ? "bend" : "move"
    );
    return { finger, how, distance };
  });
  const fingers = worst.filter(({ distance }) => distance > DIFFERENT).sort((a, b) => b.distance - a.distance);
  return { turn: Math.abs(turn) > TURNED, fingers: fingers.slice(0, 2).map(({ finger, how }) => ({ finger, how })) };
}

/** `seen` moved, turned and scaled so that its palm lies on the other's. @param {Point[]} seen @param {Point[]} wanted */
function laidOn(seen, wanted) {
  const centre = (/** @type {Point[]} */ hand, /** @type {number} */ axis) =>
    PALM.reduce((sum, index) => sum + hand[index][axis], 0) / PALM.length;
  const [fromX, fromY, toX, toY] = [centre(seen, 0), centre(seen, 1), centre(wanted, 0), centre(wanted, 1)];
  let [dot, cross, square] = [0, 0, 0];
  for (const index of PALM) {
    const [x, y] = [seen[index][0] - fromX, seen[index][1] - fromY];
    const [u, v] = [wanted[index][0] - toX, wanted[index][1] - toY];
    dot += x * u + y * v;
    cross += x * v - y * u;
    square += x * x + y * y;
  }
  const [a, b] = [dot / square, cross / square];
  const hand = seen.map(([x, y, z]) => {
    const [dx, dy] = [x - fromX, y - fromY];
    return [toX + a * dx - b * dy, toY + b * dx + a * dy, z];
  });
  return { hand, turn: Math.atan2(cross, dot) };
}

/** @param {Point} a @param {Point} b */
function length(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

