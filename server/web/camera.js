/** The camera: which there are, starting one, and why it does not start. */

/** Ideal, so that a camera that has no such mode gives what it has. */
const SIZE = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 }, resizeMode: { ideal: "none" } };

/** Why there is no picture: the key of a text. */
export class CameraError extends Error {
  /** @param {import("./text.js").TextKey} key @param {string} [reason] */
  constructor(key, reason = "") {
    super(key);
    this.key = key;
    this.reason = reason;
  }
}

/**
 * Plays a camera in `video`.
 * @param {HTMLVideoElement} video
 * @param {string} deviceId "" = the browser's choice
 * @param {(error: CameraError) => void} onLost Called if the camera goes away later.
 */
export async function startCamera(video, deviceId, onLost) {
  stopCamera(video);
  if (!navigator.mediaDevices) throw new CameraError("cameraInsecure");
  try {
    const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" };
    const stream = await openStream({ video: { ...SIZE, ...which }, audio: false });
    const [track] = stream.getVideoTracks();
    video.srcObject = stream;
    track.addEventListener("ended", () => onLost(new CameraError(hasPlayed(video) ? "cameraLost" : "cameraInUse")));
    await video.play();
    if (track.readyState === "ended") throw new DOMException("no picture came", "NotReadableError");
  } catch (error) {
    throw asCameraError(/** @type {DOMException} */ (error));
  }
}

/** A camera that another program has may open and end without a picture: a single black one is shown then.
 * @param {HTMLVideoElement} video */
function hasPlayed(video) {
  return video.getVideoPlaybackQuality().totalVideoFrames > 1;
}

/** @param {HTMLVideoElement} video */
export function stopCamera(video) {
  const stream = /** @type {MediaStream|null} */ (video.srcObject);
  for (const track of stream?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}

/** Every camera with its name; names are known once a camera was allowed. */
export async function listCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((device) => device.kind === "videoinput" && device.deviceId);
}

/** @param {MediaStreamConstraints} constraints */
async function openStream(constraints) {
  try {
    return await navigator.mediaDevices.getUserMedia(constraints);
  } catch (error) {
    // The camera of the settings is no longer there: any other will do.
    if (/** @type {DOMException} */ (error).name !== "OverconstrainedError") throw error;
    return navigator.mediaDevices.getUserMedia({ video: SIZE, audio: false });
  }
}

/** @param {DOMException} error */
function asCameraError(error) {
  switch (error.name) {
    case "NotFoundError":
      return new CameraError("cameraNone");
    case "NotAllowedError":
      return new CameraError("cameraRefused");
    case "NotReadableError":
    case "AbortError":
      return new CameraError("cameraInUse");
    default:
      return new CameraError("cameraFailed", error.message || error.name);
  }
}
