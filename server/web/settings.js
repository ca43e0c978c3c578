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
  /** @type {"words"|"easy"|"alphabet"|"random"|"weakest"|"own"} */
  list: "words",
  ownList: "",
  /** @type {"calm"|"normal"|"quick"} */
  speed: "normal",
  goal: "20",
  readPack: "short",
  readSpeed: "1",
  details: false,
};

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
    const stored = readStored(KEY);
    return names.filter((name) => {
      const field = fieldOf(name);
      const before = settings[name];
      Object.assign(settings, { [name]: stored[name] ?? defaults[name] });
      if (field.type === "checkbox") field.checked = settings[name];
      else field.value = settings[name];
      // An option that an older version had. Cameras are listed later.
      if (field.value === "" && name !== "ownList" && name !== "camera") {
        Object.assign(settings, { [name]: defaults[name] });
        field.value = defaults[name];
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
