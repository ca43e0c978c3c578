/** A letter's hand in a `<canvas>`: seen from where one likes, moving if the letter moves. */

import { Picture } from "./paint.js";
import { held, moves } from "./poses.js";
import { bodyOf, poseAlong } from "./skeleton.js";

/** @typedef {import("./skeleton.js").Vector} Vector */
/** @typedef {import("./skeleton.js").Body} Body */
/** @typedef {"picture"|"own"|"opposite"|"side"} View As the learner's picture shows it, as they see it themselves, as
 *   somebody opposite sees it, from the side. */

/** @type {View[]} */
export const VIEWS = ["picture", "own", "opposite", "side"];
/** How far each view is turned about the upright, in degrees. @type {Record<View, number>} */
const TURNS = { picture: 0, own: 180, opposite: 0, side: -70 };
/** Times of a movement and of the rests before and after it. */
const MOVE_MS = 1900;
const SLOW_MS = 5000;
const REST_MS = 700;
/** Pictures a second of a movement. */
const RATE = 25;
/** Between the moments by which the place of a motion is found. */
const MOMENT_MS = 80;
/** Least side of what is shown, and the margin around the joints: one unit = wrist to middle knuckle. */
const LEAST = 1.6;
const MARGIN = 0.22;
/** Pixels of a canvas that is turned by a stroke over its whole width: half a turn. */
const HALF_TURN = 180;

/** Shows a letter, again whenever it, the view or the theme changes. */
export class HandPicture {
  #canvas;
  #context;
  #picture;
  #image;
  #letter = "";
  #isLeft = false;
  #isMirrored = false;
  /** @type {View} */
  #view = "picture";
  /** Degrees that the hand was turned by dragging. */
  #dragged = 0;
  /** @type {Set<string>} */
  #marked = new Set();
  #isSlow = false;
  #began = 0;
  #frame = 0;
  #follows = false;
  /** What is performed instead of a letter, and its last moment that was shown. @type {{paint: (ms: number) => void, ms: number}|undefined} */
  #performed;

  /** @param {HTMLCanvasElement} canvas Its colours are those of its borders, text and caret. */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.#picture = new Picture(canvas.width);
    this.#image = new ImageData(canvas.width, canvas.width);
  }

  /** Follows the theme and the learner's finger, from the first time on that it shows more than a still. */
  #follow() {
    if (this.#follows) return;
    this.#follows = true;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    this.#turnByDragging();
  }

  /** Whether the letter has a picture. @param {string} letter */
  static has(letter) {
    return letter in held || letter in moves;
  }

  /**
   * @param {string} letter
   * @param {{isLeft: boolean, isMirrored: boolean, view: View}} how A left hand; the learner's picture is mirrored.
   */
  show(letter, { isLeft, isMirrored, view }) {
    this.#follow();
    if (letter !== this.#letter) {
      this.#isSlow = false;
      this.#began = performance.now();
    }
    this.#letter = letter;
    this.#performed = undefined;
    this.#lookAt({ isLeft, isMirrored, view });
    this.#draw();
  }

  /**
   * Shows a motion once; its last moment stays.
   * @param {import("./motion.js").Motion} motion
   * @param {{isLeft: boolean, isMirrored: boolean, view: View}} how
   * @param {(letter: number) => void} [onLetter] Told each letter as it begins.
   */
  perform(motion, how, onLetter) {
    this.#follow();
    cancelAnimationFrame(this.#frame);
    this.#lookAt(how);
    const at = (/** @type {number} */ ms) => this.#seen(bodyOf(motion.poseAt(ms)));
    const moments = Array.from({ length: Math.ceil(motion.length / MOMENT_MS) }, (_, index) => at(index * MOMENT_MS));
    const around = frameAround(moments);
    const performed = { ms: 0, paint: (/** @type {number} */ ms) => this.#paint(at(ms), around) };
    this.#performed = performed;
    const began = performance.now();
    let letter = -1;
    const step = (/** @type {number} */ now) => {
      performed.ms = Math.min(Math.max(now - began, 0), motion.length);
      performed.paint(performed.ms);
      if (motion.letterAt(performed.ms) !== letter) onLetter?.((letter = motion.letterAt(performed.ms)));
      if (performed.ms < motion.length) this.#frame = requestAnimationFrame(step);
    };
    step(began);
  }

  /** Shows a letter without moving, as somebody opposite sees it. @param {string} letter @param {boolean} isLeft */
  still(letter, isLeft) {
    this.#lookAt({ isLeft, isMirrored: false, view: "opposite" });
    this.#paintStill(letter);
  }

  /** @param {{isLeft: boolean, isMirrored: boolean, view: View}} how */
  #lookAt({ isLeft, isMirrored, view }) {
    this.#isLeft = isLeft;
    this.#isMirrored = isMirrored;
    this.#view = view;
    this.#dragged = 0;
  }

  /** Marks the fingers that differ. @param {string[]} fingers */
  mark(fingers) {
    if (fingers.join() === [...this.#marked].join()) return;
    this.#marked = new Set(fingers);
    this.#draw();
  }

  /** Shows a movement from its beginning, slowly or not. @param {boolean} isSlow */
  play(isSlow) {
    this.#isSlow = isSlow;
    this.#began = performance.now();
    this.#draw(true);
  }

  /** Whether a letter moves. @param {string} letter */
  static moves(letter) {
    return letter in moves;
  }

  /** @param {boolean} isAsked A movement that was asked for is shown to everybody. */
  #draw(isAsked = false) {
    if (this.#performed) {
      this.#performed.paint(this.#performed.ms);
      return;
    }
    cancelAnimationFrame(this.#frame);
    const move = moves[this.#letter];
    if (!move || (!isAsked && matchMedia("(prefers-reduced-motion: reduce)").matches)) {
      this.#paintStill(this.#letter);
      return;
    }
    const { at, around, path } = this.#along(move);
    let last = -Infinity;
    const step = (/** @type {number} */ now) => {
      this.#frame = requestAnimationFrame(step);
      if (now - last < 1000 / RATE - 4) return;
      last = now;
      const length = this.#isSlow ? SLOW_MS : MOVE_MS;
      const share = (((now - this.#began) % (length + 2 * REST_MS)) - REST_MS) / length;
      this.#paint(at(share), around, path);
    };
    step(performance.now());
  }

  /** Of a letter that moves the first moment and the way. @param {string} letter */
  #paintStill(letter) {
    const [pose, move] = [held[letter], moves[letter]];
    if (move) {
      const { at, around, path } = this.#along(move);
      this.#paint(at(0), around, path);
    } else if (pose) {
      const body = this.#seen(bodyOf(pose));
      this.#paint(body, frameAround([body]));
    } else {
      this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.width);
    }
  }

  /** A movement as it is looked at. @param {import("./poses.js").Move} move */
  #along(move) {
    const at = (/** @type {number} */ share) => this.#seen(bodyOf(poseAlong(move.poses, share, move.isRound)));
    const steps = Array.from({ length: 33 }, (_, step) => at(step / 32));
    return { at, around: frameAround(steps), path: steps.map(({ joints }) => joints[move.tip]) };
  }

  /** @param {Body} body */
  #seen(body) {
    const isFlipped = this.#isLeft !== (this.#view === "picture" && this.#isMirrored);
    return lookedAt(body, TURNS[this.#view] + this.#dragged, isFlipped);
  }

  /** @param {Body} body @param {import("./paint.js").Frame} frame @param {Vector[]} [path] */
  #paint(body, frame, path) {
    const { width } = this.#canvas;
    const style = getComputedStyle(this.#canvas);
    const colour = (/** @type {string} */ value) =>
      /** @type {[number, number, number]} */ ((value.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number));
    const colours = {
      palm: colour(style.borderTopColor),
      back: colour(style.borderBottomColor),
      nail: colour(style.borderLeftColor),
      mark: colour(style.borderRightColor),
      line: colour(style.color),
    };
    this.#picture.draw(body, frame);
    this.#picture.colour(this.#image.data, colours, this.#marked, frame.size / width);
    this.#context.putImageData(this.#image, 0, 0);
    if (!path) return;
    const scale = width / frame.size;
    const points = path.map(([x, y]) => [(x - frame.left) * scale, (frame.top - y) * scale]);
    drawPath(this.#context, points, style.caretColor, 0.045 * scale);
  }

  #turnByDragging() {
    let from = NaN;
    this.#canvas.addEventListener("pointerdown", ({ clientX, pointerId }) => {
      from = clientX;
      this.#canvas.setPointerCapture(pointerId);
    });
    this.#canvas.addEventListener("pointermove", ({ clientX }) => {
      if (isNaN(from)) return;
      this.#dragged += (HALF_TURN * (clientX - from)) / this.#canvas.clientWidth;
      from = clientX;
      this.#draw();
    });
    for (const end of ["pointerup", "pointercancel"]) this.#canvas.addEventListener(end, () => (from = NaN));
  }
}

