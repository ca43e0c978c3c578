/** Reading: the model hand spells a word, the learner types it. No camera, no server. */

import { HandPicture } from "./hand.js";
import { spelled } from "./motion.js";
import { loadPacks } from "./packs.js";
import { text } from "./text.js";

/** The ladder of speeds, in letters a second. */
export const SPEEDS = [0.7, 1, 1.5, 2, 3, 4];
/** Words in a row that are read at the first try before the next speed, and words not read before the one below. */
const UP = 3;
const DOWN = 2;
/** Speed of a repetition letter by letter. */
const SLOWLY = 0.6;

/** @param {string} id */
const byId = (id) => /** @type {any} */ (document.getElementById(id));

/** What was typed of a word: letters in their place, the others open. @param {string} word @param {string} typed */
export function rightLetters(word, typed) {
  return [...word.toUpperCase()].map((letter, index) => (typed[index]?.toUpperCase() === letter ? letter : "_")).join(" ");
}

/** Goes up and down the ladder of speeds. */
export class Ladder {
  #streak = 0;
  #misses = 0;

  /** The next speed after a word. @param {number} speed One of {@link SPEEDS} @param {boolean} isRead At the first try */
  next(speed, isRead) {
    this.#streak = isRead ? this.#streak + 1 : 0;
    this.#misses = isRead ? 0 : this.#misses + 1;
    const step = this.#streak === UP ? 1 : this.#misses === DOWN ? -1 : 0;
    if (step) [this.#streak, this.#misses] = [0, 0];
    const place = SPEEDS.indexOf(speed) + step;
    return SPEEDS[Math.min(Math.max(place, 0), SPEEDS.length - 1)];
  }
}

/** The view in which words are read. */
export class ReadingView {
  #picture = new HandPicture(byId("read-hand"));
  #ladder = new Ladder();
  #settings;
  #word = "";
  #tries = 0;
  #isDone = true;
  /** Words that were shown and those that were read. */
  #shown = 0;
  #read = 0;

  /** @param {import("./settings.js").Settings} settings */
  constructor(settings) {
    this.#settings = settings;
    byId("read-next").addEventListener("click", () => this.#next());
    byId("read-again").addEventListener("click", () => this.#perform(this.#speed));
    byId("read-form").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      if (this.#isDone) void this.#next();
      else this.#check(byId("read-answer").value.trim());
    });
  }

  /** Shows everything anew, in another language: what was said is not said again. */
  retell() {
    this.#say("");
    if (this.#word) byId("read-hand").setAttribute("aria-label", text("readHand", { count: this.#word.length }));
  }

  get #speed() {
    return Number(this.#settings.readSpeed);
  }

  async #next() {
    let packs;
    try {
      packs = await loadPacks();
    } catch {
      this.#say(text("noWords"));
      return;
    }
    const words = packs[this.#settings.readPack] ?? Object.values(packs)[0];
    const others = words.filter((word) => word !== this.#word);
    this.#word = others[Math.floor(Math.random() * others.length)];
    this.#tries = 0;
    this.#isDone = false;
    this.#shown += 1;
    byId("read-again").disabled = false;
    byId("read-answer").value = "";
    byId("read-letters").textContent = "";
    byId("read-hand").setAttribute("aria-label", text("readHand", { count: this.#word.length }));
    this.#say("");
    byId("read-answer").focus();
    void this.#perform(this.#speed);
  }

  /** @param {number} speed Letters a second @param {(letter: number) => void} [onLetter] */
  #perform(speed, onLetter) {
    if (!this.#word) return;
    const how = /** @type {const} */ ({ isLeft: false, isMirrored: false, view: "opposite" });
    this.#picture.perform(spelled(this.#word, 1000 / speed), how, onLetter);
  }

  /** @param {string} typed */
  #check(typed) {
    if (!typed) return;
    this.#tries += 1;
    if (typed.toLowerCase() === this.#word.toLowerCase()) {
      this.#read += 1;
      byId("read-letters").textContent = [...this.#word.toUpperCase()].join(" ");
      this.#end(text("readRight", { word: this.#word }), this.#tries === 1, true);
    } else if (this.#tries === 1) {
      byId("read-letters").textContent = rightLetters(this.#word, typed);
      this.#say(text("readWrong"));
      byId("read-answer").select();
      this.#perform(SLOWLY);
    } else {
      // Letter by letter, each named as it is shown.
      byId("read-letters").textContent = "";
      this.#perform(SLOWLY, (letter) => {
        byId("read-letters").textContent = [...this.#word.toUpperCase()].slice(0, letter + 1).join(" ");
      });
      this.#end(text("readWas", { word: this.#word }), false, false);
    }
  }

  /** @param {string} said @param {boolean} isFirst Read at the first try @param {boolean} isGood */
  #end(said, isFirst, isGood) {
    this.#isDone = true;
    const before = this.#speed;
    const speed = this.#ladder.next(before, isFirst);
    if (speed !== before) {
      byId("read-speed").value = String(speed);
      byId("read-speed").dispatchEvent(new Event("change", { bubbles: true }));
    }
    const change = speed > before ? text("readFaster") : speed < before ? text("readSlower") : "";
    this.#say(`${said} ${change} ${text("readCount", { read: this.#read, shown: this.#shown })}`.replace(/ +/g, " "), isGood);
  }

  /** @param {string} said */
  #say(said, isGood = false) {
    byId("read-said").textContent = said;
    byId("read-said").className = isGood ? "hint good" : "hint";
  }
}
