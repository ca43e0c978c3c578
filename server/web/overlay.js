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
  #width = 1;
  #height = 1;

  /** @param {SVGSVGElement} svg It has the paths `.bones` and `.joints` of both `.left` and `.right`. */
  constructor(svg) {
    this.#svg = svg;
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    if (width === this.#width && height === this.#height) return;
    this.#width = width;
    this.#height = height;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  }

  /** @param {import("./client.js").Landmarks|null} landmarks */
  draw(landmarks) {
    for (const side of /** @type {const} */ (["left", "right"])) {
      const points = landmarks?.[`${side}_hand`];
      const at = points?.map(([x, y]) => `${(x * this.#width).toFixed(1)} ${(y * this.#height).toFixed(1)}`);
      const bones = at && STROKES.map((stroke) => `M ${stroke.map((joint) => at[joint]).join(" L ")}`).join(" ");
      const joints = at && at.map((point) => `M ${point} h 0`).join(" ");
      this.#svg.querySelector(`.${side} .bones`)?.setAttribute("d", bones ?? "");
      this.#svg.querySelector(`.${side} .joints`)?.setAttribute("d", joints ?? "");
    }
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
    return landmarks[`${side}_hand`]?.map(([x, y, z]) => [flip * x * this.#width, y * this.#height, z]);
  }
}
