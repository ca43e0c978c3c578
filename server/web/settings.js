/** What the learner has chosen, kept in this browser. */

import { readStored } from "./statistics.js";

const KEY = "dactyl.settings";

/** @typedef {typeof defaults} Settings */
const defaults = {
  camera: "",
  mirrored: true,
  /** @type {"right"|"left"} */
  hand: "right",
  /** @type {import("./hand.js").View} */
  view: "picture",
  /** @type {"words"|"alphabet"|"random"|"weakest"|"own"} */
  list: "words",
  ownList: "",
  /** @type {"calm"|"normal"|"quick"} */
  speed: "normal",
  details: false,
};

/**
 * Binds the form's fields, whose names are those of the settings, to what is stored.
 * @param {HTMLFormElement} form
 * @param {(changed: keyof Settings) => void} onChange
 * @returns {Settings} Kept up to date.
 */
export function bindSettings(form, onChange) {
  const settings = { ...defaults, ...readStored(KEY) };
  const fields = Object.keys(defaults).map((name) => [name, form.elements.namedItem(name)]);
  for (const [name, field] of /** @type {[keyof Settings, any][]} */ (fields)) {
    if (field.type === "checkbox") field.checked = settings[name];
    else field.value = settings[name];
    // An option that an older version had.
    if (field.value === "" && name !== "ownList" && name !== "camera") {
      Object.assign(settings, { [name]: defaults[name] });
      field.value = defaults[name];
    }
  }
  form.addEventListener("change", ({ target }) => {
    const field = /** @type {HTMLInputElement} */ (target);
    const name = /** @type {keyof Settings} */ (field.name);
    Object.assign(settings, { [name]: field.type === "checkbox" ? field.checked : field.value });
    localStorage.setItem(KEY, JSON.stringify(settings));
    onChange(name);
  });
  return settings;
}
