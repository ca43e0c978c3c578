/** What a learner has spelled so far, kept in this browser only. */

const KEY = "dactyl.statistics";
/** Seconds that a skip counts as, when the weakest letters are chosen. */
const SKIP_SECONDS = 20;
/** Newest times of a letter that are kept. */
const KEPT = 10;
/** Days that are kept. */
const DAYS = 60;

/**
 * @typedef {{won: number, skipped: number, recent: number[], last: string}} Letter `recent`: seconds of the newest wins, the
 *   newest last. `last`: day of the newest win, as "2026-11-28"; "" before the first.
 * @typedef {{letters: Record<string, Letter>, days: Record<string, number>}} Numbers `days`: letters won on each day.
 */

/** The numbers of every letter. */
export class Statistics {
  /** @type {Numbers} */
  #numbers = { letters: {}, days: {} };

  constructor() {
    this.#load();
    // Another tab practises too.
    addEventListener("storage", ({ key }) => {
      if (key === KEY || key === null) this.#load();
    });
  }

  /** Letters that were tried. @returns {Record<string, Letter>} */
  get letters() {
    return this.#numbers.letters;
  }

  /** @param {string} letter @param {number} seconds */
  won(letter, seconds) {
    this.#change(letter, (numbers) => {
      numbers.won += 1;
      numbers.recent = [...numbers.recent, Math.round(100 * seconds) / 100].slice(-KEPT);
      numbers.last = dayOf(new Date());
      const { days } = this.#numbers;
      days[numbers.last] = (days[numbers.last] ?? 0) + 1;
      for (const day of Object.keys(days).sort().slice(0, -DAYS)) delete days[day];
    });
  }

  /** @param {string} letter */
  skipped(letter) {
    this.#change(letter, (numbers) => (numbers.skipped += 1));
  }

  /** Letters won today, and days of the last seven, with today, on which any was. */
  get week() {
    const days = Array.from({ length: 7 }, (_, ago) => dayOf(new Date(Date.now() - ago * 86_400_000)));
    const counts = days.map((day) => this.#numbers.days[day] ?? 0);
    return { today: counts[0], days: counts.filter((count) => count > 0).length };
  }

  /** Those of `labels` that take longest or were never tried, worst first. @param {string[]} labels @param {number} count */
  weakest(labels, count) {
    const cost = (/** @type {string} */ label) => {
      const numbers = this.#numbers.letters[label];
      if (!numbers) return SKIP_SECONDS / 2;
      const { recent, won, skipped } = numbers;
      return ((won ? median(recent) : 0) * won + SKIP_SECONDS * skipped) / (won + skipped);
    };
    return [...labels].sort((a, b) => cost(b) - cost(a)).slice(0, count);
  }

  erase() {
    this.#numbers = { letters: {}, days: {} };
    localStorage.removeItem(KEY);
  }

  /** The numbers as a file. */
  export() {
    return new Blob([JSON.stringify(this.#numbers, null, 2)], { type: "application/json" });
  }

  /**
   * Takes in a file that {@link export} has made. Of a letter or a day that is known already, the one with more tries stays:
   * the same file twice changes nothing.
   * @param {string} text
   * @returns {boolean} Whether it was such a file.
   */
  import(text) {
    const other = numbersOf(parsed(text));
    if (!other) return false;
    this.#load();
    const { letters, days } = this.#numbers;
    const tries = (/** @type {Letter|undefined} */ letter) => (letter ? letter.won + letter.skipped : -1);
    for (const [name, letter] of Object.entries(other.letters)) if (tries(letter) > tries(letters[name])) letters[name] = letter;
    for (const [day, count] of Object.entries(other.days)) days[day] = Math.max(count, days[day] ?? 0);
    this.#save();
    return true;
  }

  /** @param {string} letter @param {(numbers: Letter) => void} change */
  #change(letter, change) {
    this.#load();
    change((this.#numbers.letters[letter] ??= { won: 0, skipped: 0, recent: [], last: "" }));
    this.#save();
  }

  #load() {
    const stored = readStored(KEY);
    // An older version stored the letters alone.
    this.#numbers = numbersOf("letters" in stored ? stored : { letters: stored }) ?? { letters: {}, days: {} };
  }

  #save() {
    localStorage.setItem(KEY, JSON.stringify(this.#numbers));
  }
}

/** What can be used of numbers from outside; none if nothing can. @param {any} value @returns {Numbers|undefined} */
function numbersOf(value) {
  if (typeof value?.letters !== "object" || value.letters === null) return undefined;
  const count = (/** @type {any} */ number) => (Number.isFinite(number) && number > 0 ? number : 0);
  const day = /^\d{4}-\d\d-\d\d$/;
  const letters = Object.entries(value.letters).map(([name, letter]) => {
    const recent = Array.isArray(letter?.recent) ? letter.recent.map(count).slice(-KEPT) : [];
    // Numbers of an older version are the sum of all times.
    if (!recent.length && count(letter?.won)) recent.push(count(letter.seconds) / letter.won);
    const last = day.test(letter?.last) ? letter.last : "";
    return [name, { won: count(letter?.won), skipped: count(letter?.skipped), recent, last }];
  });
  const days = Object.entries(value.days ?? {}).filter(([name]) => day.test(name)).map(([name, number]) => [name, count(number)]);
  return { letters: Object.fromEntries(letters), days: Object.fromEntries(days) };
}

/** @param {number[]} values At least one. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Whether the newer half of times is shorter than the older one by more than chance.
 * @param {number[]} recent @returns {"quicker"|"slower"|"steady"}
 */
export function trend(recent) {
  if (recent.length < 4) return "steady";
  const half = Math.floor(recent.length / 2);
  const change = median(recent.slice(-half)) / median(recent.slice(0, half));
  return change < 0.8 ? "quicker" : change > 1.25 ? "slower" : "steady";
}

/** The day in the learner's own time. @param {Date} date */
function dayOf(date) {
  const [month, day] = [date.getMonth() + 1, date.getDate()].map((number) => String(number).padStart(2, "0"));
  return `${date.getFullYear()}-${month}-${day}`;
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What was stored under a key, if it can still be read. @param {string} key @param {Storage} storage @returns {Record<string, any>} */
export function readStored(key, storage = localStorage) {
  return parsed(storage.getItem(key) ?? "{}") ?? {};
}
