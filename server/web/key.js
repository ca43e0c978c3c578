/** The key of a server that asks for one: out of the page's address, or from whoever opened the page. */

import { text } from "./text.js";

/** Kept until the browser's tab is closed. */
const STORED = "dactyl.key";

/**
 * Takes a key out of the page's address, where it stands as #key=KEY: what is behind # is not sent to any server. It is not
 * left there, nor in the browser's history.
 * @returns {boolean} Whether there was one.
 */
export function takeKey() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key === null) return false;
  sessionStorage.setItem(STORED, key.trim());
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}

/** The key; "" if there is none. */
export function storedKey() {
  return sessionStorage.getItem(STORED) ?? "";
}

/** Asks for a key. */
export class KeyQuestion {
  #dialog;
  #problem;
  #field;

  /**
   * @param {HTMLDialogElement} dialog With a form of one field and a place for what is wrong.
   * @param {() => void} onKey There is another key.
   */
  constructor(dialog, onKey) {
    this.#dialog = dialog;
    this.#problem = /** @type {HTMLElement} */ (dialog.querySelector("[role=alert]"));
    this.#field = /** @type {HTMLInputElement} */ (dialog.querySelector("input"));
    dialog.addEventListener("close", () => {
      const key = this.#field.value.trim();
      this.#field.value = "";
      if (dialog.returnValue !== "use" || !key) return;
      sessionStorage.setItem(STORED, key);
      onKey();
    });
  }

  /** Asks, unless it does already. A key that was there was not taken. */
  ask() {
    if (this.#dialog.open) return;
    this.#problem.textContent = storedKey() ? text("keyWrong") : "";
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
  }
}
