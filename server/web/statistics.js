/** What a learner has spelled so far, kept in this browser only. */

const KEY = "dactyl.statistics";
/** Seconds that a skip counts as, when the weakest letters are chosen. */
const SKIP_SECONDS = 20;

/** @typedef {{won: number, skipped: number, seconds: number}} Letter `seconds`: all that the won ones took. */

/** The numbers of every letter. */
export class Statistics {
  /** @type {Record<string, Letter>} */
  #letters = {};

  constructor() {
    this.#load();
    // Another tab practises too.
    addEventListener("storage", ({ key }) => {
      if (key === KEY || key === null) this.#load();
    });
  }

  /** Letters that were tried, in the alphabet's order. @returns {[string, Letter][]} */
  get letters() {
    return Object.entries(this.#letters).sort(([a], [b]) => a.localeCompare(b));
  }

  /** @param {string} letter @param {number} seconds */
  won(letter, seconds) {
    this.#change(letter, (numbers) => {
      numbers.won += 1;
      numbers.seconds += seconds;
    });
  }

  /** @param {string} letter */
  skipped(letter) {
    this.#change(letter, (numbers) => (numbers.skipped += 1));
  }

  /** Those of `labels` that take longest or were never tried, worst first. @param {string[]} labels @param {number} count */
  weakest(labels, count) {
    const cost = (/** @type {string} */ label) => {
      const numbers = this.#letters[label];
      if (!numbers) return SKIP_SECONDS / 2;
      return (numbers.seconds + SKIP_SECONDS * numbers.skipped) / (numbers.won + numbers.skipped);
    };
    return [...labels].sort((a, b) => cost(b) - cost(a)).slice(0, count);
  }

  erase() {
    this.#letters = {};
    localStorage.removeItem(KEY);
  }

  /** The numbers as a file. */
  export() {
    return new Blob([JSON.stringify({ letters: this.#letters }, null, 2)], { type: "application/json" });
  }

  /** @param {string} letter @param {(numbers: Letter) => void} change */
  #change(letter, change) {
    this.#load();
    change((this.#letters[letter] ??= { won: 0, skipped: 0, seconds: 0 }));
    localStorage.setItem(KEY, JSON.stringify(this.#letters));
  }

  #load() {
    this.#letters = readStored(KEY);
  }
}

/** What was stored under a key, if it can still be read. @param {string} key @returns {Record<string, any>} */
export function readStored(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "{}") ?? {};
  } catch {
    return {};
  }
}
