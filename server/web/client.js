/**
 * A client of Dactyl in one file without dependencies: copy it next to your own modules.
 *
 *     import { DactylClient } from "./client.js";
 *     const client = new DactylClient("https://learn.example.org/ws");
 *     client.addEventListener("feedback", ({ detail }) => console.log(detail.letter, detail.probability));
 *     client.connect();
 *     client.practise("B");
 *     client.start(video); // a <video> that plays the camera
 *
 * With a tracker of `tracker.js` pictures stay in the browser, and landmarks are sent: `client.start(video, { tracker })`. A page
 * that finds landmarks in another way sends these by itself: {@link DactylClient.sendLandmarks}.
 *
 * Events, each a CustomEvent with its `detail`:
 *
 * | event       | detail                   | when                                                             |
 * |-------------|--------------------------|------------------------------------------------------------------|
 * | `state`     | {@link StateChange}      | the connection changes                                           |
 * | `feedback`  | {@link Feedback}         | the letter or the practised letter's probability has changed     |
 * | `status`    | {@link Status}           | the server's window fills, a hand comes, goes or shows no letter |
 * | `top`       | `[letter, probability][]`| every result: the best letters, best first                       |
 * | `landmarks` | {@link Landmarks}        | every analysed frame; with a tracker, every one that it has sent |
 * | `sent`      | {@link Sent}             | a frame has left                                                 |
 * | `ended`     | {@link Ended}            | the server is done with a frame                                  |
 * | `problem`   | `{code, message}`        | the server refused a message; `tracker_failed`: {@link start}    |
 *
 * `status`, `top` and `landmarks` come if `extras` names them, and `landmarks` with a tracker. A page of another origin than the server's must be
 * listed in its `server.allowed_origins`. Needs a browser of 2023 or later.
 *
 * Licence: MIT or Apache-2.0.
 */

/**
 * @typedef {"closed"|"connecting"|"open"|"full"|"away"|"idle"|"locked"|"refused"} State
 *   `closed`: not asked to connect. `full`: no place on the server. `away`: it cannot be reached. `idle`: it closed the
 *   connection because nothing was sent; the next frame or letter connects again. `locked`: it wants a key, or another one:
 *   set {@link DactylClient.key} and {@link DactylClient.connect}. `refused`: it does not want this client; `reason` says
 *   why, in `locked` too. The client tries again by itself in `full`, `away` and `refused`.
 * @typedef {{state: State, reason: string, retryMs: number}} StateChange `retryMs`: time to the next try, or 0.
 * @typedef {{letter: string, probability: number, frame?: number, ageMs?: number, timings?: Record<string, number>}}
 *   Feedback `letter`: what is seen, "" = no letter. `probability`: of the practised letter, 0 to 1. `frame` is absent
 *   from the 0 % that answers a new letter. `ageMs`: since the frame was taken from the video.
 * @typedef {{status: "warming"|"ready"|"no_hand"|"other", filled: number, window: number, handOnly: boolean}} Status `other`:
 *   a hand that shows no letter. `handOnly`: a hand is seen, but nobody whose hand it is, as close to the camera.
 * @typedef {[number, number, number, number]} Landmark x and y as shares of the picture, z, visibility
 * @typedef {{frame: number, pose: Landmark[]|null, face: Landmark[]|null, left_hand: Landmark[]|null,
 *   right_hand: Landmark[]|null}} Landmarks
 * @typedef {{left_hand?: number[][]|null, right_hand?: number[][]|null, pose?: number[][]|null, face?: number[][]|null}} Parts
 *   Of each landmark [x, y, z], or [x, y, z, visibility]. A part that was not found is null or missing.
 * @typedef {{width: number, height: number, handOnly: boolean, parts: Omit<Landmarks, "frame">}} Found What a tracker finds in a
 *   picture of that many pixels. `handOnly`: as in {@link Status}.
 * @typedef {{track: (video: HTMLVideoElement, timestampMs: number) => Promise<Found>, reset: () => void}} Tracker As
 *   `tracker.js` has one. It rejects with a `cause` of `busy` or `no_picture` if only this picture could not be tracked.
 * @typedef {keyof Parts} Part
 * @typedef {{frame: number, bytes: number, width: number, height: number}} Sent
 * @typedef {{frame: number, outcome: "analysed"|"dropped"|"cancelled"|"refused", roundTripMs: number}} Ended
 * @typedef {object} Options
 * @property {number} fps Frames a second at most; fewer if the server cannot keep up. 30 unless given.
 * @property {number} maxInFlight Frames that may be on their way at a time, 2 unless given. Newer ones wait in the
 *   camera; of those the newest goes.
 * @property {number} width Width of the frames that are sent, in pixels; smaller videos stay as they are. 640.
 * @property {number} quality Of the JPEGs, 0 to 1. 0.8.
 * @property {string} key The key or the token of a server that asks for one; "" = none. It is sent as a WebSocket subprotocol.
 * @property {string[]} extras Further extras of the protocol: `status`, `top`, `landmarks`.
 */

