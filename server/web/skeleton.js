/**
 * A hand as bones: from joint angles to 21 landmarks, and to the capsules that are its flesh.
 *
 * The hand's own frame is that of a right hand held upright, palm to the viewer: x to the thumb's side, y to the fingertips,
 * z out of the palm; the wrist is at the origin, one unit = wrist to middle knuckle. The viewer's frame has x to the right,
 * y up and z towards the viewer. Angles are in degrees.
 */

/** @typedef {[number, number, number]} Vector */
/** @typedef {"thumb"|"index"|"middle"|"ring"|"little"} Finger */
/**
 * @typedef {object} Pose
 * @property {[number, number][]} thumb Where its three bones point: turned from y to x, and raised out of the palm.
 * @property {Vector} [nail] Where the thumb's nail faces, in the hand's frame.
 * @property {number[]} index Spread towards the thumb; bent at knuckle, middle joint and last joint; and, if it is bent at the
 *   knuckle, pushed aside towards the thumb.
 * @property {number[]} middle
 * @property {number[]} ring
 * @property {number[]} little
 * @property {Vector} [up] Where the palm's y points in the viewer's frame.
 * @property {Vector} [palm] Where the palm faces in the viewer's frame.
 * @property {Vector} [arm] Where the forearm goes from the wrist in the viewer's frame.
 * @property {Vector} [at] Where the wrist is in the viewer's frame.
 */
/** @typedef {{part: Finger|"palm", bone: number, from: Vector, to: Vector, fromRadius: number, toRadius: number, palmar: Vector}} Capsule
 *   `bone`: 0 to 2 from the knuckle, -1 where there is none; `palmar`: where its palm side faces. */
/** @typedef {{joints: Vector[], capsules: Capsule[], up: Vector, palm: Vector, thumbSide: Vector, wrist: Vector}} Body
 *   All in the viewer's frame: the 21 landmarks, the flesh, and where the hand's own y, z and x point. */

/** @type {Finger[]} */
export const FINGERS = ["thumb", "index", "middle", "ring", "little"];

/** Knuckles, lengths of the bones from there, and radii at both ends of each. */
const SIZES = {
  index: { knuckle: [0.27, 0.95, 0], bones: [0.43, 0.26, 0.2], radii: [0.115, 0.105, 0.097, 0.082] },
  middle: { knuckle: [0.05, 1, -0.02], bones: [0.47, 0.3, 0.21], radii: [0.117, 0.108, 0.1, 0.083] },
  ring: { knuckle: [-0.16, 0.95, 0], bones: [0.43, 0.28, 0.21], radii: [0.112, 0.103, 0.095, 0.08] },
  little: { knuckle: [-0.34, 0.84, 0.04], bones: [0.33, 0.2, 0.18], radii: [0.1, 0.09, 0.083, 0.07] },
};
const THUMB = { root: [0.2, 0.16, 0.06], bones: [0.38, 0.32, 0.25], radii: [0.16, 0.128, 0.112, 0.09] };
const THUMB_NAIL = /** @type {Vector} */ ([0.75, 0.3, 0.6]);
const ARM = 1.1;

/** @param {Vector} a @param {Vector} b @returns {Vector} */
export const add = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
/** @param {Vector} a @param {number} by @returns {Vector} */
export const scale = (a, by) => [a[0] * by, a[1] * by, a[2] * by];
/** @param {Vector} a @param {Vector} b */
export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
/** @param {Vector} a @param {Vector} b @returns {Vector} */
export const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
/** @param {Vector} a @returns {Vector} */
export const unit = (a) => scale(a, 1 / (Math.hypot(...a) || 1));
/** What is left of `a` at a right angle to the unit vector `b`. @param {Vector} a @param {Vector} b @returns {Vector} */
const across = (a, b) => unit(add(a, scale(b, -dot(a, b))));
const sin = (/** @type {number} */ degrees) => Math.sin((degrees * Math.PI) / 180);
const cos = (/** @type {number} */ degrees) => Math.cos((degrees * Math.PI) / 180);

