/** Two lists of bars: the best letters of what is seen, and the alphabet with the learner's progress. */

import { HandPicture } from "./hand.js";
import { median, trend } from "./statistics.js";
import { dayAndMonth, decimal, text } from "./text.js";

/** Side of a hand in the chart. */
const CHART_PIXELS = 160;
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
 * @param {{goal: number, hand: "left"|"right", onChoose: (letter: string) => void}} how `goal`: letters a day, 0 = no goal.
 */
export function showProgress(statistics, labels, { goal, hand, onChoose }) {
  const { letters, week } = statistics;
  const tried = Object.keys(letters).filter((letter) => !labels.includes(letter)).sort();
  const items = [...labels, ...tried].map((letter) => {
    const numbers = letters[letter] ?? { won: 0, skipped: 0, recent: [], last: "" };
    return progressOf(letter, numbers, hand, onChoose);
  });
  byId("chart").replaceChildren(...items.map(({ item }) => item));
  // In the page they have their colours.
  for (const { draw } of items) draw();
  byId("chart-empty").hidden = Object.keys(letters).length > 0;
  byId("erase").hidden = byId("export").hidden = Object.keys(letters).length === 0;
  byId("goal").hidden = goal === 0;
  byId("goal").textContent = text(week.today >= goal ? "goalReached" : "goalOpen", { today: week.today, goal, days: week.days });
}

/**
 * A letter with its hand; pressing it practises it.
 * @param {string} letter @param {import("./statistics.js").Letter} numbers @param {"left"|"right"} hand
 * @param {(letter: string) => void} onChoose
 */
function progressOf(letter, { won, skipped, recent, last }, hand, onChoose) {
  const seconds = won ? median(recent) : 0;
  const quick = won ? 100 * Math.min(1, QUICK_SECONDS / Math.max(seconds, 0.1)) : 0;
  const shown = decimal(seconds);
  const way = trend(recent);
  const key = won ? "letterStatistics" : skipped ? "letterSkipped" : "letterUntried";
  const numbers = text(key, { letter, won, skipped, seconds: shown, trend: text(way), last: last ? dayAndMonth(new Date(`${last}T12:00`)) : text("unknown") });
  const item = document.createElement("li");
  const button = Object.assign(document.createElement("button"), { type: "button", title: numbers });
  button.setAttribute("aria-label", text("practiseLetter", { numbers }));
  button.addEventListener("click", () => onChoose(letter));
  const canvas = Object.assign(document.createElement("canvas"), { className: "hand", width: CHART_PIXELS, height: CHART_PIXELS });
  const row = bar("div");
  row.className = "row";
  row.append(Object.assign(document.createElement("span"), { className: "trend" }));
  fill(row, letter, quick, won ? text("secondsShort", { seconds: shown }) : "");
  /** @type {HTMLElement} */ (row.lastElementChild).textContent = won ? { quicker: "↗", slower: "↘", steady: "→" }[way] : "";
  button.append(canvas, row);
  item.append(button);
  item.classList.toggle("untried", won === 0);
  return { item, draw: () => new HandPicture(canvas).still(letter, hand === "left") };
}

/** @param {string} tag */
function bar(tag = "li") {
  const item = document.createElement(tag);
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
