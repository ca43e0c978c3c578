/** The thread of tracker.js: loads the tracker's program and networks, and runs them on picture after picture. */

/**
 * @typedef {object} Program What `tracker.wasm` gives. The memory may grow with each call.
 * @property {WebAssembly.Memory} memory
 * @property {(bytes: number) => number} reserve Where the input is written, until the next call.
 * @property {(index: number, bytes: number) => number} add_network 0 = good, here and below; else `message` says what is wrong.
 * @property {(profile: number) => number} start
 * @property {(width: number, height: number, timestampUs: number) => number} track
 * @property {() => number} landmarks
 * @property {() => number} landmarks_length
 * @property {() => void} reset
 * @property {() => number} message
 * @property {() => number} message_length
 * @property {() => number} is_fused
 */

/** Pixels of a picture's width that are looked at. */
const MOST_WIDTH = 640;
const EXACT = 0;
const FAST = 1;
/** The parts in the order in which the program gives them, each with its landmarks; before these stand {@link FLAGS}. */
const PARTS = Object.entries({ pose: 33, left_hand: 21, right_hand: 21, face: 468 });
/** Of each part whether it was found, and whether there is a hand without a body. */
const FLAGS = PARTS.length + 1;
/** x, y, z and visibility. */
const VALUES = 4;
/** A program of one function that multiplies and adds four numbers at once, with one rounding or with two. */
const RELAXED_SIMD = [
  [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // WebAssembly, version 1
  [0x01, 0x08, 0x01, 0x60, 0x03, 0x7b, 0x7b, 0x7b, 0x01, 0x7b], // of three vectors one
  [0x03, 0x02, 0x01, 0x00],
  [0x0a, 0x0d, 0x01, 0x0b, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0xfd, 0x85, 0x02, 0x0b], // f32x4.relaxed_madd
];

const canvas = new OffscreenCanvas(1, 1);
const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
  canvas.getContext("2d", { alpha: false, willReadFrequently: true })
);
/** @type {Program} */
let program;

/** What goes wrong, and what is to be done about it. */
class Failure extends Error {
  /** @param {import("./tracker.js").Cause} cause @param {string} message */
  constructor(cause, message) {
    super(message, { cause });
  }
}

self.onmessage = async ({ data: { load: loading, track: tracking } }) => {
  try {
    if (loading) self.postMessage({ answer: await load(loading) });
    else if (tracking) self.postMessage({ answer: track(tracking) });
    else program.reset();
  } catch (error) {
    const { cause = "failed", message } = /** @type {Failure} */ (error);
    self.postMessage({ failure: { cause, message } });
  }
};

self.addEventListener("messageerror", () =>
  self.postMessage({ failure: { cause: "failed", message: "the picture did not reach the tracker's thread: load another tracker" } }),
);

/** @param {{base: string, isExact: boolean}} options @returns {Promise<boolean>} Whether networks give what the server's give. */
async function load({ base, isExact }) {
  const list = new URL("models/networks.json", base);
  /** @type {{name: string, sha256: string, bytes: number, url: string}[]} */
  const networks = await (await get(list, { cache: "no-cache" })).json();
  program = await compile(base);
  const total = networks.reduce((sum, { bytes }) => sum + bytes, 0);
  let before = 0;
  let toldAt = 0;
  for (const [index, network] of networks.entries()) {
    const told = (/** @type {number} */ loaded) => {
      if (before + loaded < total && before + loaded < toldAt + total / 100) return;
      toldAt = before + loaded;
      self.postMessage({ progress: [toldAt, total] });
    };
    const content = await download(network, new URL(network.url, list), told);
    before += network.bytes;
    write(content);
    succeed(program.add_network(index, content.length));
  }
  succeed(program.start(isExact ? EXACT : FAST));
  return program.is_fused() === 1;
}

/** @param {string} base @returns {Promise<Program>} */
async function compile(base) {
  const isRelaxed = WebAssembly.validate(new Uint8Array(RELAXED_SIMD.flat()));
  const answer = await get(new URL(isRelaxed ? "tracker.wasm" : "tracker-plain.wasm", base));
  try {
    const { instance } = await WebAssembly.instantiateStreaming(answer);
    return /** @type {any} */ (instance.exports);
  } catch (error) {
    throw whyNot(answer.url, /** @type {Error} */ (error));
  }
}