/**
 * A body as it is looked at.
 * @param {Body} body @param {number} turn Degrees about the upright @param {boolean} isFlipped As in a mirror
 * @returns {Body}
 */
export function lookedAt(body, turn, isFlipped) {
  const [cos, sin] = [Math.cos((turn * Math.PI) / 180), Math.sin((turn * Math.PI) / 180)];
  /** @param {Vector} v @returns {Vector} */
  const look = ([x, y, z]) => {
    const across = x * cos + z * sin;
    return [isFlipped ? -across : across, y, z * cos - x * sin];
  };
  const capsules = body.capsules.map((capsule) => ({
    ...capsule,
    from: look(capsule.from),
    to: look(capsule.to),
    palmar: look(capsule.palmar),
  }));
  const [up, palm, thumbSide, wrist] = [body.up, body.palm, body.thumbSide, body.wrist].map(look);
  return { joints: body.joints.map(look), capsules, up, palm, thumbSide, wrist };
}

/** The square that holds bodies. @param {Body[]} bodies @returns {import("./paint.js").Frame} */
export function frameAround(bodies) {
  const points = bodies.flatMap(({ joints }) => joints);
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const [left, right, bottom, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const size = Math.max(right - left, top - bottom, LEAST - 2 * MARGIN) + 2 * MARGIN;
  return { left: (left + right - size) / 2, top: (top + bottom + size) / 2, size };
}

/** @param {CanvasRenderingContext2D} context @param {number[][]} points @param {string} colour @param {number} width */
function drawPath(context, points, colour, width) {
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = width;
  context.lineCap = context.lineJoin = "round";
  context.setLineDash([width * 0.1, width * 2]);
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
  context.setLineDash([]);
  const [[x0, y0], [x1, y1]] = points.slice(-3).filter((_, index) => index !== 1);
  const angle = Math.atan2(y1 - y0, x1 - x0);
  context.beginPath();
  for (const [along, aside] of [[3, 0], [-1.5, 2.4], [-1.5, -2.4]]) {
    context.lineTo(x1 + width * (along * Math.cos(angle) - aside * Math.sin(angle)), y1 + width * (along * Math.sin(angle) + aside * Math.cos(angle)));
  }
  context.fill();
}
