/** The view in which letters are practised: target, ring, hand shape, hint. */

import { HandPicture, differences } from "./hand.js";
import { HOLD_MS, Spelling, inOrder, shuffled, spell } from "./spelling.js";
import { text, words } from "./text.js";

/** How long a won letter is shown as won. */
const WON_MS = 900;
/** How long the same wrong letter must be seen before a hint, and how long a hint stays. */
const WRONG_MS = 900;
const HINT_MS = 1200;
/** Weakest letters that are practised in a round. */
const WEAKEST = 5;

/** @param {string} id */
const byId = (id) => /** @type {any} */ (document.getElementById(id));

/** Shows a practice and takes it on as answers come. */
export class PracticeView {
  /** @type {Spelling} */
  #spelling;
  #client;
  #settings;
  #statistics;
  #labels;
  /** @type {Record<string, import("./hand.js").Shape>} */
  #shapes;
  #picture = new HandPicture(byId("shape"));
  #isWon = false;
  /** Goes on from a won letter. @type {ReturnType<typeof setTimeout>|undefined} */
  #goingOn;
  /** A letter begins only when it is shown to somebody. */
  #isShown = true;
  #wrong = { letter: "", since: 0 };
  #hintUntil = 0;

  /**
   * @param {{client: import("./client.js").DactylClient, settings: import("./settings.js").Settings,
   *   statistics: import("./statistics.js").Statistics, labels: string[], shapes: Record<string, any>}} parts
   */
  constructor({ client, settings, statistics, labels, shapes }) {
    this.#client = client;
    this.#settings = settings;
    this.#statistics = statistics;
    this.#labels = labels;
    this.#shapes = shapes;
    this.#spelling = this.#newSpelling();
    byId("skip").addEventListener("click", () => this.#skip());
    byId("repeat").addEventListener("click", () => this.begin());
  }

  /** Another list was chosen. */
  renew() {
    this.#spelling = this.#newSpelling();
    this.begin();
  }

  /** The shape is drawn anew, for the other hand or the other side of the mirror. */
  redraw() {
    const { letter } = this.#spelling;
    const { hand, mirrored } = this.#settings;
    const shape = this.#shapes[letter];
    this.#picture.show(shape, mirrored !== (hand === "left"));
    byId("shape").toggleAttribute("hidden", !shape);
    byId("no-shape").hidden = Boolean(shape);
    const label = text(shape?.path ? "shapeMoves" : "shapeOf", { letter, side: text(hand) });
    byId("shape").setAttribute("aria-label", label);
  }

  /** Begins the letter, again or for the first time. */
  begin() {
    clearTimeout(this.#goingOn);
    this.#isWon = false;
    this.#spelling.holdMs = HOLD_MS[this.#settings.speed];
    this.#spelling.begin(performance.now());
    if (this.#isShown) this.#client.practise(this.#spelling.letter);
    this.#showWord();
    this.#showProbability();
    this.#clearHint();
    this.redraw();
  }

  /** @param {boolean} isShown */
  setShown(isShown) {
    if (isShown === this.#isShown) return;
    this.#isShown = isShown;
    if (isShown) this.begin();
  }

  /** @param {import("./client.js").Feedback} feedback */
  feedback({ letter, probability }) {
    if (this.#isWon || !this.#isShown) return;
    const now = performance.now();
    this.#spelling.see(probability, now);
    this.#showProbability();
    const isWrong = letter !== "" && letter !== this.#spelling.letter;
    if (!isWrong) this.#wrong = { letter: "", since: now };
    else if (letter !== this.#wrong.letter) this.#wrong = { letter, since: now };
  }

  /** A picture was analysed: only then can a letter be won. */
  analysed() {
    if (this.#isShown && !this.#isWon && this.#spelling.isWon(performance.now())) this.#win();
  }

  /** @param {number[][]|undefined} hand What is seen, as {@link differences} wants it. */
  compare(hand) {
    const now = performance.now();
    const shape = this.#shapes[this.#spelling.letter];
    if (!this.#isShown || this.#isWon || now < this.#hintUntil) return;
    const isWrong = this.#wrong.letter !== "" && now - this.#wrong.since > WRONG_MS;
    if (!isWrong || !hand || !shape) {
      if (this.#hintUntil) this.#clearHint();
      return;
    }
    const { turn, fingers } = differences(hand, shape.hand);
    this.#hintUntil = now + HINT_MS;
    this.#picture.mark(turn ? [] : fingers.map(({ finger }) => finger));
    this.#say(`${text("looksLike", { letter: this.#wrong.letter })} ${turn ? text("turn") : adviceOn(fingers)}`.trim());
  }

  #win() {
    const { letter, signs, index } = this.#spelling;
    this.#isWon = true;
    this.#statistics.won(letter, this.#spelling.elapsed(performance.now()) / 1000);
    byId("ring").classList.add("won");
    const isWordDone = index === signs.length - 1 && signs.length > 1;
    const said = isWordDone ? text("wonAll", { word: signs.join("") }) : text("won", { letter });
    this.#clearHint();
    this.#say(said, true);
    this.#goingOn = setTimeout(() => this.#goOn(said), WON_MS);
  }

  #skip() {
    if (this.#isWon) return;
    this.#statistics.skipped(this.#spelling.letter);
    this.#goOn("");
  }

  /** @param {string} said What was said of the letter before. */
  #goOn(said) {
    const isNewWord = this.#spelling.advance();
    this.begin();
    const { letter, signs } = this.#spelling;
    const word = isNewWord && signs.length > 1 ? `${text("word", { word: signs.join("") })}. ` : "";
    byId("spoken").textContent = `${said} ${word}${text("next", { letter })}`.trim();
  }

  #showWord() {
    const { signs, index } = this.#spelling;
    const items = signs.map((sign, place) => {
      const state = place < index ? "done" : place === index ? "now" : "later";
      const key = /** @type {const} */ ({ done: "letterDone", now: "letterNow", later: "letterLater" })[state];
      const item = Object.assign(document.createElement("li"), { className: state });
      const spoken = Object.assign(document.createElement("span"), { className: "hidden" });
      const shown = Object.assign(document.createElement("span"), { textContent: sign });
      spoken.textContent = text(key, { letter: sign });
      shown.setAttribute("aria-hidden", "true");
      item.append(shown, spoken);
      return item;
    });
    byId("word").replaceChildren(...items);
    byId("word").hidden = signs.length < 2;
    const { letter } = this.#spelling;
    byId("letter").textContent = letter;
    byId("letter").classList.toggle("word", letter.length > 1);
    byId("ring").setAttribute("aria-label", text("targetProgress", { letter }));
    byId("ring").classList.remove("won");
  }

  #showProbability() {
    const percent = Math.round(100 * this.#spelling.probability);
    const ring = byId("ring");
    ring.style.setProperty("--share", percent);
    ring.toggleAttribute("data-empty", percent === 0);
    ring.setAttribute("aria-valuenow", percent);
    byId("percent").textContent = text("percent", { number: percent });
  }

  /** @param {string} hint */
  #say(hint, isGood = false) {
    if (byId("hint").textContent !== hint) byId("hint").textContent = hint;
    byId("hint").classList.toggle("good", isGood);
    if (!isGood && byId("spoken").textContent !== hint) byId("spoken").textContent = hint;
  }

  #clearHint() {
    this.#hintUntil = 0;
    this.#wrong = { letter: "", since: performance.now() };
    this.#picture.mark([]);
    byId("hint").textContent = "";
  }

  #newSpelling() {
    const { list, ownList } = this.#settings;
    const labels = this.#labels;
    const known = words.filter((word) => spell(word, labels));
    const problem = byId("own-list-problem");
    problem.textContent = "";
    if (list === "alphabet") return new Spelling(labels, inOrder(labels));
    if (list === "weakest") return new Spelling(labels, () => shuffled(this.#statistics.weakest(labels, WEAKEST))());
    if (list === "own") {
      const own = ownList.split(/[\s,;]+/).filter((word) => word && spell(word, labels));
      if (own.length) return new Spelling(labels, inOrder(own));
      if (ownList.trim()) problem.textContent = text("ownListBad", { labels: labels.join(" ") });
    }
    if (list === "random" || !known.length) return new Spelling(labels, shuffled(labels));
    return new Spelling(labels, shuffled(known));
  }
}

/** @param {{finger: import("./hand.js").Finger, how: "straighten"|"bend"|"move"}[]} fingers */
function adviceOn(fingers) {
  if (!fingers.length) return "";
  const [first, second] = fingers;
  const isOne = second?.how === first.how;
  const names = isOne ? text("fingers", { first: text(first.finger), second: text(second.finger) }) : text(first.finger);
  return text(first.how, { finger: names });
}
