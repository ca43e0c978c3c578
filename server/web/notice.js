/** The one thing that stands in the way now, shown over the camera's picture and told to screen readers. */

import { text } from "./text.js";

/** Brightness from 0 to 255 below which it is too dark, and above which it is not any more. */
const DARK = 32;
const BRIGHT = 44;
/** Share of the picture's width between the shoulders below which somebody is too far away. */
const FAR = 0.13;
/** Pictures without a hand before that is said: hands leave the picture between letters. */
const WITHOUT_HAND = 12;
/** Pictures with the other hand alone before it is asked whether that one should be drawn. */
const WITH_OTHER_HAND = 40;
/** How long a notice must stand before it is spoken. */
const SPOKEN_AFTER_MS = 900;

/** @typedef {{key: import("./text.js").TextKey, values?: Record<string, string|number>, tone: "wait"|"hint"|"bad"}} Notice */

/** Shows the most urgent of the notices that hold. */
export class NoticeBoard {
  #shown;
  #spoken;
  /** By urgency, the most urgent first. @type {Record<string, Notice|undefined>} */
  #notices = { camera: undefined, connection: undefined, light: undefined, hand: undefined };
  #key = "";
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #speaking;

  /**
   * @param {HTMLElement} shown Its text is set, and its data-tone.
   * @param {HTMLElement} spoken A live region.
   */
  constructor(shown, spoken) {
    this.#shown = shown;
    this.#spoken = spoken;
  }

  /** @param {"camera"|"connection"|"light"|"hand"} place @param {Notice} [notice] None takes it away. */
  set(place, notice) {
    this.#notices[place] = notice;
    this.show();
  }

  /** Shows what holds, in the language of now. */
  show() {
    const first = Object.values(this.#notices).find((one) => one);
    const shown = first ? text(first.key, first.values) : "";
    if (this.#shown.textContent === shown) return;
    this.#shown.textContent = shown;
    this.#shown.hidden = !first;
    this.#shown.dataset.tone = first?.tone ?? "";
    // Numbers that count are not spoken again and again, nor what has gone within a moment.
    const key = first?.key ?? "";
    if (key === this.#key) return;
    this.#key = key;
    clearTimeout(this.#speaking);
    this.#speaking = setTimeout(() => (this.#spoken.textContent = shown), SPOKEN_AFTER_MS);
  }

  /** Whether something worse than waiting is shown. */
  get isInTheWay() {
    return Object.values(this.#notices).some((notice) => notice && notice.tone !== "wait");
  }
}

/** Whether a video is too dark, judged by a few of its pixels. */
export class LightMeter {
  #context = Object.assign(document.createElement("canvas"), { width: 16, height: 12 }).getContext("2d", {
    willReadFrequently: true,
  });
  #isDark = false;

  /** @param {HTMLVideoElement} video @returns {Notice|undefined} */
  look(video) {
    const context = this.#context;
    if (!context || !video.videoWidth) return undefined;
    context.drawImage(video, 0, 0, 16, 12);
    const { data } = context.getImageData(0, 0, 16, 12);
    let sum = 0;
    // The eye's weights (ITU-R BT.601).
    for (let i = 0; i < data.length; i += 4) sum += 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    this.#isDark = sum / (data.length / 4) < (this.#isDark ? BRIGHT : DARK);
    return this.#isDark ? { key: "tooDark", tone: "hint" } : undefined;
  }
}

/** Whether there is a hand, and if not, why. */
export class HandWatch {
  #without = 0;

  /** @param {import("./client.js").Landmarks} landmarks @returns {Notice|undefined} */
  look({ pose, left_hand, right_hand }) {
    this.#without = left_hand || right_hand ? 0 : this.#without + 1;
    if (this.#without < WITHOUT_HAND) return undefined;
    const isFar = pose && Math.abs(pose[11][0] - pose[12][0]) < FAR;
    return { key: isFar ? "tooFar" : "noHand", tone: "hint" };
  }
}

/** Whether somebody spells with the other hand than the one that is drawn. Asked once. */
export class OtherHandWatch {
  #alone = 0;
  #wasAsked = false;

  /**
   * @param {import("./client.js").Landmarks} landmarks @param {"left"|"right"} drawn
   * @returns {boolean} True once, when it is time to ask.
   */
  look(landmarks, drawn) {
    const [own, other] = drawn === "left" ? ["left_hand", "right_hand"] : ["right_hand", "left_hand"];
    const isAlone = landmarks[/** @type {"left_hand"} */ (other)] && !landmarks[/** @type {"right_hand"} */ (own)];
    this.#alone = isAlone ? this.#alone + 1 : 0;
    if (this.#wasAsked || this.#alone < WITH_OTHER_HAND) return false;
    return (this.#wasAsked = true);
  }
}
