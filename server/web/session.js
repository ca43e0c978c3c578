/** What was done since a practice began, and its summary. */

import { median } from "./statistics.js";
import { decimal, text } from "./text.js";

/** One sitting. */
export class Session {
  #began = performance.now();
  /** Seconds of every letter that was won. @type {Record<string, number[]>} */
  #times = {};
  #skipped = 0;
  #words = 0;
  /** Letters a minute of each word that was spelled in one go. @type {number[]} */
  #rates = [];

  /** @param {string} letter @param {number} seconds */
  won(letter, seconds) {
    (this.#times[letter] ??= []).push(seconds);
  }

  skipped() {
    this.#skipped += 1;
  }

  /** @param {number} [rate] Letters a minute, of a word that was spelled in one go. */
  word(rate) {
    this.#words += 1;
    if (rate !== undefined) this.#rates.push(rate);
  }

  /** @param {number} [now] @returns {{minutes: number, letters: number, skipped: number, words: number, rate?: number,
   *   longest?: {letter: string, seconds: number}}} `rate`: the median of the words; `longest`: the letter that took longest. */
  summary(now = performance.now()) {
    const times = Object.entries(this.#times).map(([letter, all]) => ({ letter, seconds: median(all) }));
    return {
      minutes: (now - this.#began) / 60_000,
      letters: Object.values(this.#times).flat().length,
      skipped: this.#skipped,
      words: this.#words,
      rate: this.#rates.length ? median(this.#rates) : undefined,
      longest: times.sort((a, b) => b.seconds - a.seconds)[0],
    };
  }
}

/** @param {string} id */
const byId = (id) => /** @type {any} */ (document.getElementById(id));

/** Fills and opens the dialog of a session. @param {Session} session */
export function showSummary(session) {
  const { minutes, letters, skipped, words, rate, longest } = session.summary();
  const rows = /** @type {[import("./text.js").TextKey, string|number|undefined][]} */ ([
    ["summaryTime", text("summaryMinutes", { minutes: decimal(minutes) })],
    ["summaryLetters", letters],
    ["summarySkipped", skipped || undefined],
    ["summaryWords", words || undefined],
    ["summaryRate", rate && Math.round(rate)],
    ["summaryLongest", longest && text("summaryLongestIs", { letter: longest.letter, seconds: decimal(longest.seconds) })],
  ]);
  const items = rows.filter(([, value]) => value !== undefined).map(([key, value]) => {
    const row = document.createElement("div");
    row.append(Object.assign(document.createElement("dt"), { textContent: text(key) }));
    row.append(Object.assign(document.createElement("dd"), { textContent: String(value) }));
    return row;
  });
  byId("summary-rows").replaceChildren(...items);
  byId("summary-rows").hidden = letters === 0;
  byId("summary-nothing").hidden = letters > 0;
  byId("summary-practise").hidden = !longest;
  byId("summary-practise").value = longest?.letter ?? "";
  byId("summary-practise").textContent = text("summaryPractise", { letter: longest?.letter ?? "" });
  byId("summary").showModal();
}