/** The hand of a pose. @param {Pose} pose @returns {Body} */
export function bodyOf(pose) {
  const up = unit(pose.up ?? [0, 1, 0]);
  const palm = across(pose.palm ?? [0, 0, 1], up);
  const thumbSide = cross(up, palm);
  const wrist = pose.at ?? [0, 0, 0];
  /** @param {Vector} v @returns {Vector} */
  const turned = ([x, y, z]) => add(add(scale(thumbSide, x), scale(up, y)), scale(palm, z));
  /** @type {Vector[]} */
  const joints = [wrist];
  /** @type {Capsule[]} */
  const capsules = [];
  /** @param {Finger} part @param {Vector} root @param {Vector[]} bones @param {number[]} radii @param {Vector[]} palmar */
  const limb = (part, root, bones, radii, palmar) => {
    let from = add(wrist, turned(root));
    joints.push(from);
    bones.forEach((bone, index) => {
      const to = add(from, turned(bone));
      joints.push(to);
      // The ball of the thumb is part of the palm.
      const isPalm = part === "thumb" && index === 0;
      capsules.push({ part: isPalm ? "palm" : part, bone: isPalm ? -1 : index, from, to,
        fromRadius: radii[index], toRadius: radii[index + 1], palmar: turned(isPalm ? [0, 0, 1] : palmar[index]) });
      from = to;
    });
  };

  const thumbBones = pose.thumb.map(([aside, raised]) => /** @type {Vector} */ (
    [sin(aside) * cos(raised), cos(aside) * cos(raised), sin(raised)]));
  const nail = pose.nail ?? THUMB_NAIL;
  limb("thumb", /** @type {Vector} */ (THUMB.root), thumbBones.map((bone, index) => scale(bone, THUMB.bones[index])),
    THUMB.radii, thumbBones.map((bone) => scale(across(nail, bone), -1)));
  for (const part of /** @type {const} */ (["index", "middle", "ring", "little"])) {
    const { knuckle, bones, radii } = SIZES[part];
    const [spread, ...bends] = pose[part];
    const along = /** @type {Vector} */ ([sin(spread), cos(spread), 0]);
    const inward = across([sin(bends[3] ?? 0), 0, cos(bends[3] ?? 0)], along);
    let bend = 0;
    const palmar = /** @type {Vector[]} */ ([]);
    const limbs = bones.map((length, index) => {
      bend += bends[index];
      palmar.push(add(scale(along, -sin(bend)), scale(inward, cos(bend))));
      return scale(add(scale(along, cos(bend)), scale(inward, sin(bend))), length);
    });
    limb(part, /** @type {Vector} */ (knuckle), limbs, radii, palmar);
  }
  /** @param {Vector} from @param {Vector} to @param {number} fromRadius @param {number} toRadius */
  const flesh = (from, to, fromRadius, toRadius) => {
    capsules.push({ part: "palm", bone: 0, from: add(wrist, turned(from)), to: add(wrist, turned(to)), fromRadius, toRadius, palmar: palm });
  };
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    // From the wrist to the row of knuckles, which is a little curved.
    const x = 0.27 - 0.6 * share;
    flesh([0.14 - 0.3 * share, 0.08, 0], [x, 0.95 - 0.13 * share * share + 0.03 * sin(180 * share), 0.03 * share], 0.15, 0.12);
  }
  const arm = unit(pose.arm ?? scale(up, -1));
  capsules.push({ part: "palm", bone: -1, from: add(wrist, turned([-0.01, 0.02, 0])), to: add(wrist, scale(arm, ARM)),
    fromRadius: 0.22, toRadius: 0.25, palmar: palm });
  return { joints, capsules, up, palm, thumbSide, wrist };
}

/**
 * The landmarks as a tracker gives them: x to the right, y down, smaller z = nearer.
 * @param {Pose} pose @returns {number[][]} 21 points of a right hand as a camera sees it.
 */
