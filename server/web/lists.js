/** Two lists of bars: the best letters of what is seen, and the learner's progress. */

import { median, trend } from "./statistics.js";
import { language, text } from "./text.js";

/** A letter that takes this long fills its bar. */
const QUICK_SECONDS = 1.5;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {[string, number][]} top Letters and probabilities, best first; empty if nothing is seen. */
export function showTop(top) {
  const list = byId("top");
  byId("top-empty").hidden = top.length > 0;
  while (list.children.length > top.length) list.lastElementChild?.remove();
  while (list.children.length < top.length) list.append(bar());
  top.forEach(([letter, probability], index) => {
    const percent = Math.round(100 * probability);
    fill(/** @type {HTMLElement} */ (list.children[index]), letter, percent, text("percent", { number: percent }));
  });
}

/**
 * Every letter with the median of its newest times; one that was not spelled yet is empty.
 * @param {import("./statistics.js").Statistics} statistics
 * @param {string[]} labels Letters that can be practised.
 * @param {number} goal Letters a day, 0 = no goal.
 */
export function showProgress(statistics, labels, goal) {
  const { letters, week } = statistics;
  const tried = Object.keys(letters).filter((letter) => !labels.includes(letter)).sort();
  const items = [...labels, ...tried].map((letter) => {
    const numbers = letters[letter] ?? { won: 0, skipped: 0, recent: [], last: "" };
    return progressOf(letter, numbers);
  });
  byId("chart").replaceChildren(...items);
  byId("chart-empty").hidden = Object.keys(letters).length > 0;
  byId("erase").hidden = byId("export").hidden = Object.keys(letters).length === 0;
  byId("goal").hidden = goal === 0;
  byId("goal").textContent = text(week.today >= goal ? "goalReached" : "goalOpen", { today: week.today, goal, days: week.days });
}

/** @param {string} letter @param {import("./statistics.js").Letter} numbers */
function progressOf(letter, { won, skipped, recent, last }) {
  const item = bar();
  item.append(Object.assign(document.createElement("span"), { className: "trend" }));
  const seconds = won ? median(recent) : 0;
  const quick = won ? 100 * Math.min(1, QUICK_SECONDS / Math.max(seconds, 0.1)) : 0;
  const shown = seconds.toFixed(1);
  fill(item, letter, quick, won ? text("secondsShort", { seconds: shown }) : "");
  const way = trend(recent);
  /** @type {HTMLElement} */ (item.lastElementChild).textContent = won ? { quicker: "↗", slower: "↘", steady: "→" }[way] : "";
  const key = won ? "letterStatistics" : skipped ? "letterSkipped" : "letterUntried";
  const values = { letter, won, skipped, seconds: shown, trend: text(way), last: last && dayShown(last) };
  const spoken = text(key, values);
  for (const part of item.children) part.setAttribute("aria-hidden", "true");
  item.append(Object.assign(document.createElement("span"), { className: "hidden", textContent: spoken }));
  item.title = spoken;
  item.classList.toggle("untried", won === 0);
  return item;
}

/** @param {string} day As "2026-11-28" */
function dayShown(day) {
  return new Date(`${day}T12:00`).toLocaleDateString(language, { day: "numeric", month: "long" });
}

function bar() {
  const item = document.createElement("li");
  for (const name of ["letter", "meter", "share"]) {
    item.append(Object.assign(document.createElement("span"), { className: name }));
  }
  item.children[1].append(document.createElement("span"));
  return item;
}

/** @param {HTMLElement} item @param {string} letter @param {number} percent @param {string} share */
function fill(item, letter, percent, share) {
  const [name, meter, number] = /** @type {HTMLCollectionOf<HTMLElement>} */ (item.children);
  item.classList.toggle("word", letter.length > 2);
  name.textContent = letter;
  /** @type {HTMLElement} */ (meter.firstElementChild).style.setProperty("--share", percent.toFixed(1));
  number.textContent = share;
}
