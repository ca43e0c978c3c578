/**
 * Hands: drawn from 21 landmarks, and compared finger by finger.
 *
 * Shapes (`shapes.json`) are right hands in the camera's view: x to the right, y down, smaller z = nearer, the wrist at
 * the origin, one unit = wrist to middle knuckle of a hand held upright.
 */

/** @typedef {number[]} Point x, y and z */
/** @typedef {{hand: Point[], path?: [number, number][]}} Shape */
/** @typedef {"thumb"|"index"|"middle"|"ring"|"little"} Finger */

/** Landmarks of each finger, from the palm to the tip. @type {Record<Finger, number[]>} */
export const FINGERS = {
  thumb: [1, 2, 3, 4],
  index: [5, 6, 7, 8],
  middle: [9, 10, 11, 12],
  ring: [13, 14, 15, 16],
  little: [17, 18, 19, 20],
};
const FINGER_NAMES = /** @type {Finger[]} */ (Object.keys(FINGERS));
/** Outline of the palm, and what hands are laid on each other by. */
const PALM = [0, 1, 5, 9, 13, 17];

/** Distances in units of the shapes from which a finger counts as different, and as more bent or straighter. */
const DIFFERENT = 0.1;
const REACH = 0.22;
/** Turn in radians from which the whole hand is held another way. */
const TURNED = 0.6;

const SVG = "http://www.w3.org/2000/svg";
const DRAWING_MS = 2200;
const PAUSE_MS = 700;

/**
 * What differs most between a hand and the shape it should have.
 * @param {Point[]} seen A right hand in the camera's view, in any unit.
 * @param {Point[]} wanted
 * @returns {{turn: boolean, fingers: {finger: Finger, how: "straighten"|"bend"|"move"}[]}} The two worst fingers at most.
 */