const ENCODER = "dactyl-encoder";
/** What the client itself needs of the protocol. */
const OWN_EXTRAS = ["frame", "timings", "ended", "rate"];
const FIRST_RETRY_MS = 500;
const MOST_RETRY_MS = 10_000;
/** A server that is silent for this long with frames under way, or that does not open a socket in this time, hangs. */
const MOST_SILENT_MS = 10_000;
/** Close code of a server that ends. */
const GOING_AWAY = 1001;
/** Close code of a session whose key or token is not valid any more. */
const KEY_ENDED = 3000;
/** What can be a WebSocket subprotocol. */
const KEY_FORM = /^[\w.~-]*$/;
/** How often the time of silence is looked at. */
const LOOK_MS = 1000;
/** A place may get free, or another server may answer, between a socket that was refused and the question why. */
const UNEXPLAINED_TRIES = 3;
const NO_UPGRADE = "a plain request gets through, a WebSocket does not; let the proxy in front forward upgrades";

/** A connection to a server, kept up until {@link close}. */
export class DactylClient extends EventTarget {
  /** @type {Options} */
  #options;
  #url;
  /** @type {State} */
  #state = "closed";
  /** @type {WebSocket|null} */
  #socket = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #retry;
  #retryMs = FIRST_RETRY_MS;
  /** Sockets in a row that were refused although a plain request says that they would be let in. */
  #unexplained = 0;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #watchdog;
  /** When the server was last heard, or when it was given something to answer after a pause. */
  #heardAt = 0;
  #lookedAt = 0;
  /** @type {string|null} */
  #letter = null;
  /** @type {HTMLVideoElement|null} */
  #video = null;
  /** Number of the last start or stop: what an earlier one has begun still ends, and changes nothing. */
  #turn = 0;
  /** @type {Worker|null} */
  #encoder = null;
  /** @type {Tracker|null} */
  #tracker = null;
  /** Parts of what the tracker finds that are sent. @type {Part[]} */
  #parts = [];
  /** Whether the tracker's newest picture shows a hand without a body: the server does not see what is not sent. */
  #handOnly = false;
  /** What the server has last told of its window, on this connection. @type {Status|null} */
  #status = null;
  /** Whether a picture is at the encoder or at the tracker. */
  #isTaking = false;
  #hasNewPicture = false;
  /** When the next frame is due at the frame rate in force. */
  #due = 0;
  #frames = 0;
  /** First frame after the last new letter: what was computed from earlier ones is not told. */
  #firstFrame = 1;
  /** When the frames that the server has not ended were taken. @type {Map<number, number>} */
  #inFlight = new Map();
  #serverRate = Infinity;
  #counts = { sent: 0, analysed: 0, dropped: 0, cancelled: 0, refused: 0 };

  /**
   * @param {string|URL} url Address of the server's `/ws`, as ws, wss, http or https; `?pipeline=NAME` may follow.
   * @param {Partial<Options>} [options]
   */
  constructor(url, options = {}) {
    super();
    this.#options = { fps: 30, maxInFlight: 2, width: 640, quality: 0.8, key: "", extras: [], ...options };
    this.#url = new URL(url, globalThis.location?.href);
  }

