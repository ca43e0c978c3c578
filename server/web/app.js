/** The practice page: puts camera, client and views together. */

import { CameraError, listCameras, startCamera, stopCamera } from "./camera.js";
import { DactylClient } from "./client.js";
import { showDetails } from "./details.js";
import { showProgress, showTop } from "./lists.js";
import { HandWatch, LightMeter, NoticeBoard } from "./notice.js";
import { Overlay } from "./overlay.js";
import { PracticeView } from "./practice.js";
import { bindSettings } from "./settings.js";
import { Statistics } from "./statistics.js";
import { fillTexts, text } from "./text.js";

const LIGHT_MS = 1000;

/** @param {string} id */
const byId = (id) => /** @type {any} */ (document.getElementById(id));

fillTexts();
const video = byId("video");
const board = new NoticeBoard(byId("notice"), byId("spoken-notice"));
const overlay = new Overlay(byId("overlay"));
const light = new LightMeter();
const hands = new HandWatch();
const statistics = new Statistics();
const settings = bindSettings(byId("settings-form"), changed);
const client = new DactylClient("/ws", { extras: ["status", "top", "landmarks"] });
/** @type {PracticeView|undefined} Once the server has said which letters it knows. */
let practice;
let isRunning = false;
let isPaused = false;

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
  if (document.body.dataset.view === "explore" && byId("seen").textContent !== "–") showTop(top);
});
on("status", ({ status, filled, window }) => {
  const isWarming = status === "warming" && filled > 0;
  board.set("window", isWarming ? { key: "warming", values: { filled, window }, tone: "wait" } : undefined);
});
on("landmarks", (landmarks) => {
  overlay.draw(landmarks);
  board.set("hand", hands.look(landmarks));
  practice?.compare(overlay.handOf(landmarks, settings.hand));
});
on("ended", ({ outcome }) => {
  if (outcome === "analysed") practice?.analysed();
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
    if (!practice) void learnLabels();
  } else if (state !== "connecting") {
    forgetWhatWasSeen();
  }
}

function forgetWhatWasSeen() {
  overlay.draw(null);
  showTop([]);
  byId("seen").textContent = "–";
  practice?.forget();
  board.set("window");
  board.set("hand");
}

/** Asks the server which signs it knows: others are not practised. */
async function learnLabels() {
  try {
    const info = await (await fetch("/info")).json();
    const labels = info.pipelines[info.pipeline].labels;
    practice ??= new PracticeView({ client, settings, statistics, labels });
    showView(document.body.dataset.view ?? "practise");
    practice.begin();
  } catch {
    // Asked again when the connection to the server is there.
  }
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
  setPaused(false);
  // The button that had it is gone.
  byId("pause").focus({ preventScroll: true });
}

/** @param {CameraError} error */
function failCamera({ key, reason }) {
  isRunning = false;
  client.stop();
  stopCamera(video);
  document.body.classList.remove("running");
  overlay.draw(null);
  board.set("light");
  board.set("hand");
  board.set("camera", { key, values: { reason }, tone: "bad" });
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
    client.connect();
    client.start(video);
    practice?.begin();
  }
}

/** @param {keyof import("./settings.js").Settings} name */
function changed(name) {
  applySettings();
  if (name === "camera" && isRunning) void start();
  if (name === "list" || name === "ownList") practice?.renew();
  if (name === "speed") practice?.begin();
  if (name === "hand" || name === "mirrored" || name === "view") practice?.redraw();
}

function applySettings() {
  byId("stage").classList.toggle("mirrored", settings.mirrored);
  byId("details").hidden = !settings.details;
  byId("own-list").hidden = settings.list !== "own";
}

/** @param {string} view */
function showView(view) {
  document.body.dataset.view = view;
  for (const button of document.querySelectorAll("[data-show]")) {
    if (button.getAttribute("data-show") === view) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  practice?.setShown(view === "practise");
  if (view === "explore") client.practise("");
  if (view === "progress") showProgress(statistics);
}

function exportProgress() {
  const url = URL.createObjectURL(statistics.export());
  Object.assign(document.createElement("a"), { href: url, download: "dactyl-progress.json" }).click();
  URL.revokeObjectURL(url);
}

byId("start").addEventListener("click", start);
byId("pause").addEventListener("click", () => setPaused(!isPaused));
byId("open-settings").addEventListener("click", () => byId("settings").showModal());
byId("export").addEventListener("click", exportProgress);
byId("erase").addEventListener("click", () => byId("erase-dialog").showModal());
byId("erase-dialog").addEventListener("close", () => {
  if (byId("erase-dialog").returnValue !== "erase") return;
  statistics.erase();
  showProgress(statistics);
  byId("spoken").textContent = text("erased");
});
for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => showView(button.getAttribute("data-show") ?? "practise"));
}
setInterval(() => {
  if (isRunning && !isPaused) board.set("light", light.look(video));
}, LIGHT_MS);

applySettings();
showDetails(client, byId("details"));
// The first letter can be looked at before the camera is there. The server is connected to when it is.
void learnLabels();
