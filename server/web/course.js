/** Which words a practice goes through: lists of letters, levels, packs of words, or the learner's own. */

import { inOrder, shuffled, spell } from "./spelling.js";

/** Levels of letters: from shapes that look like their letter, over fists and letters that are turned, to those that move. */
export const LEVELS = ["COLV", "WBYIA", "FUDS", "XERK", "TNM", "GHQP", "JZ"];
/** The level after the last one: words. */
export const WORD_LEVEL = LEVELS.length + 1;
/** The pack of that level, and of a list that has no word that can be spelled. */
const FIRST_PACK = "short";
/** Weakest letters that are practised in a round. */
const WEAKEST = 5;
const LEVEL_KEY = "dactyl.level";

/** The level that was reached, from 1 to {@link WORD_LEVEL}. */
export function storedLevel() {
  const level = Number(localStorage.getItem(LEVEL_KEY));
  return Number.isInteger(level) && level >= 1 && level <= WORD_LEVEL ? level : 1;
}

/** @param {number} level */
export function storeLevel(level) {
  localStorage.setItem(LEVEL_KEY, String(level));
}

/**
 * The words of a list.
 * @param {{list: string, ownList: string}} settings
 * @param {{labels: string[], packs: import("./packs.js").Packs, weakest: (count: number) => string[], first?: string}} parts `first`: the word
 *   to begin with, if the list has an order.
 * @returns {{next: () => string, refused: string[]}} `next` gives one word after the other; `refused`: what of the learner's
 *   own list cannot be spelled.
 */
export function courseOf({ list, ownList }, { labels, packs, weakest, first }) {
  const known = (/** @type {string[]} */ words) => words.filter((word) => spell(word, labels));
  const pack = known(packs[list] ?? packs[FIRST_PACK] ?? []);
  const words = shuffled(pack.length ? pack : labels);
  const plain = (/** @type {() => string} */ next) => ({ next, refused: /** @type {string[]} */ ([]) });
  switch (list) {
    case "levels":
      return plain(throughLevels(labels, words));
    case "easy": {
      const easy = known([...LEVELS.join("")]);
      return plain(easy.length ? inOrder(easy, first) : shuffled(labels));
    }
    case "alphabet":
      return plain(inOrder(labels, first));
    case "random":
      return plain(shuffled(labels));
    case "weakest":
      return plain(() => shuffled(weakest(WEAKEST))());
    case "own": {
      const all = ownList.split(/[\s,;]+/).filter(Boolean);
      const own = known(all);
      return { next: own.length ? inOrder(own, first) : words, refused: all.filter((word) => !own.includes(word)) };
    }
    default:
      return plain(words);
  }
}

/**
 * The letters of each level from the one that was reached, as one word; behind the last level words.
 * @param {string[]} labels @param {() => string} words
 */
function throughLevels(labels, words) {
  let level = storedLevel() - 1;
  return () => {
    level = Math.min(level + 1, WORD_LEVEL);
    while (level < WORD_LEVEL && !spell(LEVELS[level - 1], labels)) level += 1;
    storeLevel(level);
    return level === WORD_LEVEL ? words() : LEVELS[level - 1];
  };
}
