/** The view in which letters are practised: target, ring, hand shape, hint. */

import { differences, handOf } from "./compare.js";
import { HandPicture, VIEWS } from "./hand.js";
import { HOLD_MS, Spelling, inOrder, shuffled, spell } from "./spelling.js";
import { descriptions, hintFor, text, words } from "./text.js";

/** How long a won letter is shown as won. */
const WON_MS = 900;
/** How long the same wrong letter must be seen before a hint, and how long a hint stays. */
const WRONG_MS = 900;
const HINT_MS = 1200;
/** Weakest letters that are practised in a round. */
const WEAKEST = 5;

/** What is said of each view. @type {Record<import("./hand.js").View, import("./text.js").TextKey>} */
const CAPTIONS = { picture: "viewPicture", own: "viewOwn", opposite: "viewOpposite", side: "viewSide" };

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
   *   statistics: import("./statistics.js").Statistics, labels: string[]}} parts
   */
  constructor({ client, settings, statistics, labels }) {
    this.#client = client;
    this.#settings = settings;
    this.#statistics = statistics;
    this.#labels = labels;
    this.#spelling = this.#newSpelling();
    byId("skip").addEventListener("click", () => this.#skip());
    byId("repeat").addEventListener("click", () => this.begin());
    byId("turn-hand").addEventListener("click", () => this.#turn());
    byId("slowly").addEventListener("click", () => {
      const isSlow = byId("slowly").getAttribute("aria-pressed") === "false";
      byId("slowly").setAttribute("aria-pressed", String(isSlow));
      this.#picture.play(isSlow);
    });
  }

  /** Another list was chosen. */
  renew() {
    this.#spelling = this.#newSpelling();
    this.begin();
  }

  /** The model hand is drawn anew, for the other hand, the other side of the mirror or another view. */
  redraw() {
    const { letter } = this.#spelling;
    const { hand, mirrored, view } = this.#settings;
    const has = HandPicture.has(letter);
    const caption = text(CAPTIONS[view], { side: text(hand) });
    this.#picture.show(letter, { isLeft: hand === "left", isMirrored: mirrored, view });
    byId("shape").hidden = !has;
    byId("shape").setAttribute("aria-label", text("shapeOf", { letter, description: descriptions[letter] ?? "", view: caption }));
    byId("shape-caption").textContent = has ? caption : text("noShape");
    byId("turn-hand").hidden = !has;
    byId("slowly").hidden = !HandPicture.moves(letter);
    byId("slowly").setAttribute("aria-pressed", "false");
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
    const wrong = letter === this.#spelling.letter ? "" : letter;
    if (wrong === this.#wrong.letter) return;
    // What was said of another letter no longer holds.
    this.#clearHint();
    this.#wrong = { letter: wrong, since: now };
  }

  /** Nothing is seen any more. */
  forget() {
    if (!this.#isWon) this.feedback({ letter: "", probability: 0 });
  }

  /** A picture was analysed: only then can a letter be won. */
  analysed() {
    if (this.#isShown && !this.#isWon && this.#spelling.isWon(performance.now())) this.#win();
  }

  /** @param {number[][]|undefined} hand What is seen, as {@link differences} wants it. */
  compare(hand) {
    const now = performance.now();
    const { letter } = this.#spelling;
    if (!this.#isShown || this.#isWon || now < this.#hintUntil) return;
    const isWrong = this.#wrong.letter !== "" && now - this.#wrong.since > WRONG_MS;
    if (!isWrong || !hand) return;
    this.#hintUntil = now + HINT_MS;
    const known = hintFor(letter, this.#wrong.letter);
    const wanted = handOf(letter);
    const { turn, fingers } = known || !wanted ? { turn: false, fingers: [] } : differences(hand, wanted);
    this.#picture.mark(turn ? [] : fingers.map(({ finger }) => finger));
    const advice = known ?? (turn ? text("turn") : adviceOn(fingers));
    this.#say(`${text("looksLike", { letter: this.#wrong.letter })} ${advice}`.trim());
  }

  /** Shows the hand from the next side, as the settings would. */
  #turn() {
    const field = byId("settings-form").elements.namedItem("view");
    field.value = VIEWS[(VIEWS.indexOf(this.#settings.view) + 1) % VIEWS.length];
    field.dispatchEvent(new Event("change", { bubbles: true }));
    byId("spoken").textContent = byId("shape-caption").textContent;
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
    byId("hint").className = isGood ? "hint good" : "hint";
    if (!isGood && byId("spoken").textContent !== hint) byId("spoken").textContent = hint;
  }

  #clearHint() {
    this.#hintUntil = 0;
    this.#wrong = { letter: "", since: performance.now() };
    this.#picture.mark([]);
    byId("hint").textContent = descriptions[this.#spelling.letter] ?? "";
    byId("hint").className = "hint plain";
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

/** @param {{finger: import("./skeleton.js").Finger, how: "straighten"|"bend"|"move"}[]} fingers */
function adviceOn(fingers) {
  if (!fingers.length) return "";
  const [first, second] = fingers;
  const isOne = second?.how === first.how;
  const names = isOne ? text("fingers", { first: text(first.finger), second: text(second.finger) }) : text(first.finger);
  return text(first.how, { finger: names });
}
