/** The practice page: puts camera, client and views together. */

import { CameraError, listCameras, startCamera, stopCamera } from "./camera.js";
import { Celebration } from "./celebrate.js";
import { DactylClient } from "./client.js";
import { showDetails } from "./details.js";
import { Device } from "./device.js";
import { FramingView } from "./framing.js";
import { KeyQuestion, storedKey, takeKey } from "./key.js";
import { showProgress, showTop } from "./lists.js";
import { HandWatch, LightMeter, NoticeBoard, OtherHandWatch } from "./notice.js";
import { Overlay } from "./overlay.js";
import { loadPacks } from "./packs.js";
import { PracticeView } from "./practice.js";
import { ReadingView } from "./reading.js";
import { Session, showSummary } from "./session.js";
import { bindSettings } from "./settings.js";
import { Statistics } from "./statistics.js";
import { LANGUAGES, fillTexts, isRightToLeft, text, useLanguage } from "./text.js";

const LIGHT_MS = 1000;
/** Pictures after which the server is asked to answer, instead of those of a whole window: still letters are told as well. */
const MIN_WINDOW = 16;
/** How long a page is hidden before its camera is turned off. */
const HIDDEN_MS = 15_000;
/** How long it is said that it was. */
const SAID_MS = 5000;

/** @param {string} id */
const byId = (id) => /** @type {any} */ (document.getElementById(id));

takeKey();
byId("language").append(...Object.entries(LANGUAGES).map(([code, name]) => new Option(name, code)));
fillTexts();
const video = byId("video");
const board = new NoticeBoard(byId("notice"), byId("spoken-notice"));
const overlay = new Overlay(byId("overlay"));
const light = new LightMeter();
const hands = new HandWatch();
const otherHand = new OtherHandWatch();
const statistics = new Statistics();
const settings = bindSettings(byId("settings-form"), changed);
const celebration = new Celebration(settings);
const device = new Device(settings);
const framing = new FramingView(() => {
  practise();
  byId("pause").focus({ preventScroll: true });
});
const client = new DactylClient("ws", { key: storedKey(), extras: ["status", "top", "landmarks"] });
const keyQuestion = new KeyQuestion(byId("key-dialog"), useKey);
/** @type {PracticeView|undefined} Once the server has said which letters it knows. */
let practice;
/** What the server has said of itself. @type {Record<string, any>|undefined} */
let info;
/** The newest question for it. @type {AbortController|undefined} */
let asking;
/** The server's pipeline that is used, once one is. @type {string|null} */
let pipeline = null;
/** Number of the last start of sending: an earlier one that is not done yet is not gone on with. */
let sendings = 0;
let session = new Session();
let isRunning = false;
let isPaused = false;
/** Whether the camera was turned off while the page was hidden. */
let wasHidden = false;
/** @type {ReturnType<typeof setTimeout>|undefined} */
let hiddenTimer;

/**
 * @param {string} type
 * @param {(detail: any) => void} listener
 */
function on(type, listener) {
  client.addEventListener(type, (event) => listener(/** @type {CustomEvent} */ (event).detail));
}

on("state", connectionChanged);
on("sent", ({ width, height }) => overlay.resize(width, height));
on("feedback", (feedback) => {
  const seen = feedback.letter || "–";
  byId("seen").textContent = seen;
  byId("seen").classList.toggle("word", seen.length > 1);
  practice?.feedback(feedback);
  if (!feedback.letter) showTop([]);
});
on("top", (top) => {
  practice?.top(top);
  if (document.body.dataset.view === "explore" && byId("seen").textContent !== "–") showTop(top);
});
on("status", (status) => {
  practice?.status(status);
  const isWarming = status.status === "warming" && status.filled > 0;
  const key = isWarming ? "watching" : status.status === "other" ? "exploreOther" : "exploreEmpty";
  byId("top-empty").textContent = text(key);
});
on("landmarks", (landmarks) => {
  overlay.draw(landmarks);
  framing.look(landmarks);
  board.set("hand", hands.look(landmarks));
  practice?.compare(overlay.handOf(landmarks, settings.hand));
  if (otherHand.look(landmarks, settings.hand)) offerOtherHand();
});
on("ended", ({ outcome }) => {
  if (outcome === "analysed") practice?.analysed();
});
on("problem", ({ code, message }) => {
  if (code !== "tracker_failed") return;
  device.fail(message);
  setPaused(true);
});