export function differences(seen, wanted) {
  const { hand, turn } = laidOn(seen, wanted);
  const worst = FINGER_NAMES.map((finger) => {
    const joints = FINGERS[finger];
    const moving = joints.slice(1);
    const distance = moving.reduce((sum, joint) => sum + length(hand[joint], wanted[joint]), 0) / moving.length;
    const reach = length(hand[joints[0]], hand[joints[3]]) - length(wanted[joints[0]], wanted[joints[3]]);
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

/** Draws a shape into an `<svg>`, and moves it along its path. */
export class HandPicture {
  #svg;
  #frame = 0;

  /** @param {SVGSVGElement} svg */
  constructor(svg) {
    this.#svg = svg;
  }

  /**
   * @param {Shape|undefined} shape None clears the picture.
   * @param {boolean} isFlipped As a left hand, or a right one in a mirror.
   */
  show(shape, isFlipped) {
    cancelAnimationFrame(this.#frame);
    this.#svg.replaceChildren();
    if (!shape) return;
    const hand = shape.hand.map(([x, y, z]) => [isFlipped ? -x : x, y, z]);
    const path = (shape.path ?? []).map(([x, y]) => [isFlipped ? -x : x, y]);
    this.#svg.setAttribute("viewBox", boxAround(hand, path));
    const tip = path.length && tipOf(hand);
    const drawn = element("g", { class: "hand" });
    this.#svg.append(drawn);
    drawHand(drawn, hand);
    if (tip) {
      const line = path.map(([x, y]) => `${tip[0] + x} ${tip[1] + y}`);
      this.#svg.append(
        element("path", { class: "stroke", d: `M ${line.join(" L ")}`, pathLength: "1" }),
        arrowHead(line.slice(-2)),
      );
      this.#animate(drawn, path);
    }
  }

  /** Marks the fingers that differ. @param {Finger[]} fingers */
  mark(fingers) {
    for (const finger of FINGER_NAMES) {
      this.#svg.querySelector(`.${finger}`)?.classList.toggle("different", fingers.includes(finger));
    }
  }

  /** @param {SVGElement} drawn @param {number[][]} path */
  #animate(drawn, path) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const step = (/** @type {number} */ now) => {
      const time = (now % (DRAWING_MS + 2 * PAUSE_MS)) - PAUSE_MS;
      const along = Math.min(Math.max(time / DRAWING_MS, 0), 1) * (path.length - 1);
      const from = path[Math.floor(along)];
      const to = path[Math.ceil(along)];
      const part = along % 1;
      const at = [0, 1].map((axis) => from[axis] + part * (to[axis] - from[axis]));
      drawn.setAttribute("transform", `translate(${at[0].toFixed(3)} ${at[1].toFixed(3)})`);
      this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }
}

/** The fingertip that draws: the one that is furthest from the wrist. @param {Point[]} hand */
function tipOf(hand) {
  return [8, 20].map((tip) => hand[tip]).sort((a, b) => length(b, hand[0]) - length(a, hand[0]))[0];
}

/** @param {Point[]} hand @param {number[][]} path */
function boxAround(hand, path) {
  const places = [[0, 0], ...path];
  const span = (/** @type {number} */ axis) => {
    const values = places.flatMap((place) => hand.map((point) => point[axis] + place[axis]));
    return [Math.min(...values), Math.max(...values)];
  };
  const [[left, right], [top, bottom]] = [span(0), span(1)];
  const margin = 0.3;
  return [left - margin, top - margin, right - left + 2 * margin, bottom - top + 2 * margin].join(" ");
}

/** Fingers that are nearer are drawn over those behind them. @param {SVGElement} into @param {Point[]} hand */
function drawHand(into, hand) {
  const outline = `M ${PALM.map((index) => at(hand[index])).join(" L ")} Z`;
  const depth = (/** @type {number[]} */ joints) =>
    joints.slice(1).reduce((sum, joint) => sum + (hand[joint][2] ?? 0), 0) / (joints.length - 1);
  const palm = element("g", { class: "palm" });
  palm.append(element("path", { class: "edge", d: outline }), element("path", { class: "flesh", d: outline }));
  const parts = FINGER_NAMES.map((finger) => {
    const joints = FINGERS[finger];
    const line = `M ${joints.map((joint) => at(hand[joint])).join(" L ")}`;
    const root = at(hand[joints[0]]);
    const group = element("g", { class: `finger ${finger}` });
    group.append(
      element("path", { class: "edge", d: line }),
      element("path", { class: "flesh", d: line }),
      // Hides the edge where the finger leaves the palm.
      element("path", { class: "root", d: `M ${root} h 0` }),
      element("path", { class: "bone", d: line }),
      element("path", { class: "joint", d: joints.map((joint) => `M ${at(hand[joint])} h 0`).join(" ") }),
    );
    return { group, depth: depth(joints) };
  });
  const palmDepth = depth([0, 5, 9, 13, 17]);
  parts.sort((a, b) => b.depth - a.depth);
  into.append(
    ...parts.filter((part) => part.depth > palmDepth + 0.15).map((part) => part.group),
    palm,
    ...parts.filter((part) => part.depth <= palmDepth + 0.15).map((part) => part.group),
  );
}

/** @param {string[]} lastTwo */
function arrowHead(lastTwo) {
  const [from, to] = lastTwo.map((point) => point.split(" ").map(Number));
  const angle = (Math.atan2(to[1] - from[1], to[0] - from[0]) * 180) / Math.PI;
  const turn = `translate(${to[0]} ${to[1]}) rotate(${angle.toFixed(1)})`;
  return element("path", { class: "arrow", d: "M -0.1 -0.12 L 0.1 0 L -0.1 0.12 Z", transform: turn });
}

/** @param {Point} point */
function at([x, y]) {
  return `${x} ${y}`;
}

/** @param {string} name @param {Record<string, string>} attributes @returns {SVGElement} */
function element(name, attributes) {
  const made = /** @type {SVGElement} */ (document.createElementNS(SVG, name));
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
