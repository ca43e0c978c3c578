/** The course of a practice: which letter is next, and when one is won. No page in it. */

/** Probability of the letter from which it counts as seen. */
export const THRESHOLD = 0.6;
/** How long it must be seen, in milliseconds. */
export const HOLD_MS = { calm: 1200, normal: 600, quick: 250 };

/**
 * The signs of a word: the word itself if it is one of the labels, else its letters.
 * @param {string} word
 * @param {string[]} labels Signs that the server knows.
 * @returns {string[]|undefined} Labels; none if one of them is not known.
 */
export function spell(word, labels) {
  const find = (/** @type {string} */ sign) => labels.find((label) => label.toLowerCase() === sign.toLowerCase());
  const whole = find(word);
  if (whole) return [whole];
  const signs = [...word].map(find);
  return signs.every((sign) => sign !== undefined) ? /** @type {string[]} */ (signs) : undefined;
}

/** One walk through words, letter by letter. */
export class Spelling {
  #labels;
  #words;
  /** @type {string[]} */
  #signs = [];
  #index = 0;
  /** Of those that are behind: whether it was skipped. @type {boolean[]} */
  #skipped = [];
  #probability = 0;
  /** Since when the probability is high enough. */
  #aboveSince = Infinity;
  /** Milliseconds that this letter could be seen, up to the moment since when it can now; NaN while it cannot. */
  #tried = 0;
  #triedSince = NaN;
  /** How long a letter must be held. */
  holdMs = HOLD_MS.normal;

  /**
   * @param {string[]} labels Signs that the server knows.
   * @param {() => string} nextWord Gives a word; words that cannot be spelled are passed over.
   */
  constructor(labels, nextWord) {
    this.#labels = labels;
    this.#words = nextWord;
    this.#takeWord();
  }

  /** The signs of the word. */
  get signs() {
    return this.#signs;
  }

  /** Which of them is to be shown now. */
  get index() {
    return this.#index;
  }

  get letter() {
    return this.#signs[this.#index] ?? "";
  }

  /** Probability of the letter when it was last told. */
  get probability() {
    return this.#probability;
  }

  /** The letter begins, again or for the first time. */
  begin() {
    this.#forget();
  }

  /** @param {number} probability @param {number} now */
  see(probability, now) {
    this.#probability = probability;
    if (probability < THRESHOLD) this.#aboveSince = Infinity;
    else this.#aboveSince = Math.min(this.#aboveSince, now);
  }

  /** How much of the time has been held, 0 to 1. @param {number} now */
  held(now) {
    return Math.min(Math.max((now - this.#aboveSince) / this.holdMs, 0), 1);
  }

  /** Whether the letter has been held long enough. @param {number} now */
  isWon(now) {
    return now - this.#aboveSince >= this.holdMs;
  }

  /** Says whether the letter could be seen from now on: the hand is watched, and so is the page. @param {boolean} can @param {number} now */
  watch(can, now) {
    this.#tried = this.elapsed(now);
    this.#triedSince = can ? now : NaN;
  }

  /** Milliseconds that the letter could be seen since it began. @param {number} now */
  elapsed(now) {
    return this.#tried + (isNaN(this.#triedSince) ? 0 : now - this.#triedSince);
  }

  /** Whether a letter that is behind was skipped. @param {number} index */
  isSkipped(index) {
    return this.#skipped[index] ?? false;
  }

  /** Goes to a letter of a word, as an earlier visit left it. @param {string} word @param {number} index */
  resume(word, index) {
    const signs = spell(word, this.#labels);
    if (!signs || !(index >= 0 && index < signs.length)) return;
    this.#signs = signs;
    this.restart();
    this.#index = index;
  }

  /** Begins the word again. */
  restart() {
    this.#forget();
    this.#index = 0;
    this.#skipped = [];
  }

  /** Goes on to the next letter; true if that is the first one of another word. @param {boolean} isSkip */
  advance(isSkip = false) {
    this.#forget();
    this.#skipped[this.#index] = isSkip;
    this.#index += 1;
    if (this.#index < this.#signs.length) return false;
    this.#takeWord();
    return true;
  }

  #forget() {
    this.#probability = 0;
    this.#aboveSince = Infinity;
    this.#tried = 0;
    this.#triedSince = NaN;
  }

  #takeWord() {
    this.#index = 0;
    this.#skipped = [];
    for (let tries = 0; tries < 100; tries += 1) {
      const signs = spell(this.#words(), this.#labels);
      if (signs) {
        this.#signs = signs;
        return;
      }
    }
    this.#signs = this.#labels.slice(0, 1);
  }
}

/**
 * Gives the words of a list one after the other, over and over.
 * @param {string[]} list @param {string} [first] The word to begin with, if it is one of them.
 */
export function inOrder(list, first = "") {
  let index = Math.max(0, list.findIndex((word) => word.toLowerCase() === first.toLowerCase())) - 1;
  return () => list[(index = (index + 1) % list.length)];
}

/** Gives the words of a list in any order, none twice in a row. @param {string[]} list */
export function shuffled(list) {
  let last = "";
  return () => {
    const others = list.length > 1 ? list.filter((word) => word !== last) : list;
    last = others[Math.floor(Math.random() * others.length)];
    return last;
  };
}