/** @param {import("./client.js").StateChange} change */
function connectionChanged({ state, reason, retryMs }) {
  const values = { reason, seconds: Math.max(1, Math.round(retryMs / 1000)) };
  const tone = state === "connecting" ? "wait" : "bad";
  const key = state === "open" || state === "closed" ? undefined : state;
  // A try that fails at once would only make the notice flicker.
  if (state === "connecting" && board.isInTheWay) return;
  board.set("connection", key && { key, values, tone });
  if (state === "open") {
    if (!info) void learnLabels();
  } else if (state !== "connecting") {
    forgetWhatWasSeen();
  }
  // It may have been asked for what it has no longer.
  if (state === "refused") void learnLabels();
  if (state === "locked") keyQuestion.ask();
}

/** There is another key than before. */
function useKey() {
  client.key = storedKey();
  board.set("connection");
  // Each key may let in to other pipelines.
  info = undefined;
  void learnLabels();
}

function forgetWhatWasSeen() {
  overlay.draw(null);
  showTop([]);
  byId("seen").textContent = "–";
  practice?.forget();
  board.set("hand");
}

/** Asks the server which signs it knows, others are not practised, and what it takes. An earlier question is not waited for. */
async function learnLabels() {
  asking?.abort();
  const { signal } = (asking = new AbortController());
  try {
    const key = storedKey();
    const headers = key ? { Authorization: `Bearer ${key}` } : undefined;
    const [answer, packs] = await Promise.all([fetch("info", { headers, signal }), loadPacks()]);
    const said = answer.status === 401 ? null : /** @type {Record<string, any>} */ (await answer.json());
    if (signal.aborted) return;
    if (!said) {
      board.set("connection", { key: "locked", tone: "bad" });
      keyQuestion.ask();
      return;
    }
    if (JSON.stringify(said) === JSON.stringify(info)) return;
    const { labels } = said.pipelines[said.pipeline];
    const [landmarks, pictures] = [said.tracker ? pipelineOf(said, "landmarks") : "", pipelineOf(said, "pictures")];
    practice ??= new PracticeView({ client, settings, statistics, session, celebration, labels, packs });
    client.close();
    pipeline = null;
    device.offer = { landmarks, pictures, features: said.features };
    info = said;
    showView(document.body.dataset.view ?? "practise");
    practice.begin();
    if (isRunning && !isPaused) void send();
  } catch {
    // Asked again when the connection to the server is there. One that waits for a key does not come by itself.
    if (!signal.aborted && client.state === "locked" && isRunning && !isPaused) client.connect();
  }
}

/**
 * The pipeline that takes that, "" if there is none: the server's own one, or the one that ships for it. What others do beside it,
 * such as keeping pictures, the page does not know and could not tell the learner.
 * @param {Record<string, any>|undefined} said What the server has said of itself. @param {"landmarks"|"pictures"} kind
 */
function pipelineOf(said, kind) {
  const names = [said?.pipeline, kind === "landmarks" ? "landmarks" : "recognise"];
  return names.find((name) => said?.pipelines[name]?.takes === kind) ?? "";
}

/** Has the next connection use a pipeline, with what the page wants of it. @param {string} name */
function usePipeline(name) {
  const takesWindow = info?.pipelines[name].parameters.includes("min_window");
  client.setParameter("min_window", takesWindow ? MIN_WINDOW : null);
  client.setParameter("pipeline", name === info?.pipeline ? null : name);
  pipeline = name;
}

/** Sends what the camera sees, or what is found in it on this device. */
async function send() {
  sendings += 1;
  const sending = sendings;
  client.stop();
  // What the server takes is asked for when it is there.
  if (!info) {
    client.connect();
    return;
  }
  const tracker = await device.tracker(video);
  if (sending !== sendings || !isRunning || isPaused || tracker === "undecided") return;
  if (tracker === "stopped") {
    setPaused(true);
    return;
  }
  const name = pipelineOf(info, tracker ? "landmarks" : "pictures");
  if (!name) return;
  if (name !== pipeline) {
    client.close();
    usePipeline(name);
  }
  client.start(video, { tracker, parts: device.parts });
  client.connect();
  practice?.begin();
}

async function start() {
  byId("start").disabled = true;
  board.set("camera", { key: "cameraStarting", tone: "wait" });
  try {
    await startCamera(video, settings.camera, failCamera);
  } catch (error) {
    failCamera(error instanceof CameraError ? error : new CameraError("cameraFailed", String(error)));
    return;
  }
  board.set("camera");
  isRunning = true;
  byId("welcome").hidden = true;
  byId("pause").hidden = false;
  document.body.classList.add("running");
  byId("stage").style.setProperty("aspect-ratio", `${video.videoWidth} / ${video.videoHeight}`);
  void listChoices();
  if (!FramingView.isKnown && document.body.dataset.view === "practise") checkFraming();
  setPaused(false);
  // The button that had it is gone.
  if (!framing.isOpen) byId("pause").focus({ preventScroll: true });
}

