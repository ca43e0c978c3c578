/** The hands' landmarks over the camera's picture, in the pixels of the pictures that were sent. */

/** Bones between the 21 landmarks, as strokes of a pen. */
const STROKES = [
  [0, 1, 2, 3, 4],
  [0, 5, 6, 7, 8],
  [9, 10, 11, 12],
  [13, 14, 15, 16],
  [0, 17, 18, 19, 20],
  [5, 9, 13, 17],
];

/** Draws into an `<svg>` that covers the video. */
export class Overlay {
  #svg;
  /** Width and height of the pictures. */
  #size = [1, 1];

  /** @param {SVGSVGElement} svg It has the paths `.bones` and `.joints` of both `.left` and `.right`. */
  constructor(svg) {
    this.#svg = svg;
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    if (width === this.#size[0] && height === this.#size[1]) return;
    this.#size = [width, height];
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  }

  /** @param {import("./client.js").Landmarks|null} landmarks */
  draw(landmarks) {
    for (const side of /** @type {const} */ (["left", "right"])) {
      const points = landmarks?.[`${side}_hand`];
      const at = points?.map(([x, y]) => `${(x * this.#size[0]).toFixed(1)} ${(y * this.#size[1]).toFixed(1)}`);
      const reach = points ? Math.hypot(...[0, 1].map((axis) => this.#size[axis] * (points[9][axis] - points[0][axis]))) : 0;
      const bones = at && STROKES.map((stroke) => `M ${stroke.map((joint) => at[joint]).join(" L ")}`).join(" ");
      const joints = at && at.map((point) => `M ${point} h 0`).join(" ");
      this.#set(`.${side} .bones`, bones, Math.max(1.5, reach / 18));
      this.#set(`.${side} .joints`, joints, Math.max(3, reach / 8));
    }
  }

  /** @param {string} selector @param {string|undefined} line @param {number} width */
  #set(selector, line, width) {
    const path = this.#svg.querySelector(selector);
    // Setting what is there already would have the browser paint it again.
    if (!line && !path?.getAttribute("d")) return;
    path?.setAttribute("d", line ?? "");
    path?.setAttribute("stroke-width", width.toFixed(1));
  }

  /**
   * A hand in pixels, as a right hand in the camera's view, for a comparison with a shape. The preferred hand, if both
   * are seen.
   * @param {import("./client.js").Landmarks} landmarks @param {"left"|"right"} preferred
   * @returns {number[][]|undefined}
   */
  handOf(landmarks, preferred) {
    const other = preferred === "left" ? "right" : "left";
    const side = landmarks[`${preferred}_hand`] ? preferred : other;
    const flip = side === "left" ? -1 : 1;
    return landmarks[`${side}_hand`]?.map(([x, y, z]) => [flip * x * this.#size[0], y * this.#size[1], z]);
  }
}
