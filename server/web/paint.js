/** Paints a hand's body: every pixel shows what is nearest to the viewer, so that what covers what is always right. */

import { FINGERS, add, cross, dot, scale, unit } from "./skeleton.js";

/** @typedef {import("./skeleton.js").Vector} Vector */
/** @typedef {{left: number, top: number, size: number}} Frame A square of the viewer's frame: its corner and its side. */
/** @typedef {[number, number, number]} Colour */
/** @typedef {{palm: Colour, back: Colour, nail: Colour, line: Colour, mark: Colour}} Colours */

/** Numbers of the parts in {@link Picture}; 0 is the background. @type {readonly string[]} */
export const PARTS = ["", "palm", ...FINGERS];
/** Step in depth from which a part stands out before another one. */
const STEP = 0.07;
/** The same within one part, which may be seen at a slant. */
const SELF_STEP = 0.2;
/** Half the width of the outline. */
const LINE = 0.012;

/** Details of the skin. */
const NAIL = 1;
const FOLD = 2;
/** Where the light comes from. */
const LIGHT = unit([-0.45, 0.6, 0.66]);

/** A painted hand: for each pixel the number of its part, its depth and what it is. */
export class Picture {
  /** First and last column, first and last row of what is drawn. */
  #box = [0, 0, 0, 0];

  /** @param {number} width Pixels of a side. */
  constructor(width) {
    this.width = width;
    this.parts = new Uint8Array(width * width);
    this.depth = new Float32Array(width * width);
    /** 0 = palm side to 255 = back. */
    this.side = new Uint8Array(width * width);
    /** Brightness, 0 to 255. */
    this.light = new Uint8Array(width * width);
    /** {@link NAIL}, {@link FOLD} or 0. */
    this.detail = new Uint8Array(width * width);
  }

  /** @param {import("./skeleton.js").Body} body @param {Frame} frame */
  draw(body, frame) {
    this.parts.fill(0);
    this.detail.fill(0);
    this.depth.fill(-Infinity);
    this.#box = [this.width, 0, this.width, 0];
    for (const capsule of body.capsules) this.#capsule(capsule, body, frame);
  }

  /** @param {import("./skeleton.js").Capsule} capsule @param {import("./skeleton.js").Body} body @param {Frame} frame */
  #capsule({ part, bone, from, to, fromRadius, toRadius, palmar }, body, { left, top, size }) {
    const { width } = this;
    const pixel = size / width;
    const number = PARTS.indexOf(part);
    const most = Math.max(fromRadius, toRadius);
    const first = (/** @type {number} */ least) => Math.max(0, Math.floor(least / pixel));
    const last = (/** @type {number} */ largest) => Math.min(width - 1, Math.ceil(largest / pixel));
    const [x0, x1] = [first(Math.min(from[0], to[0]) - most - left), last(Math.max(from[0], to[0]) + most - left)];
    const [y0, y1] = [first(top - Math.max(from[1], to[1]) - most), last(top - Math.min(from[1], to[1]) + most)];
    const [least, largest, highest, lowest] = this.#box;
    this.#box = [Math.min(least, x0), Math.max(largest, x1), Math.min(highest, y0), Math.max(lowest, y1)];
    const [dx, dy, dz, dr] = [to[0] - from[0], to[1] - from[1], to[2] - from[2], toRadius - fromRadius];
    const length = Math.hypot(dx, dy, dz);
    const axis = unit([dx, dy, dz]);
    const sideways = cross(axis, palmar);
    const isFinger = part !== "palm";
    // A sphere of growing radius that runs along the bone: its surface over a pixel is z(t) + sqrt(q(t)), q quadratic in t.
    const A = dr * dr - dx * dx - dy * dy;
    for (let row = y0; row <= y1; row += 1) {
      const py = top - (row + 0.5) * pixel - from[1];
      for (let column = x0; column <= x1; column += 1) {
        const px = left + (column + 0.5) * pixel - from[0];
        const B = 2 * (fromRadius * dr + px * dx + py * dy);
        const C = fromRadius * fromRadius - px * px - py * py;
        const t = nearest(A, B, C, dz);
        if (t < 0) continue;
        const high = Math.sqrt(Math.max(A * t * t + B * t + C, 0));
        const pz = t * dz + high;
        const index = row * width + column;
        // Two bones share the ball of their joint: the first one has it.
        if (from[2] + pz <= this.depth[index] + 1e-4) continue;
        this.depth[index] = from[2] + pz;
        this.parts[index] = number;
        const radius = fromRadius + t * dr;
        const [nx, ny, nz] = [(px - t * dx) / radius, (py - t * dy) / radius, high / radius];
        const facing = nx * palmar[0] + ny * palmar[1] + nz * palmar[2];
        this.side[index] = 255 * Math.min(1, Math.max(0, 0.5 - 2 * facing));
        this.light[index] = 255 * Math.max(0, 0.5 + 0.5 * (nx * LIGHT[0] + ny * LIGHT[1] + nz * LIGHT[2]));
        let detail = 0;
        if (isFinger) {
          const along = (px * axis[0] + py * axis[1] + pz * axis[2]) / length;
          const aside = nx * sideways[0] + ny * sideways[1] + nz * sideways[2];
          detail = detailOfFinger(bone, along, length, facing, aside);
        } else if (bone === 0 && facing > 0.2) {
          const fromWrist = add(add([px, py, pz], from), scale(body.wrist, -1));
          detail = creaseOfPalm(dot(fromWrist, body.thumbSide), dot(fromWrist, body.up));
        }
        this.detail[index] = detail;
      }
    }
  }

  /**
   * @param {Uint8ClampedArray} pixels RGBA
   * @param {Colours} colours
   * @param {ReadonlySet<string>} marked Parts in the colour of a mark.
   * @param {number} pixel Side of a pixel in the viewer's frame.
   */
  colour(pixels, colours, marked, pixel) {
    const { width, parts, depth } = this;
    const reach = Math.max(1, Math.round(LINE / pixel));
    const isMarked = PARTS.map((part) => marked.has(part));
    const across = reach * width;
    const upright = [-across, across];
    const around = [...upright, -reach, reach, -across - reach, across + reach, reach - across, across - reach];
    pixels.fill(0);
    const [least, largest, highest, lowest] = this.#box;
    const [first, last] = [Math.max(0, highest - reach), Math.min(width - 1, lowest + reach)];
    for (let index = first * width; index < (last + 1) * width; index += 1) {
      const column = index % width;
      if (column < least - reach || column > largest + reach) continue;
      const part = parts[index];
      let line = false;
      let lineMark = isMarked[part];
      const isInside = column >= reach && column < width - reach;
      for (const offset of isInside ? around : upright) {
        const other = parts[index + offset];
        // Beyond the first and the last row there is nothing to stand out from.
        if (other === undefined || (!part && !other)) continue;
        const isOther = part !== other;
        // Where a finger leaves the palm there is no line, nor where one finger bends smoothly.
        const isJoined = part && other && (!isOther || part === 1 || other === 1);
        const limit = isOther ? STEP : SELF_STEP;
        const step = isJoined ? Math.abs(depth[index] - depth[index + offset]) > limit * Math.max(1, reach / 2) : isOther;
        if (step) {
          line = true;
          lineMark ||= isMarked[other];
        }
      }
      const at = 4 * index;
      if (!part && !line) continue;
      pixels[at + 3] = 255;
      const ink = lineMark ? colours.mark : colours.line;
      const isNail = this.detail[index] === NAIL;
      const share = this.side[index] / 255;
      const bright = 0.74 + (0.34 * this.light[index]) / 255;
      // Marked flesh and folds of the skin are mixed with the colour of their line.
      const inked = line ? 1 : this.detail[index] === FOLD ? 0.5 : isMarked[part] && !isNail ? 0.35 : 0;
      for (let i = 0; i < 3; i += 1) {
        const flesh = isNail ? colours.nail[i] : colours.palm[i] + share * (colours.back[i] - colours.palm[i]);
        pixels[at + i] = bright * flesh * (1 - inked) + inked * ink[i];
      }
    }
  }
}