/** Lets the learner see first whether the camera sees them. */
function checkFraming() {
  framing.begin();
  practise();
  byId("framing-skip").focus({ preventScroll: true });
}

/** Shows the letters to practise, or what comes before them. */
function practise() {
  location.hash = "practise";
  showView("practise");
}

/** @param {CameraError} [error] None if it was turned off on purpose. */
function failCamera(error) {
  isRunning = false;
  client.stop();
  stopCamera(video);
  if (framing.isOpen) {
    framing.leave();
    showView(document.body.dataset.view ?? "practise");
  }
  document.body.classList.remove("running");
  overlay.draw(null);
  board.set("light");
  board.set("hand");
  board.set("camera", error && { key: error.key, values: { reason: error.reason }, tone: "bad" });
  byId("welcome").hidden = false;
  byId("pause").hidden = true;
  byId("start").disabled = false;
}

async function listChoices() {
  const cameras = await listCameras();
  const options = cameras.map(({ deviceId, label }, index) => {
    return new Option(label || text("cameraDefault", { number: index + 1 }), deviceId);
  });
  const field = byId("settings-form").elements.namedItem("camera");
  field.replaceChildren(...options);
  field.value = settings.camera || (video.srcObject?.getVideoTracks()[0].getSettings().deviceId ?? "");
}

/** @param {boolean} paused */
function setPaused(paused) {
  isPaused = paused;
  byId("pause").textContent = text(paused ? "resume" : "pause");
  byId("stage").classList.toggle("paused", paused);
  if (paused) {
    client.stop();
    forgetWhatWasSeen();
    board.set("light");
    board.set("camera", { key: "paused", tone: "wait" });
  } else {
    board.set("camera");
    void send();
  }
}

/** @param {keyof import("./settings.js").Settings} name */
function changed(name) {
  applySettings();
  if (name === "camera" && isRunning) void start();
  if (name === "list" || name === "ownList") practice?.renew();
  if (name === "speed" || name === "recall" || name === "flow") practice?.begin();
  if (name === "goal") showLetters();
  if (name === "language") void speak();
  if (name === "tracking") {
    device.renew();
    if (isRunning && !isPaused) void send();
  }
  // What was turned on is heard or felt.
  if ((name === "sound" || name === "vibration") && settings[name]) celebration.won(false);
  if (name === "hand" || name === "mirrored" || name === "view") practice?.redraw();
}

function applySettings() {
  byId("stage").classList.toggle("mirrored", settings.mirrored);
  byId("details").hidden = !settings.details;
  byId("own-list").hidden = settings.list !== "own";
  for (const button of document.querySelectorAll("[data-hand]")) {
    button.setAttribute("aria-pressed", String(button.getAttribute("data-hand") === settings.hand));
  }
}

/** Says everything in the language of the settings. */
async function speak() {
  try {
    await useLanguage(settings.language);
    byId("language-problem").textContent = "";
  } catch {
    byId("language-problem").textContent = text("noLanguage");
    return;
  }
  fillTexts();
  byId("pause").textContent = text(isPaused ? "resume" : "pause");
  board.show();
  device.retell();
  practice?.retell();
  reading.retell();
  showLetters();
}

/** @param {string} view */
function showView(view) {
  document.body.dataset.view = view;
  for (const button of document.querySelectorAll("[data-show]")) {
    if (button.getAttribute("data-show") === view) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  practice?.setShown(view === "practise" && !framing.isOpen);
  if (view === "explore") client.practise("");
  if (view === "progress") showLetters();
}

/** Takes what the address names: a key, or the view that is shown. */
function showAddressed() {
  if (takeKey()) useKey();
  const view = location.hash.slice(1) || "practise";
  if (document.querySelector(`[data-show="${CSS.escape(view)}"]`)) showView(view);
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  const isTyping = target.closest("input, select, textarea, dialog");
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || isTyping) return;
  if (event.key === " " && !target.closest("button")) {
    event.preventDefault();
    if (isRunning) setPaused(!isPaused);
    else if (!byId("start").disabled) void start();
  }
  if (event.key === "Escape" && isRunning && !isPaused) setPaused(true);
  if (document.body.dataset.view !== "practise" || framing.isOpen) return;
  const [on, back] = isRightToLeft() ? ["ArrowLeft", "ArrowRight"] : ["ArrowRight", "ArrowLeft"];
  if (event.key === on) practice?.skip();
  if (event.key === back) practice?.restart();
}

