/** Words in one go: what makes an equal letter a new one, and how quickly the letters follow each other. No page in it. */

/** How long a letter must be seen in a word that flows, in milliseconds. */
export const FLOW_HOLD_MS = 150;
/** Share of the hand's length, wrist to middle knuckle, that it moves for a second equal letter. */
const MOVED = 0.2;

/** A second equal letter: it counts once the hand has slid or bounced, or the letter was gone for a moment. */
export class Repeat {
  #from;
  #isNew = false;

  /** @param {number[][]|undefined} hand Landmarks where the first letter was won. */
  constructor(hand) {
    this.#from = hand;
  }

  /** @param {number[][]|undefined} hand @param {boolean} isSeen Whether the letter is seen @returns {boolean} From then on true. */
  look(hand, isSeen) {
    this.#from ??= hand;
    if (!isSeen || !hand || !this.#from) this.#isNew ||= !isSeen;
    else this.#isNew ||= distance(hand[0], this.#from[0]) > MOVED * distance(hand[0], hand[9]);
    return this.#isNew;
  }
}

/** The times between the letters of a word. */
export class Pace {
  /** @type {{letter: string, at: number}[]} */
  #wins = [];

  /** @param {string} letter @param {number} now In milliseconds */
  won(letter, now) {
    this.#wins.push({ letter, at: now });
  }

  /** A letter was left out: what was before says nothing of the next one. */
  begin() {
    this.#wins = [];
  }

  /** Letters a minute, from the first one on; none before the second one. @returns {number|undefined} */
  get rate() {
    const steps = this.#wins.length - 1;
    return steps > 0 ? (60_000 * steps) / (this.#wins[steps].at - this.#wins[0].at) : undefined;
  }

  /** The longest step from one letter to the next. @returns {{from: string, to: string, seconds: number}|undefined} */
  get longest() {
    const steps = this.#wins.slice(1).map(({ letter, at }, index) => {
      const before = this.#wins[index];
      return { from: before.letter, to: letter, seconds: (at - before.at) / 1000 };
    });
    return steps.sort((a, b) => b.seconds - a.seconds)[0];
  }
}

/** @param {number[]} a @param {number[]} b */
function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}