  /**
   * Sets a parameter of the server's pipeline, or which `pipeline`, from the next connection on. Null leaves it to the server.
   * @param {string} name @param {string|number|null} value
   */
  setParameter(name, value) {
    if (value === null) this.#url.searchParams.delete(name);
    else this.#url.searchParams.set(name, String(value));
  }

  /** The key or the token, from the next connection on; "" = none. @param {string} key */
  set key(key) {
    this.#options.key = key.trim();
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** Frames sent and what became of them, since the client was made; `rate`: what the server can keep up with. */
  get counts() {
    return { ...this.#counts, inFlight: this.#inFlight.size, rate: this.#serverRate };
  }

  /** Frames a second at most, from now on. */
  set fps(fps) {
    this.#options.fps = fps;
  }

  get fps() {
    return this.#options.fps;
  }

  /** Connects, and again whenever the connection is lost. Does nothing while connected. */
  connect() {
    clearTimeout(this.#retry);
    if (this.#socket) return;
    const { key } = this.#options;
    if (!KEY_FORM.test(key)) {
      this.#become("locked", "a key has only letters, digits and - . _ ~");
      return;
    }
    this.#become("connecting");
    const url = this.#address();
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, key ? ["dactyl.v1", `bearer.${key}`] : "dactyl.v1");
    this.#socket = socket;
    let wasOpen = false;
    this.#heardAt = this.#lookedAt = performance.now();
    clearInterval(this.#watchdog);
    this.#watchdog = setInterval(() => this.#giveUpIfSilent(), LOOK_MS);
    socket.onopen = () => {
      wasOpen = true;
      this.#heardAt = performance.now();
      this.#unexplained = 0;
      this.#frames = 0;
      this.#firstFrame = 1;
      this.#inFlight.clear();
      this.#status = null;
      this.#serverRate = Infinity;
      this.#due = 0;
      this.#become("open");
      if (this.#letter !== null) this.practise(this.#letter);
    };
    socket.onmessage = ({ data }) => {
      if (this.#socket !== socket) return;
      this.#heardAt = performance.now();
      this.#retryMs = FIRST_RETRY_MS;
      this.#receive(JSON.parse(data));
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      this.#leave();
      if (wasOpen && code === 1000) this.#become("idle", reason);
      else if (wasOpen && code === GOING_AWAY) this.#goElsewhere();
      else if (wasOpen && code === KEY_ENDED) this.#lock(reason);
      else if (wasOpen) this.#tryLater("away", reason);
      else this.#askWhy();
    };
  }

  /** Where to connect. What a tracker has found need not be told. */
  #address() {
    const url = new URL(this.#url);
    const extras = this.#options.extras.filter((extra) => !(this.#tracker && extra === "landmarks"));
    url.searchParams.set("extras", [...OWN_EXTRAS, ...extras].join());
    return url;
  }

  /** Ends the connection for good, or until {@link connect}. */
  close() {
    clearTimeout(this.#retry);
    this.#leave();
    this.#become("closed");
  }

  /**
   * Sets the letter to practise, "" for none. Everything that the server has seen so far is forgotten, so that the same
   * letter again starts afresh.
   * @param {string} letter
   */
  practise(letter) {
    this.#letter = letter;
    this.#firstFrame = this.#frames + 1;
    if (this.#state === "open") this.#socket?.send(JSON.stringify({ jpeg_blob: null, new_letter: letter }));
    else if (this.#state === "idle") this.connect();
  }

  /**
   * Sends the pictures of a video from now on. They are taken as the video has them, whatever its style mirrors: the
   * server must see what the camera sees. With a tracker what it finds in them is sent, and no picture, to a pipeline that takes
   * landmarks (`?pipeline=landmarks`). One picture is tracked at a time, and the newest is the next. If the tracker fails,
   * nothing more is sent, and `problem` tells why.
   * @param {HTMLVideoElement} video
   * @param {{tracker?: Tracker|null, parts?: Part[]}} [how] `parts`: those that are sent, the hands unless given. Letters need no
   *   others.
   */
  start(video, { tracker = null, parts = ["left_hand", "right_hand"] } = {}) {
    this.#parts = parts;
    if (video === this.#video && tracker === this.#tracker) return;
    this.stop();
    this.#video = video;
    this.#tracker = tracker;
    if (tracker) tracker.reset();
    else this.#encoder = this.#startEncoder();
    this.#watch(video);
  }

  /**
   * Sends the landmarks of a picture instead of the picture, to a pipeline that takes landmarks (`?pipeline=landmarks`). Call
   * it for every picture, also for those that show no hand.
   * @param {Parts} parts
   * @param {number} width Of the picture, in pixels.
   * @param {number} height
   * @returns {boolean} Whether they left: not while there is no connection, nor before a frame is due or while the server has
   *   enough of them. There is nothing to be done about it but to send those of the next picture.
   */
  sendLandmarks(parts, width, height) {
    const now = performance.now();
    if (!this.#isDue(now)) return false;
    this.#sendFrame(JSON.stringify({ landmarks: parts, width, height }), { width, height, takenAt: now });
    return true;
  }

  /** Sends no more pictures; the connection stays. */
  stop() {
    this.#turn += 1;
    this.#video = null;
    this.#hasNewPicture = false;
    this.#isTaking = false;
    this.#tracker = null;
    this.#handOnly = false;
    this.#encoder?.terminate();
    this.#encoder = null;
  }

  /** @param {HTMLVideoElement} video */
  #watch(video) {
    const turn = this.#turn;
    const next = () => {
      if (this.#turn !== turn) return;
      this.#hasNewPicture = true;
      this.#sendNewest();
      if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(next);
      else setTimeout(next, 1000 / this.#options.fps);
    };
    next();
  }

  /** Takes the video's newest picture, if there is one and it is time for one. */
  #sendNewest() {
    const video = this.#video;
    if (!video || !hasPicture(video) || !this.#hasNewPicture || this.#isTaking) return;
    const now = performance.now();
    if (!this.#isDue(now)) return;
    this.#hasNewPicture = false;
    this.#isTaking = true;
    if (this.#tracker) {
      void this.#track(this.#tracker, video, now);
      return;
    }
    const scale = Math.min(1, this.#options.width / video.videoWidth);
    const width = Math.round(video.videoWidth * scale);
    const height = Math.round(video.videoHeight * scale);
    const size = { width, height, quality: this.#options.quality, takenAt: now };
    const turn = this.#turn;
    pictureOf(video).then(
      (picture) => (this.#turn === turn ? this.#encoder?.postMessage({ picture, ...size }, [picture]) : picture.close()),
      () => this.#endTaking(turn), // the video has just ended
    );
  }

  /** @param {Tracker} tracker @param {HTMLVideoElement} video @param {number} takenAt */
  async #track(tracker, video, takenAt) {
    const turn = this.#turn;
    try {
      const { width, height, handOnly, parts } = await tracker.track(video, takenAt);
      if (this.#turn === turn && this.#state === "open") {
        if (this.#handOnly !== handOnly) {
          this.#handOnly = handOnly;
          this.#tellStatus();
        }
        const landmarks = Object.fromEntries(this.#parts.map((part) => [part, parts[part]]));
        this.#sendFrame(JSON.stringify({ landmarks, width, height }), { width, height, takenAt });
        this.#tell("landmarks", { frame: this.#frames, ...parts });
      }
    } catch (error) {
      const { cause, message } = /** @type {Error} */ (error);
      // If it was stopped, or if the video has just ended, that is all.
      if (this.#turn === turn && cause !== "busy" && cause !== "no_picture" && hasPicture(video)) {
        this.stop();
        this.#tell("problem", { code: "tracker_failed", message });
      }
    }
    if (this.#endTaking(turn)) this.#sendNewest();
  }

  /**
   * The encoder or the tracker is done with a picture.
   * @param {number} turn In which it was taken.
   * @returns {boolean} Whether that is this one.
   */
  #endTaking(turn) {
    if (this.#turn !== turn) return false;
    this.#isTaking = false;
    return true;
  }

  /** Whether a frame may leave now, which is then the last one for a while. Asks for the connection if that was idle. */
  #isDue(/** @type {number} */ now) {
    if (this.#state === "idle") this.connect();
    if (this.#state !== "open" || this.#inFlight.size >= this.#options.maxInFlight) return false;
    if (this.#socket?.bufferedAmount || now < this.#due) return false;
    const period = 1000 / Math.min(this.#options.fps, this.#serverRate);
    this.#due = Math.max(this.#due, now - period) + period;
    return true;
  }

  /**
   * @param {ArrayBuffer|string} frame
   * @param {{width: number, height: number, takenAt: number}} of
   */
  #sendFrame(frame, { width, height, takenAt }) {
    this.#frames += 1;
    this.#counts.sent += 1;
    if (!this.#inFlight.size) this.#heardAt = performance.now();
    this.#inFlight.set(this.#frames, takenAt);
    this.#socket?.send(frame);
    const bytes = typeof frame === "string" ? frame.length : frame.byteLength;
    this.#tell("sent", { frame: this.#frames, bytes, width, height });
  }

  /** Pictures become JPEGs on a thread of their own, which runs the end of this file. */
  #startEncoder() {
    const turn = this.#turn;
    const encoder = new Worker(import.meta.url, { type: "module", name: ENCODER });
    encoder.onmessage = ({ data: { jpeg, width, height, takenAt } }) => {
      if (!this.#endTaking(turn) || this.#state !== "open") return;
      this.#sendFrame(jpeg, { width, height, takenAt });
      this.#sendNewest();
    };
    encoder.onerror = () => this.#endTaking(turn);
    return encoder;
  }

  /** @param {Record<string, any>} message */
  #receive(message) {
    if ("target_arg_prob" in message) {
      const { maxarg_letter: letter, target_arg_prob: probability, frame, timings } = message;
      if (frame < this.#firstFrame) return;
      const takenAt = this.#inFlight.get(frame);
      const ageMs = takenAt && performance.now() - takenAt;
      this.#tell("feedback", { letter, probability, frame, timings, ageMs });
    } else if (message.ended) {
      for (const [frame, outcome] of message.ended) {
        const roundTripMs = performance.now() - (this.#inFlight.get(frame) ?? NaN);
        this.#inFlight.delete(frame);
        this.#counts[/** @type {Ended["outcome"]} */ (outcome)] += 1;
        this.#tell("ended", { frame, outcome, roundTripMs });
      }
      this.#sendNewest();
    } else if (message.rate) {
      this.#serverRate = message.rate;
    } else if (message.status) {
      const [status, filled, window] = message.status.split(/[ /]/);
      this.#status = { status, filled: Number(filled), window: Number(window), handOnly: message.hand_only ?? false };
      this.#tellStatus();
    } else if (message.top) {
      this.#tell("top", message.top);
    } else if (message.landmarks && !this.#tracker) {
      this.#tell("landmarks", message.landmarks);
    } else if (message.error) {
      this.#tell("problem", message.error);
    }
  }

  /** Tells what the server has told, and of a tracker what it alone knows. */
  #tellStatus() {
    if (!this.#status) return;
    this.#tell("status", this.#tracker ? { ...this.#status, handOnly: this.#handOnly } : this.#status);
  }

  /** Lets go of the socket, whatever it may still say. */
  #leave() {
    const socket = this.#socket;
    this.#socket = null;
    clearInterval(this.#watchdog);
    socket?.close();
  }

  /** A server that hangs keeps its connections open: a browser notices only when the system gives up, minutes later. */
  #giveUpIfSilent() {
    const now = performance.now();
    // Where the page itself slept, what the server has said meanwhile is not read yet.
    const hasSlept = now - this.#lookedAt > 3 * LOOK_MS;
    this.#lookedAt = now;
    if (hasSlept || (this.#state === "open" && !this.#inFlight.size)) this.#heardAt = now;
    if (now - this.#heardAt < MOST_SILENT_MS) return;
    this.#leave();
    this.#tryLater("away", "the server has fallen silent");
  }

  /** The server ends, as it does for an update: it comes back at once, or another one is behind the same address. */
  #goElsewhere() {
    this.#inFlight.clear();
    this.#become("connecting");
    // Others that it has sent away must not all come in the same moment.
    this.#retry = setTimeout(() => this.connect(), Math.random() * FIRST_RETRY_MS);
  }

  /** Browsers hide why a WebSocket was refused; the same address asked by HTTP tells. */
  async #askWhy() {
    const url = this.#address();
    url.protocol = url.protocol.replace("ws", "http");
    try {
      const { key } = this.#options;
      const headers = key ? { Authorization: `Bearer ${key}` } : undefined;
      const answer = await fetch(url, { headers, cache: "no-store", signal: AbortSignal.timeout(5000) });
      const { status } = answer;
      if (status === 426) {
        this.#unexplained += 1;
        if (this.#unexplained < UNEXPLAINED_TRIES) this.#tryLater("away", "");
        else this.#tryLater("refused", noUpgrade(url));
        return;
      }
      const reason = (await answer.text()).trim();
      if (status === 401) {
        this.#lock(reason);
        return;
      }
      const retryAfterS = Number(answer.headers.get("Retry-After"));
      const isFull = status === 503 && retryAfterS > 0;
      const isRefused = status === 400 || status === 403;
      this.#tryLater(isFull ? "full" : isRefused ? "refused" : "away", reason, retryAfterS * 1000);
    } catch {
      this.#tryLater("away", "");
    }
  }

  /** Nothing but another key helps. @param {string} reason */
  #lock(reason) {
    if (this.#state === "closed" || this.#socket) return;
    this.#inFlight.clear();
    this.#become("locked", reason);
  }

  /** @param {State} state @param {string} reason @param {number} [leastMs] What the server asks to wait at least. */
  #tryLater(state, reason, leastMs) {
    if (this.#state === "closed" || this.#socket) return;
    // Clients that lost the same server must not all come back in the same moment.
    const wait = leastMs ? leastMs * (1 + Math.random() / 2) : this.#retryMs * (0.75 + Math.random() / 2);
    this.#retryMs = Math.min(2 * this.#retryMs, MOST_RETRY_MS);
    this.#inFlight.clear();
    this.#become(state, reason, wait);
    this.#retry = setTimeout(() => this.connect(), wait);
  }

  /** @param {State} state */
  #become(state, reason = "", retryMs = 0) {
    this.#state = state;
    this.#tell("state", { state, reason, retryMs });
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * Why a WebSocket may be refused where a plain request is not. Of the page's own origin the latter carries no `Origin`, so
 * the server does not see that it would refuse the page.
 * @param {URL} url
 */
function noUpgrade({ origin }) {
  const page = globalThis.location?.origin;
  return page === origin ? `${NO_UPGRADE}, or add ${page} to server.allowed_origins` : NO_UPGRADE;
}

/** Whether a video shows a picture: its size alone is known earlier. @param {HTMLVideoElement} video */
function hasPicture(video) {
  return video.videoWidth > 0 && !(video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA);
}

/**
 * The picture that a video shows, in a form that can be given to another thread without a copy where the browser can.
 * @param {HTMLVideoElement} video
 * @returns {Promise<ImageBitmap|VideoFrame>}
 */
async function pictureOf(video) {
  return "VideoFrame" in globalThis ? new VideoFrame(video) : createImageBitmap(video);
}

if (self.name === ENCODER && typeof document === "undefined") {
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  self.onmessage = async ({ data: { picture, width, height, quality, takenAt } }) => {
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context?.drawImage(picture, 0, 0, width, height);
    picture.close();
    const jpeg = await (await canvas.convertToBlob({ type: "image/jpeg", quality })).arrayBuffer();
    self.postMessage({ jpeg, width, height, takenAt }, { transfer: [jpeg] });
  };
}
