/**
 * The 26 letters of the American manual alphabet as poses of a right hand, seen by somebody opposite. J and Z move through
 * their poses.
 */

/** @typedef {import("./skeleton.js").Pose} Pose */
/** @typedef {{poses: Pose[], isRound: boolean, tip: number}} Move `isRound`: along a curve, else in straight strokes that rest at
 *   their ends. `tip`: the landmark that draws. */

/** @type {Record<string, Pose>} */
export const held = {
  A: {
    thumb: [[41, 27], [8, 22], [4, 14]],
    index: [0, 75, 106, 50], middle: [0, 74, 105, 50], ring: [0, 76, 103, 50], little: [0, 76, 100, 50],
  },
  B: {
    thumb: [[29, 23], [-35, 15], [-62, -15]],
    index: [0, 2, 3, 2], middle: [0, 2, 3, 2], ring: [0, -1, 4, 2], little: [3, 8, 5, 3],
  },
  C: {
    thumb: [[60, 64], [36, 56], [10, 24]],
    index: [-3, 12, 44, 30], middle: [-1, 26, 56, 40], ring: [0, 27, 55, 38], little: [2, 29, 48, 30],
    up: [0.1, 1, 0], palm: [0.85, 0, 0.53],
  },
  D: {
    thumb: [[17, 58], [-18, 46], [-37, 21]],
    index: [0, 2, 4, 1], middle: [0, 62, 82, 47], ring: [1, 59, 77, 31], little: [3, 50, 58, 34],
    palm: [0.75, 0, 0.65],
  },
  E: {
    thumb: [[11, 33], [-37, 8], [-86, -9]],
    index: [2, 54, 109, 46], middle: [0, 43, 103, 57], ring: [0, 33, 108, 53], little: [0, 45, 103, 57, 3],
  },
  F: {
    thumb: [[42, 43], [13, 45], [-4, 29]],
    index: [4, 57, 64, 31], middle: [0, 4, 8, 4], ring: [-6, 2, 6, 3], little: [-14, 0, 5, 3],
    palm: [0.6, 0, 0.8],
  },
  G: {
    thumb: [[42, 8], [18, 4], [2, 2]],
    index: [1, 14, 8, 2], middle: [0, 74, 105, 50], ring: [0, 76, 103, 50], little: [0, 76, 100, 50],
    up: [1, -0.1, 0.15], palm: [0.1, 0.3, -0.95], arm: [-0.8, -0.6, 0],
  },
  H: {
    thumb: [[25, 40], [-31, 37], [-61, 16]],
    index: [0, 2, 4, 2], middle: [1, 3, 4, 2], ring: [0, 75, 97, 50], little: [0, 76, 101, 50],
    up: [1, 0.1, 0.1], palm: [0, 0.1, -1], arm: [-0.8, -0.6, 0],
  },
  I: {
    thumb: [[27, 43], [-24, 48], [-64, 13]],
    index: [0, 81, 99, 50], middle: [0, 77, 101, 50], ring: [0, 76, 103, 50], little: [-3, 2, 4, 3],
  },
  K: {
    thumb: [[13, 18], [-10, 21], [-16, 9]],
    index: [4, 2, 3, 2], middle: [-8, 58, 6, 5], ring: [0, 76, 103, 50], little: [0, 76, 100, 50],
    palm: [-0.15, 0, 0.99],
  },
  L: {
    thumb: [[65, 8], [82, 0], [84, -4]], nail: [0, 0.6, -0.8],
    index: [0, 2, 3, 2], middle: [0, 74, 105, 50], ring: [0, 76, 103, 50], little: [0, 76, 100, 50],
  },
  M: {
    thumb: [[-9, 35], [-52, 22], [-70, 6]], nail: [-0.3, 0.3, 0.9],
    index: [0, 72, 109, 15], middle: [1, 70, 92, 9], ring: [0, 60, 88, 14, -1], little: [0, 84, 107, 46, -20],
  },
  N: {
    thumb: [[-10, 25], [-22, 15], [-19, 16]], nail: [0.3, 0.2, 0.95],
    index: [3, 79, 104, 22, 9], middle: [1, 74, 95, 18, 11], ring: [-2, 84, 99, 48, -11], little: [-2, 90, 98, 48, -16],
  },
  O: {
    thumb: [[1, 53], [-21, 58], [-13, 26]],
    index: [0, 67, 59, 23], middle: [4, 65, 74, 47], ring: [-11, 70, 62, 24], little: [1, 66, 37, 22],
    up: [0.12, 1, 0], palm: [0.8, 0, 0.6],
  },
  P: {
    thumb: [[14, 8], [-7, 28], [-6, 34]], nail: [0.6, 0.2, -0.8],
    index: [5, 0, 3, 2], middle: [-6, 80, 8, 5], ring: [0, 88, 97, 50], little: [0, 88, 94, 50],
    up: [0.4, -0.1, 0.91], palm: [0.18, -0.97, -0.19], arm: [-0.85, -0.1, -0.45],
  },
  Q: {
    thumb: [[42, 8], [18, 4], [2, 2]],
    index: [1, 14, 8, 2], middle: [0, 74, 105, 50], ring: [0, 76, 103, 50], little: [0, 76, 100, 50],
    up: [0.12, -0.99, 0.1], palm: [0.45, 0, -0.85], arm: [-1, -0.15, 0],
  },
  R: {
    thumb: [[22, 39], [-29, 41], [-66, 16]],
    index: [-12, 28, -12, -7], middle: [20, 3, 34, 0], ring: [0, 77, 96, 50], little: [0, 76, 100, 50],
  },
  S: {
    thumb: [[17, 42], [-4, 42], [-71, 14]],
    index: [0, 69, 109, 50], middle: [0, 69, 107, 50], ring: [0, 75, 102, 50], little: [0, 78, 101, 50],
  },
  T: {
    thumb: [[20, 22], [-20, 19], [-10, 22]], nail: [0.3, 0, 0.95],
    index: [0, 67, 92, 34, 11], middle: [0, 78, 103, 50, -8], ring: [0, 73, 95, 50, -8], little: [0, 89, 99, 50, -6],
  },
  U: {
    thumb: [[24, 39], [-30, 41], [-66, 15]],
    index: [0, 7, 0, -1], middle: [2, 3, 8, 2], ring: [0, 76, 95, 50], little: [0, 76, 100, 50],
  },
  V: {
    thumb: [[25, 39], [-30, 40], [-66, 17]],
    index: [12, 1, 3, 2], middle: [-11, 2, 3, 2], ring: [0, 76, 95, 50], little: [0, 76, 101, 50],
  },
  W: {
    thumb: [[13, 42], [-47, 24], [-65, 8]],
    index: [11, 2, 3, 2], middle: [0, 2, 3, 2], ring: [-11, 2, 3, 2], little: [0, 64, 81, 43],
  },
  X: {
    thumb: [[15, 50], [-37, 51], [-70, -7]],
    index: [9, 6, 84, 56], middle: [0, 88, 97, 50], ring: [0, 88, 97, 50], little: [0, 84, 97, 50],
    palm: [0.34, 0, 0.94],
  },
  Y: {
    thumb: [[62, 12], [68, 4], [70, 0]], nail: [0, 0.6, -0.8],
    index: [0, 72, 105, 50], middle: [0, 74, 105, 50], ring: [0, 76, 103, 50], little: [-22, 2, 4, 3],
  },
};

