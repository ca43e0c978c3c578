/** Two lists of bars: the best letters of what is seen, and the learner's progress. */

import { text } from "./text.js";

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

/** @param {import("./statistics.js").Statistics} statistics */
export function showProgress({ letters }) {
  const seconds = letters.map(([, { won, seconds }]) => (won ? seconds / won : 0));
  const longest = Math.max(1, ...seconds);
  const items = letters.map(([letter, { won, skipped }], index) => {
    const item = bar();
    const mean = seconds[index].toFixed(1);
    fill(item, letter, (100 * seconds[index]) / longest, won ? text("secondsShort", { seconds: mean }) : text("unknown"));
    const spoken = text(won ? "letterStatistics" : "letterSkipped", { letter, won, skipped, seconds: mean });
    for (const part of item.children) part.setAttribute("aria-hidden", "true");
    item.append(Object.assign(document.createElement("span"), { className: "hidden", textContent: spoken }));
    item.title = spoken;
    return item;
  });
  byId("chart").replaceChildren(...items);
  byId("chart-empty").hidden = items.length > 0;
  byId("progress-actions").hidden = items.length === 0;
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