/** Why a program does not start. @param {string} url @param {Error} error */
function whyNot(url, error) {
  // Browsers tell by words alone that it is a policy. It is the one that came with this file.
  if (/Content.Security.Policy|CSP/i.test(error.message)) {
    const cure = "let its script-src have 'wasm-unsafe-eval'";
    return new Failure("forbidden", `the Content-Security-Policy of ${self.location.href} forbids WebAssembly: ${cure}`);
  }
  if (error instanceof WebAssembly.CompileError || error instanceof WebAssembly.LinkError) {
    return new Failure("unsupported", `this browser cannot run the tracker (${error}): use one of 2023 or later`);
  }
  return error instanceof TypeError ? unreachable(url, String(error)) : error;
}

/**
 * A network that is what the list says. What is in the browser's cache and is not that is loaded once more.
 * @param {{name: string, sha256: string, bytes: number}} network @param {URL} url @param {(loaded: number) => void} told
 */
async function download({ name, sha256, bytes }, url, told) {
  for (const cache of /** @type {const} */ (["default", "reload"])) {
    const content = await read(await get(url, { cache }), bytes, told);
    if (content && (await isOf(content, sha256))) return content;
  }
  throw new Failure("damaged", `${name} came damaged (its SHA-256 is not that of the list): load the page again, or ask who runs the server`);
}

/** @param {Response} answer @param {number} bytes @param {(loaded: number) => void} told @returns {Promise<Uint8Array<ArrayBuffer>|undefined>} */
async function read(answer, bytes, told) {
  const content = new Uint8Array(bytes);
  let loaded = 0;
  try {
    for (const reader = /** @type {ReadableStream} */ (answer.body).getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) return loaded === bytes ? content : undefined;
      if (loaded + value.length > bytes) {
        await reader.cancel();
        return undefined;
      }
      content.set(value, loaded);
      loaded += value.length;
      told(loaded);
    }
  } catch {
    throw unreachable(answer.url, "the connection ended");
  }
}

/** @param {Uint8Array<ArrayBuffer>} content @param {string} sha256 */
async function isOf(content, sha256) {
  // Browsers compute hashes for pages of localhost and of https only.
  if (!crypto.subtle) return true;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return sha256 === Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {URL} url @param {RequestInit} [how] */
async function get(url, how) {
  let answer;
  try {
    answer = await fetch(url, how);
  } catch (error) {
    throw unreachable(url.href, String(error));
  }
  if (answer.ok) return answer;
  const said = (await answer.text()).trim().slice(0, 200);
  if (answer.status === 404) throw new Failure("unavailable", `${url} is not there (${said}): send pictures to this server`);
  throw unreachable(url.href, `${answer.status} ${said}`);
}

/** @param {string} url @param {string} why */
function unreachable(url, why) {
  return new Failure("unreachable", `${url} cannot be loaded (${why}): try again when the server is there`);
}

/** @param {{picture: VideoFrame|ImageBitmap, timestampMs: number}} of @returns {import("./client.js").Found} */
function track({ picture, timestampMs }) {
  const [fullWidth, fullHeight] =
    "displayWidth" in picture ? [picture.displayWidth, picture.displayHeight] : [picture.width, picture.height];
  const scale = Math.min(1, MOST_WIDTH / fullWidth);
  const [width, height] = [Math.round(fullWidth * scale), Math.round(fullHeight * scale)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  try {
    context.drawImage(picture, 0, 0, width, height);
  } finally {
    picture.close();
  }
  write(context.getImageData(0, 0, width, height).data);
  succeed(program.track(width, height, timestampMs * 1000));
  const values = new Float32Array(program.memory.buffer, program.landmarks(), program.landmarks_length());
  let at = FLAGS;
  const parts = PARTS.map(([name, count], index) => {
    const points = Array.from({ length: count }, (_, point) => [...values.subarray(at + VALUES * point, at + VALUES * (point + 1))]);
    at += VALUES * count;
    return [name, values[index] ? points : null];
  });
  return { width, height, handOnly: values[FLAGS - 1] === 1, parts: Object.fromEntries(parts) };
}

/** Puts what the program is to read into its memory. @param {ArrayLike<number> & {length: number}} input */
function write(input) {
  const at = program.reserve(input.length);
  new Uint8Array(program.memory.buffer, at, input.length).set(input);
}

/** @param {number} outcome */
function succeed(outcome) {
  if (outcome === 0) return;
  const bytes = new Uint8Array(program.memory.buffer, program.message(), program.message_length());
  throw new Failure("failed", new TextDecoder().decode(bytes));
}
