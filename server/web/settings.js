/** What the learner has chosen, kept in this browser. */

import { readStored } from "./statistics.js";

const KEY = "dactyl.settings";

/** @typedef {typeof defaults} Settings */
const defaults = {
  camera: "",
  mirrored: true,
  /** The drawing is shown only when it is asked for. */
  recall: false,
  /** @type {"right"|"left"} */
  hand: "right",
  /** @type {import("./hand.js").View} */
  view: "picture",
  /** A list of letters, the learner's own one, or a pack of words. */
  list: "levels",
  ownList: "",
  /** @type {"calm"|"normal"|"quick"} */
  speed: "normal",
  /** Words in one go. */
  flow: false,
  /** Where the hand is found. @type {"server"|"device"} */
  tracking: "server",
  sound: false,
  vibration: false,
  /** A language's code, or "" for the browser's. */
  language: "",
  goal: "20",
  readPack: "short",
  readSpeed: "1",
  details: false,
};

/** What is stored of the settings. @returns {Partial<Settings>} */
export function storedSettings() {
  return readStored(KEY);
}

/**
 * Binds the form's fields, whose names are those of the settings, to what is stored.
 * @param {HTMLFormElement} form
 * @param {(changed: keyof Settings) => void} onChange
 * @returns {Settings} Kept up to date.
 */
export function bindSettings(form, onChange) {
  const settings = { ...defaults };
  const names = /** @type {(keyof Settings)[]} */ (Object.keys(defaults));
  const fieldOf = (/** @type {string} */ name) => /** @type {any} */ (form.elements.namedItem(name));
  /** Takes over what is stored. */
  const read = () => {
    const stored = /** @type {Record<string, any>} */ (storedSettings());
    return names.filter((name) => {
      const field = fieldOf(name);
      const before = settings[name];
      Object.assign(settings, { [name]: stored[name] ?? defaults[name] });
      if (field.type === "checkbox") field.checked = settings[name];
      else field.value = settings[name];
      // An option that an older version had. Cameras are listed later.
      if (field instanceof HTMLSelectElement && field.value !== settings[name] && name !== "camera") {
        Object.assign(settings, { [name]: defaults[name] });
        field.value = String(defaults[name]);
      }
      return settings[name] !== before;
    });
  };
  read();
  // Some fields stand where they are used, outside of the form.
  document.addEventListener("change", ({ target }) => {
    const field = /** @type {HTMLInputElement} */ (target);
    const name = /** @type {keyof Settings} */ (field.name);
    if (field.form !== form || !names.includes(name)) return;
    Object.assign(settings, { [name]: field.type === "checkbox" ? field.checked : field.value });
    // Another tab may have changed another setting meanwhile.
    localStorage.setItem(KEY, JSON.stringify({ ...readStored(KEY), [name]: settings[name] }));
    onChange(name);
  });
  addEventListener("storage", ({ key }) => {
    if (key === KEY || key === null) read().forEach(onChange);
  });
  return settings;
}
