/** Packs of words: one text file, a line each, "name: word word ...". */

import { canSpell } from "./motion.js";

/** @typedef {Record<string, string[]>} Packs */

/** Packs from their text. Words that cannot be spelled are left out. @param {string} lines @returns {Packs} */
export function packsOf(lines) {
  const packs = lines.split("\n").map((line) => line.split(":")).filter(([, words]) => words);
  return Object.fromEntries(packs.map(([name, words]) => [name.trim(), words.trim().split(/\s+/).filter(canSpell)]));
}

/** @type {Promise<Packs>|undefined} */
let loading;

/** The packs of `words.txt`, loaded once; asked for again after a failure. */
export function loadPacks() {
  loading ??= fetch(new URL("words.txt", import.meta.url)).then(async (answer) => {
    if (!answer.ok) throw new Error(`words.txt: ${answer.status}`);
    return packsOf(await answer.text());
  });
  loading.catch(() => (loading = undefined));
  return loading;
}