/** The hand of Z. @type {Pose} */
const POINTING = {
  thumb: [[17, 49], [-40, 42], [-56, 4]],
  index: [0, 2, 4, 2], middle: [0, 80, 104, 50], ring: [0, 80, 103, 50], little: [0, 80, 100, 50],
};

/** @type {Record<string, Move>} */
export const moves = {
  // The little finger falls forwards, then the forearm turns the palm to the signer and the finger hooks up.
  J: {
    isRound: true,
    tip: 20,
    poses: [
      { ...held.I, at: [0, 0, 0], up: [0, 1, 0], palm: [0, 0, 1], arm: [0, -1, -0.1] },
      { ...held.I, at: [0, 0, 0], up: [0, 0.62, 0.78], palm: [0.05, -0.78, 0.62], arm: [0, -1, -0.1] },
      { ...held.I, at: [-0.05, -0.1, 0], up: [0.05, -0.35, 0.94], palm: [0.5, -0.85, -0.3], arm: [-0.05, -1, -0.1] },
      { ...held.I, at: [-0.25, -0.1, 0], up: [0.5, -0.3, 0.8], palm: [0.85, 0.1, -0.5], arm: [-0.15, -1, -0.1] },
      { ...held.I, at: [-0.4, 0, 0], up: [0.85, 0.2, 0.5], palm: [0.5, 0.3, -0.85], arm: [-0.25, -1, -0.1] },
    ],
  },
  // The signer's own Z: first stroke to the signer's right.
  Z: {
    isRound: false,
    tip: 8,
    poses: [
      { ...POINTING, at: [0.5, 0, 0], up: [0.15, 0.99, 0.15], palm: [0, -0.15, 0.99], arm: [0.1, -1, -0.1] },
      { ...POINTING, at: [-0.5, 0, 0], up: [-0.15, 0.99, 0.15], palm: [0, -0.15, 0.99], arm: [-0.1, -1, -0.1] },
      { ...POINTING, at: [0.5, -0.75, 0], up: [0.15, 0.96, 0.28], palm: [0, -0.28, 0.96], arm: [0.1, -1, -0.1] },
      { ...POINTING, at: [-0.5, -0.75, 0], up: [-0.15, 0.96, 0.28], palm: [0, -0.28, 0.96], arm: [-0.1, -1, -0.1] },
    ],
  },
};

export const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
