/** The panel of technical details: rates over the last second, and the newest times. */

import { decimal, text } from "./text.js";

const INTERVAL_MS = 1000;

/** @param {string} name @param {string} shown */
function set(name, shown) {
  const field = /** @type {HTMLElement} */ (document.getElementById(`detail-${name}`));
  field.textContent = shown;
}

/** @param {number|undefined} ms */
const milliseconds = (ms) => (ms ? text("milliseconds", { number: Math.round(ms) }) : text("unknown"));

/** Follows a client while the panel is shown. @param {import("./client.js").DactylClient} client @param {HTMLElement} panel */
export function showDetails(client, panel) {
  let before = client.counts;
  let at = performance.now();
  let roundTripMs = NaN;
  let ageMs = NaN;
  client.addEventListener("ended", (event) => {
    const { detail } = /** @type {CustomEvent<import("./client.js").Ended>} */ (event);
    if (detail.outcome === "analysed") roundTripMs = detail.roundTripMs;
  });
  client.addEventListener("feedback", (event) => {
    ageMs = /** @type {CustomEvent<import("./client.js").Feedback>} */ (event).detail.ageMs ?? ageMs;
  });
  setInterval(() => {
    const counts = client.counts;
    const now = performance.now();
    const rate = (/** @type {"sent"|"analysed"|"dropped"} */ name) =>
      text("perSecond", { number: decimal((1000 * (counts[name] - before[name])) / (now - at)) });
    if (!panel.hidden) {
      set("sent", rate("sent"));
      set("analysed", rate("analysed"));
      set("dropped", rate("dropped"));
      const { rate: server } = counts;
      set("rate", isFinite(server) ? text("perSecond", { number: decimal(server) }) : text("unknown"));
      set("trip", milliseconds(roundTripMs));
      set("age", milliseconds(ageMs));
    }
    [before, at] = [counts, now];
  }, INTERVAL_MS);
}