/** Where on [0, 1] the surface is highest, or -1 if the pixel is beside it. @param {number} A @param {number} B @param {number} C @param {number} dz */
function nearest(A, B, C, dz) {
  const ends = (/** @type {number} */ low, /** @type {number} */ high) => {
    const value = (/** @type {number} */ t) => t * dz + Math.sqrt(Math.max(A * t * t + B * t + C, 0));
    return value(low) >= value(high) ? low : high;
  };
  if (A > -1e-9) {
    const [isFirst, isLast] = [C >= 0, A + B + C >= 0];
    return isFirst && isLast ? ends(0, 1) : isFirst ? 0 : isLast ? 1 : -1;
  }
  const root = B * B - 4 * A * C;
  if (root < 0) return -1;
  const spread = Math.sqrt(root);
  const low = Math.max(0, (-B + spread) / (2 * A));
  const high = Math.min(1, (-B - spread) / (2 * A));
  if (low > high) return -1;
  // There the derivative dz + q'(t) / (2 sqrt q) is 0.
  const top = -B / (2 * A) + dz * Math.sqrt(-root / (4 * A * A * (A - dz * dz)));
  return Math.min(high, Math.max(low, top));
}

/** Nails and the folds of the joints. @param {number} bone @param {number} along 0 to 1 @param {number} length @param {number} facing @param {number} aside */
function detailOfFinger(bone, along, length, facing, aside) {
  if (bone === 2 || bone === 1) {
    const isLast = bone === 2;
    if (isLast && facing < 0) {
      const [u, v] = [(along - 0.82) / 0.42, aside / 0.68];
      const from = u * u + v * v;
      if (from < 0.7) return NAIL;
      if (from < 1.05) return FOLD;
    }
    const fromJoint = along * length;
    if (facing > 0.45 && Math.abs(fromJoint - 0.014) < 0.01) return FOLD;
    if (facing < -0.72 && (Math.abs(fromJoint - 0.02) < 0.009 || Math.abs(fromJoint - 0.052) < 0.009)) return FOLD;
  }
  return 0;
}

/** The lines of the palm. @param {number} x From the wrist to the thumb's side @param {number} y From the wrist to the fingers */
function creaseOfPalm(x, y) {
  const width = 0.012;
  const life = Math.abs(Math.hypot((x - 0.4) / 0.42, (y - 0.22) / 0.5) - 1) * 0.42;
  if (life < width && x < 0.33 && y > 0.1 && y < 0.75) return FOLD;
  const head = Math.abs(y - (0.6 - 0.18 * (0.3 - x) ** 2 - 0.12 * (0.3 - x)));
  if (head < width && x > -0.22 && x < 0.26) return FOLD;
  const heart = Math.abs(y - (0.66 + 0.35 * (x + 0.38) ** 2));
  return heart < width && x > -0.4 && x < 0.14 ? FOLD : 0;
}