export function landmarksOf(pose) {
  return bodyOf(pose).joints.map(([x, y, z]) => [x, -y, -z]);
}

/** What a pose leaves open. @param {Pose} pose @returns {Required<Pose>} */
function full(pose) {
  const up = pose.up ?? [0, 1, 0];
  return { nail: THUMB_NAIL, palm: [0, 0, 1], arm: scale(up, -1), at: [0, 0, 0], ...pose, up };
}

/**
 * The pose at a place of a way through poses.
 * @param {Pose[]} poses @param {number} share 0 = the first one to 1 = the last one.
 * @param {boolean} isRound Along a curve (Catmull and Rom 1974), else straight, resting at each pose.
 * @returns {Pose}
 */
export function poseAlong(poses, share, isRound) {
  const place = Math.min(Math.max(share, 0), 1) * (poses.length - 1);
  const index = Math.min(Math.floor(place), poses.length - 2);
  const t = place - index;
  const weights = isRound
    ? [-t + 2 * t * t - t * t * t, 2 - 5 * t * t + 3 * t * t * t, t + 4 * t * t - 3 * t * t * t, t * t * t - t * t].map((weight) => weight / 2)
    : [0, 1 - t * t * (3 - 2 * t), t * t * (3 - 2 * t), 0];
  const near = [-1, 0, 1, 2].map((offset) => full(poses[Math.min(Math.max(index + offset, 0), poses.length - 1)]));
  /** @param {any[]} values @returns {any} */
  const mixed = (values) =>
    typeof values[0] === "number"
      ? values.reduce((sum, value, which) => sum + weights[which] * value, 0)
      : values[1].map((/** @type {any} */ _, /** @type {number} */ item) => mixed(values.map((value) => value[item] ?? 0)));
  const turns = near.map(turnOf);
  /** @type {number[]} */
  const turn = [0, 1, 2, 3].map((axis) =>
    turns.reduce((sum, other, which) => sum + weights[which] * other[axis] * (nearness(other, turns[1]) < 0 ? -1 : 1), 0));
  const names = /** @type {(keyof Pose)[]} */ (Object.keys(near[1]));
  const pose = Object.fromEntries(names.map((name) => [name, mixed(near.map((pose) => pose[name]))]));
  return /** @type {any} */ ({ ...pose, ...directionsOf(turn) });
}

/** @param {number[]} a @param {number[]} b */
const nearness = (a, b) => a.reduce((sum, value, axis) => sum + value * b[axis], 0);

/** How a hand is turned, as a unit quaternion [w, x, y, z] (Shepperd 1978). @param {Required<Pose>} pose */
function turnOf(pose) {
  const up = unit(pose.up);
  const palm = across(pose.palm, up);
  const m = [cross(up, palm), up, palm];
  const trace = m[0][0] + m[1][1] + m[2][2];
  const sizes = [trace, m[0][0], m[1][1], m[2][2]];
  const largest = sizes.indexOf(Math.max(...sizes));
  // Columns of the matrix are the axes: m[column][row].
  const [a, b, c] = [m[1][2] - m[2][1], m[2][0] - m[0][2], m[0][1] - m[1][0]];
  const [d, e, f] = [m[0][1] + m[1][0], m[2][0] + m[0][2], m[1][2] + m[2][1]];
  const turn = [
    [1 + trace, a, b, c],
    [a, 1 + 2 * m[0][0] - trace, d, e],
    [b, d, 1 + 2 * m[1][1] - trace, f],
    [c, e, f, 1 + 2 * m[2][2] - trace],
  ][largest];
  const length = Math.hypot(...turn);
  return turn.map((value) => value / length);
}

/** @param {number[]} turn A quaternion of any length. @returns {{up: Vector, palm: Vector}} */
function directionsOf(turn) {
  const length = Math.hypot(...turn) || 1;
  const [w, x, y, z] = turn.map((value) => value / length);
  return {
    up: [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
    palm: [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
  };
}
