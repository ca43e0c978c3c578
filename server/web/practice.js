/** The view in which letters are practised: target, ring, hand shape, hint. */

import { differences, handOf } from "./compare.js";
import { LEVELS, WORD_LEVEL, courseOf, storeLevel, storedLevel } from "./course.js";
import { FLOW_HOLD_MS, Pace, Repeat } from "./flow.js";
import { HandPicture, VIEWS } from "./hand.js";
import { HOLD_MS, Spelling, THRESHOLD } from "./spelling.js";
import { readStored } from "./statistics.js";
import { decimal, describe, hintFor, text } from "./text.js";

/** How long a won letter is shown as won; the server watches for the next one meanwhile. */
const WON_MS = 900;
/** How long a word that was spelled in one go is shown with its pace. */
const PACE_MS = 2600;
/** How long the same wrong letter must be seen before a hint, and how long a hint stays. */
const WRONG_MS = 900;
const HINT_MS = 1200;
/** How often a letter that was chosen is practised. */
const TIMES = 3;
/** Where the word that is practised is kept while the tab lives. */
const PLACE = "dactyl.place";

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
  #packs;
  #celebration;
  /** @type {import("./session.js").Session} */
  #session;
  #pace = new Pace();
  /** What makes a second equal letter of a word in one go a new one. @type {Repeat|undefined} */
  #repeat;
  /** What is seen now, as {@link differences} wants it. @type {number[][]|undefined} */
  #hand;
  #picture = new HandPicture(byId("shape"));
  #isWon = false;
  /** Whether the drawing is hidden, so that the learner remembers it. */
  #isConcealed = false;
  /** How often the one letter that was chosen is still to be won; 0 if there is none. */
  #timesLeft = 0;
  /** Whether the server's window is filling, and whether it is full. */
  #isWarming = false;
  #isReady = false;
  /** Whether there is a hand that shows no letter. */
  #isOther = false;
  /** Goes on from a won letter. @type {ReturnType<typeof setTimeout>|undefined} */
  #goingOn;
  /** A letter begins only when it is shown to somebody. */
  #isShown = true;
  #wrong = { letter: "", since: 0 };
  #hintUntil = 0;

  /**
   * @param {{client: import("./client.js").DactylClient, settings: import("./settings.js").Settings,
   *   statistics: import("./statistics.js").Statistics, session: import("./session.js").Session,
   *   celebration: import("./celebrate.js").Celebration, labels: string[], packs: import("./packs.js").Packs}} parts
   */
  constructor({ client, settings, statistics, session, celebration, labels, packs }) {
    this.#client = client;
    this.#settings = settings;
    this.#statistics = statistics;
    this.#session = session;
    this.#celebration = celebration;
    this.#labels = labels;
    this.#packs = packs;
    this.#spelling = this.#resumed();
    byId("skip").addEventListener("click", () => this.skip());
    byId("repeat").addEventListener("click", () => this.restart());
    document.addEventListener("visibilitychange", () => this.#watch());
    byId("level").addEventListener("change", () => {
      storeLevel(Number(byId("level").value));
      this.renew();
    });
    byId("show-hand").addEventListener("click", () => {
      this.#isConcealed = false;
      this.#clearHint();
      this.redraw();
      byId("turn-hand").focus();
    });
    byId("turn-hand").addEventListener("click", () => this.#turn());
    byId("slowly").addEventListener("click", () => {
      const isSlow = byId("slowly").getAttribute("aria-pressed") === "false";
      byId("slowly").setAttribute("aria-pressed", String(isSlow));
      this.#picture.play(isSlow);
    });
  }

  /** Signs that can be practised. */
  get labels() {
    return this.#labels;
  }

  /** What is done from now on counts for another session. @param {import("./session.js").Session} session */
  set session(session) {
    this.#session = session;
  }

  /** Whether words are spelled in one go: no letter is asked for, so that the server forgets nothing between them. */
  get #flows() {
    return this.#settings.flow && this.#spelling.signs.length > 1;
  }

  /** Practises one letter a few times, then goes on with the list. @param {string} letter */
  choose(letter) {
    this.#timesLeft = TIMES;
    this.#spelling = new Spelling(this.#labels, () => letter);
    this.begin();
  }

  /** Another list was chosen. */
  renew() {
    this.#timesLeft = 0;
    this.#spelling = this.#newSpelling();
    this.begin();
  }

  /** The model hand is drawn anew, for the other hand, the other side of the mirror or another view. */
  redraw() {
    const { letter } = this.#spelling;
    const { hand, mirrored, view } = this.#settings;
    const has = HandPicture.has(letter);
    const isShown = has && !this.#isConcealed;
    const caption = text(CAPTIONS[view], { side: text(hand) });
    this.#picture.show(letter, { isLeft: hand === "left", isMirrored: mirrored, view });
    byId("shape").hidden = !isShown;
    byId("shape").setAttribute("aria-label", text("shapeOf", { letter, description: describe(letter), view: caption }));
    byId("shape-caption").textContent = isShown ? caption : has ? "" : text("noShape");
    byId("show-hand").hidden = !has || isShown;
    byId("turn-hand").hidden = !isShown;
    byId("slowly").hidden = !isShown || !HandPicture.moves(letter);
    byId("slowly").setAttribute("aria-pressed", "false");
  }

  /** Begins the letter, again or for the first time. */
  begin() {
    this.#pace.begin();
    this.#repeat = undefined;
    this.#practise();
    this.#show();
  }

  /** Asks the server to watch for the letter. @param {boolean} isAsked Whether it watches for it already. */
  #practise(isAsked = false) {
    clearTimeout(this.#goingOn);
    this.#isWon = false;
    if (!isAsked) this.#isReady = false;
    this.#spelling.holdMs = this.#flows ? FLOW_HOLD_MS : HOLD_MS[this.#settings.speed];
    this.#spelling.begin();
    this.#watch();
    this.#keepPlace();
    this.#wrong = { letter: "", since: performance.now() };
    if (this.#isShown && !isAsked) this.#client.practise(this.#flows ? "" : this.#spelling.letter);
  }

  #show() {
    this.#isConcealed = this.#settings.recall;
    this.#showLevels();
    this.#showWord();
    this.#showRing();
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
    if (!this.#isShown) return;
    const now = performance.now();
    if (!this.#flows) this.#spelling.see(probability, now);
    else if (!letter) this.top([]);
    const wrong = letter === this.#spelling.letter ? "" : letter;
    const hasChanged = wrong !== this.#wrong.letter;
    if (hasChanged) this.#wrong = { letter: wrong, since: now };
    if (this.#isWon) return;
    this.#showRing();
    // What was said of another letter no longer holds.
    if (hasChanged) this.#clearHint();
  }

  /** The best letters of what is seen: in a word in one go, the letter is looked for among them. @param {[string, number][]} top */
  top(top) {
    if (!this.#isShown || this.#isWon || !this.#flows) return;
    const probability = top.find(([letter]) => letter === this.#spelling.letter)?.[1] ?? 0;
    const isNew = this.#repeat?.look(this.#hand, probability >= THRESHOLD) ?? true;
    if (isNew) this.#repeat = undefined;
    this.#spelling.see(isNew ? probability : 0, performance.now());
  }

  /** Nothing is seen any more. */
  forget() {
    this.status({ status: "no_hand", filled: 0, window: 0, handOnly: false });
    this.feedback({ letter: "", probability: 0 });
  }

  /** What the server's window holds: time counts while it is full. @param {import("./client.js").Status} status */
  status({ status, filled }) {
    this.#isWarming = status === "warming" && filled > 0;
    this.#isOther = status === "other";
    this.#isReady = status === "ready" || this.#isOther;
    this.#watch();
    if (!this.#isWon) this.#showRing();
  }

  #watch() {
    this.#spelling.watch(this.#isReady && document.visibilityState === "visible", performance.now());
  }

  /** A picture was analysed: only then can a letter be won. */
  analysed() {
    if (!this.#isShown || this.#isWon) return;
    this.#showRing();
    if (this.#spelling.isWon(performance.now())) this.#win();
  }

  /** @param {number[][]|undefined} hand What is seen, as {@link differences} wants it. */
  compare(hand) {
    const now = performance.now();
    const { letter } = this.#spelling;
    this.#hand = hand;
    if (!this.#isShown || this.#isWon || now < this.#hintUntil) return;
    const isWrong = this.#wrong.letter !== "" && now - this.#wrong.since > WRONG_MS;
    if (!isWrong || !hand) return;
    this.#hintUntil = now + HINT_MS;
    const known = hintFor(letter, this.#wrong.letter);
    const wanted = handOf(letter);
    const { turn, fingers } = known || !wanted ? { turn: false, fingers: [] } : differences(hand, wanted);
    this.#picture.mark(turn ? [] : fingers.map(({ finger }) => finger));
    const clear = fingers.filter(({ how }) => how !== "move");
    // A finger that lies elsewhere has no word for where: then the letter is described.
    const advice = known ?? (turn ? text("turn") : clear.length ? adviceOn(clear) : describe(letter));
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
    const now = performance.now();
    const { letter, signs, index } = this.#spelling;
    const seconds = this.#spelling.elapsed(now) / 1000;
    this.#statistics.won(letter, seconds);
    this.#session.won(letter, seconds);
    this.#pace.won(letter, now);
    const isWord = index === signs.length - 1 && signs.length > 1;
    this.#celebration.won(isWord);
    if (this.#flows && !isWord) this.#flowOn();
    else this.#celebrate(isWord);
  }

  /** The next letter of a word in one go: nothing is asked for, nothing waited for. */
  #flowOn() {
    const { letter } = this.#spelling;
    this.#advance(false);
    const isSame = this.#spelling.letter === letter;
    this.#repeat = isSame ? new Repeat(this.#hand) : undefined;
    this.#practise(true);
    this.#show();
    if (isSame) this.#say(text("slideAgain", { letter }));
  }

  /** Shows what was won while the server watches for the next letter already. @param {boolean} isWord */
  #celebrate(isWord) {
    const said = isWord ? this.#saidOfWord() : text("won", { letter: this.#spelling.letter });
    const isPaced = isWord && this.#flows;
    if (isWord) this.#session.word(isPaced ? this.#pace.rate : undefined);
    byId("ring").classList.add("won");
    this.#clearHint();
    this.#say(said, true);
    const isNewWord = this.#advance(false);
    if (isNewWord) this.#pace.begin();
    this.#practise();
    this.#isWon = true;
    this.#goingOn = setTimeout(() => this.#goOn(said, isNewWord), isPaced ? PACE_MS : WON_MS);
  }

  #saidOfWord() {
    const word = this.#spelling.signs.join("");
    const { rate, longest } = this.#pace;
    if (this.#flows && rate !== undefined && longest) {
      const { from, to, seconds } = longest;
      return text("pace", { word, rate: Math.round(rate), from, to, seconds: decimal(seconds) });
    }
    const level = this.#settings.list === "levels" ? LEVELS.indexOf(word) + 1 : 0;
    return level ? text("levelDone", { number: level, letters: [...word].join(" ") }) : text("wonAll", { word });
  }

  /** Leaves the letter. */
  skip() {
    if (this.#isWon) return;
    this.#statistics.skipped(this.#spelling.letter);
    this.#session.skipped();
    this.#pace.begin();
    this.#repeat = undefined;
    // Skipping the letter that was chosen leaves it.
    this.#timesLeft = Math.min(this.#timesLeft, 1);
    const isNewWord = this.#advance(true);
    this.#practise(this.#flows && !isNewWord);
    this.#goOn("", isNewWord);
  }

  /** Goes on; true if that is the first letter of another word. @param {boolean} isSkip */
  #advance(isSkip) {
    if (this.#timesLeft > 0) {
      this.#timesLeft -= 1;
      if (this.#timesLeft === 0) {
        this.#spelling = this.#newSpelling();
        return true;
      }
    }
    return this.#spelling.advance(isSkip);
  }

  /** The word from its first letter. */
  restart() {
    this.#spelling.restart();
    this.begin();
  }

  /** Shows everything anew, in another language. */
  retell() {
    this.#show();
  }

  /** Shows the letter that is practised already. @param {string} said What was said of the letter before. @param {boolean} isNewWord */
  #goOn(said, isNewWord) {
    this.#isWon = false;
    this.#show();
    const { letter, signs } = this.#spelling;
    const word = isNewWord && signs.length > 1 ? `${text("word", { word: signs.join("") })}. ` : "";
    byId("spoken").textContent = `${said} ${word}${text("next", { letter })}`.trim();
  }

  /** The levels to choose from, if they are practised. */
  #showLevels() {
    const isShown = this.#settings.list === "levels" && this.#timesLeft === 0;
    byId("levels").hidden = !isShown;
    if (!isShown) return;
    const options = LEVELS.map((letters, index) =>
      new Option(text("levelOf", { number: index + 1, letters: [...letters].join(" ") }), String(index + 1)));
    byId("level").replaceChildren(...options, new Option(text("levelWords", { number: WORD_LEVEL }), String(WORD_LEVEL)));
    byId("level").value = String(storedLevel());
  }

  #showWord() {
    const { signs, index } = this.#spelling;
    const items = signs.map((sign, place) => {
      const behind = this.#spelling.isSkipped(place) ? "skipped" : "done";
      const state = place < index ? behind : place === index ? "now" : "later";
      const key = /** @type {const} */ (
        { done: "letterDone", skipped: "letterPassed", now: "letterNow", later: "letterLater" })[state];
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

  /** How close the letter is, how long it has been held, and what is seen. */
  #showRing() {
    const percent = Math.round(100 * this.#spelling.probability);
    const held = Math.round(100 * this.#spelling.held(performance.now()));
    const ring = byId("ring");
    ring.style.setProperty("--share", percent);
    ring.style.setProperty("--held", held);
    ring.classList.toggle("warming", this.#isWarming);
    const number = text("percent", { number: percent });
    const state = this.#isWarming ? text("watching") : held > 0 ? text("holding")
      : this.#wrong.letter ? text("sees", { letter: this.#wrong.letter }) : this.#isOther ? text("noLetterYet") : "";
    set(byId("percent"), number);
    set(byId("ring-state"), state);
    ring.setAttribute("aria-valuenow", percent);
    ring.setAttribute("aria-valuetext", `${number} ${state}`.trim());
  }

  /** @param {string} hint */
  #say(hint, isGood = false) {
    if (byId("hint").textContent !== hint) byId("hint").textContent = hint;
    byId("hint").className = isGood ? "hint good" : "hint";
    if (!isGood && byId("spoken").textContent !== hint) byId("spoken").textContent = hint;
  }

  #clearHint() {
    this.#hintUntil = 0;
    this.#picture.mark([]);
    byId("hint").textContent = this.#isConcealed ? "" : describe(this.#spelling.letter);
    byId("hint").className = "hint plain";
  }

  /** @param {string} [first] The word to begin with, if the list has an order. */
  #newSpelling(first) {
    const labels = this.#labels;
    const weakest = (/** @type {number} */ count) => this.#statistics.weakest(labels, count);
    const { next, refused } = courseOf(this.#settings, { labels, packs: this.#packs, weakest, first });
    byId("own-list-problem").textContent =
      refused.length ? text("ownListBad", { labels: labels.join(" "), refused: refused.join(", ") }) : "";
    return new Spelling(labels, next);
  }

  /** The practice as it was when the page was left, if the list is still the same. */
  #resumed() {
    const { list, ownList, word, index } = readStored(PLACE, sessionStorage);
    if (list !== this.#settings.list || ownList !== this.#settings.ownList || !word) return this.#newSpelling();
    const spelling = this.#newSpelling(word);
    spelling.resume(word, index);
    return spelling;
  }

  #keepPlace() {
    if (this.#timesLeft > 0) return;
    const { list, ownList } = this.#settings;
    const { signs, index } = this.#spelling;
    sessionStorage.setItem(PLACE, JSON.stringify({ list, ownList, word: signs.join(""), index }));
  }
}

/** Setting what is there already would have the browser paint it again. @param {HTMLElement} element @param {string} shown */
function set(element, shown) {
  if (element.textContent !== shown) element.textContent = shown;
}

/** @param {{finger: import("./skeleton.js").Finger, how: "straighten"|"bend"|"move"}[]} fingers At least one. */
function adviceOn([first, second]) {
  const isOne = second?.how === first.how;
  const names = isOne ? text("fingers", { first: text(first.finger), second: text(second.finger) }) : text(first.finger);
  return text(first.how === "bend" ? "bend" : "straighten", { finger: names });
}