/** A camera that nobody looks into is turned off. */
function hiddenOrShown() {
  clearTimeout(hiddenTimer);
  if (document.visibilityState === "hidden") {
    hiddenTimer = setTimeout(() => {
      wasHidden = isRunning;
      if (isRunning) failCamera();
    }, HIDDEN_MS);
  } else if (wasHidden) {
    wasHidden = false;
    void comeBack();
  }
}

/** Turns the camera on again and says that it was off. */
async function comeBack() {
  await start();
  if (!isRunning) return;
  board.set("camera", { key: "wasHidden", tone: "wait" });
  setTimeout(() => {
    if (isRunning && !isPaused) board.set("camera");
  }, SAID_MS);
}

function showLetters() {
  showProgress(statistics, practice?.labels ?? [], { goal: Number(settings.goal), hand: settings.hand, onChoose: choose });
}

/** Practises one letter. @param {string} letter */
function choose(letter) {
  practise();
  practice?.choose(letter);
  byId("letter").scrollIntoView({ block: "nearest" });
  byId("skip").focus();
}

/** Ends the sitting with what was done in it. */
function finish() {
  if (isRunning && !isPaused) setPaused(true);
  showSummary(session);
  session = new Session();
  if (practice) practice.session = session;
}

/** @param {File|undefined} file */
async function importProgress(file) {
  const isGood = file !== undefined && statistics.import(await file.text());
  byId("import-problem").textContent = isGood ? "" : text("importBad");
  if (isGood) byId("spoken").textContent = text("imported");
  showLetters();
}

function offerOtherHand() {
  const side = text(settings.hand === "left" ? "right" : "left");
  byId("other-hand-question").textContent = text("otherHand", { side });
  byId("other-hand").hidden = false;
  byId("spoken").textContent = text("otherHand", { side });
}

/** @param {boolean} isTaken */
function answerOtherHand(isTaken) {
  byId("other-hand").hidden = true;
  if (!isTaken) return;
  drawHand(settings.hand === "left" ? "right" : "left");
}

/** Draws the model as that hand, as the settings would. @param {string} hand */
function drawHand(hand) {
  const field = byId("settings-form").elements.namedItem("hand");
  field.value = hand;
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

function exportProgress() {
  const url = URL.createObjectURL(statistics.export());
  Object.assign(document.createElement("a"), { href: url, download: "dactyl-progress.json" }).click();
  URL.revokeObjectURL(url);
}

byId("start").addEventListener("click", start);
byId("pause").addEventListener("click", () => setPaused(!isPaused));
byId("finish").addEventListener("click", finish);
byId("open-settings").addEventListener("click", () => {
  byId("framing-again").hidden = !isRunning;
  byId("settings").returnValue = "";
  byId("settings").showModal();
});
byId("settings").addEventListener("close", () => {
  if (byId("settings").returnValue !== "framing" || !isRunning) return;
  checkFraming();
  if (isPaused) setPaused(false);
});
byId("summary").addEventListener("close", () => {
  const letter = byId("summary").returnValue;
  byId("summary").returnValue = "";
  if (letter) choose(letter);
});
for (const button of document.querySelectorAll("[data-hand]")) {
  button.addEventListener("click", () => drawHand(button.getAttribute("data-hand") ?? "right"));
}
byId("other-hand-yes").addEventListener("click", () => answerOtherHand(true));
byId("other-hand-no").addEventListener("click", () => answerOtherHand(false));
byId("export").addEventListener("click", exportProgress);
byId("import").addEventListener("click", () => byId("import-file").click());
byId("import-file").addEventListener("change", async () => {
  await importProgress(byId("import-file").files[0]);
  // The same file can be chosen again.
  byId("import-file").value = "";
});
byId("erase").addEventListener("click", () => byId("erase-dialog").showModal());
byId("erase-dialog").addEventListener("close", () => {
  if (byId("erase-dialog").returnValue !== "erase") return;
  statistics.erase();
  showLetters();
  byId("spoken").textContent = text("erased");
});
for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => (location.hash = button.getAttribute("data-show") ?? ""));
}
// The browser's Back goes to the view before.
addEventListener("hashchange", showAddressed);
addEventListener("keydown", pressed);
document.addEventListener("visibilitychange", hiddenOrShown);
setInterval(() => {
  if (isRunning && !isPaused) board.set("light", light.look(video));
}, LIGHT_MS);

applySettings();
device.renew();
const reading = new ReadingView(settings);
showAddressed();
showDetails(client, byId("details"));
// The first letter can be looked at before the camera is there. The server is connected to when it is.
void learnLabels();
