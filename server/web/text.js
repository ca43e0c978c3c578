/** The page's texts in the language that was chosen. Every language is a file of `languages`. */

import { storedSettings } from "./settings.js";

/** Languages by their codes (BCP 47), each with its own name. */
export const LANGUAGES = { en: "English", de: "Deutsch", es: "Español" };

/** @typedef {keyof typeof LANGUAGES} Language */
/** @typedef {keyof typeof import("./languages/en.js").texts} TextKey */
/** @typedef {typeof import("./languages/en.js")} Texts */

/** @type {Language} */
let language = "en";
/** @type {Texts} */
let texts;
/** @type {Language|undefined} */
let wanted;

await useLanguage(storedSettings().language);

/**
 * Takes a language from now on; what is shown already is not changed by it.
 * @param {string|undefined} chosen A language's code. Without one, the first that the browser prefers.
 */
export async function useLanguage(chosen) {
  const codes = [chosen ?? "", ...navigator.languages].map((code) => /** @type {Language} */ (code.split("-")[0]));
  const code = codes.find((code) => Object.hasOwn(LANGUAGES, code)) ?? "en";
  wanted = code;
  const loaded = await import(`./languages/${code}.js`);
  // Another one may have been chosen meanwhile.
  if (wanted === code) [language, texts] = [code, loaded];
}

/**
 * @param {TextKey} key
 * @param {Record<string, string|number>} [values]
 */
export function text(key, values = {}) {
  return texts.texts[key].replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** How a letter is formed; "" if it is not known. @param {string} letter */
export function describe(letter) {
  return texts.descriptions[letter] ?? "";
}

/** What to do to spell a letter while another one is seen, if it is known. @param {string} letter @param {string} seen */
export function hintFor(letter, seen) {
  const known = Object.entries(texts.hints[letter] ?? {}).find(([letters]) => seen.length === 1 && letters.includes(seen));
  return known?.[1];
}

/** A number with one digit after the point. @param {number} number */
export function decimal(number) {
  return number.toLocaleString(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

/** A day and its month in words. @param {Date} date */
export function dayAndMonth(date) {
  return date.toLocaleDateString(language, { day: "numeric", month: "long" });
}

/** Whether lines begin at the right. */
export function isRightToLeft() {
  return document.documentElement.dir === "rtl";
}

/** Fills the elements that name a text: its content with data-text, its label with data-text-label, numbers with data-number. */
export function fillTexts() {
  document.documentElement.lang = language;
  document.documentElement.dir = texts.direction;
  document.title = text("title");
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(/** @type {TextKey} */ (element.getAttribute("data-text")));
  }
  for (const element of document.querySelectorAll("[data-text-label]")) {
    const label = text(/** @type {TextKey} */ (element.getAttribute("data-text-label")));
    element.setAttribute(element instanceof HTMLOptGroupElement ? "label" : "aria-label", label);
  }
  for (const element of document.querySelectorAll("[data-number]")) {
    element.textContent = Number(element.getAttribute("data-number")).toLocaleString(language);
  }
}
