/**
 * Every text of the page. To translate it, translate this file and set `language`; {words} in braces are filled in.
 */

export const language = "en";

const texts = {
  title: "Dactyl: practise fingerspelling",
  skipLink: "Skip to the practice",
  navigation: "Parts of the page",
  practise: "Practise",
  explore: "Explore",
  progress: "Progress",
  settings: "Settings",
  close: "Close",

  welcome: "Learn the manual alphabet",
  welcomeText: "Spell with one hand in front of your camera. Dactyl says what it sees, and how close it is.",
  privacy: "Your camera’s pictures go to this server only, and nothing is stored.",
  startCamera: "Start the camera",
  cameraView: "Your camera",
  pause: "Pause",
  resume: "Go on",
  paused: "Paused: no pictures are sent.",

  connecting: "Connecting to the server…",
  full: "The server is full. Trying again in {seconds} s.",
  away: "The server cannot be reached. Trying again in {seconds} s.",
  refused: "The server does not let this page in: {reason}",
  idle: "The connection was closed because nothing happened. It comes back when you go on.",
  cameraStarting: "Waiting for the camera. Your browser may ask for your permission.",
  cameraNone: "No camera was found. Plug one in, then start again.",
  cameraRefused: "The camera is not allowed. Allow it for this page in your browser, then start again.",
  cameraInUse: "The camera cannot be read. Another program may be using it: close that, then start again.",
  cameraInsecure: "Browsers give the camera only to pages of localhost or with https://. Open this page at such an address.",
  cameraLost: "The camera has gone. Plug it in again or allow it, then start again.",
  cameraFailed: "The camera does not start: {reason}",
  tooDark: "It is too dark. Turn on a light, or face the window.",
  tooFar: "You are too far away. Come closer to the camera.",
  noHand: "No hand to be seen. Hold one hand up beside your face.",
  warming: "Getting ready: {filled} of {window} pictures",
  warmingSpoken: "Getting ready",

  target: "Letter to spell",
  targetProgress: "How close you are to {letter}",
  seen: "Seen now",
  nothing: "nothing",
  percent: "{number} %",
  shapeOf: "The letter {letter}. {description} {view}.",
  viewPicture: "Your {side} hand, as your picture shows it",
  viewOwn: "Your {side} hand, as you see it yourself",
  viewOpposite: "A {side} hand, as somebody opposite sees it",
  viewSide: "Your {side} hand, from the side",
  view: "Show the model hand",
  viewPictureOption: "as my picture shows it",
  viewOwnOption: "as I see my own hand",
  viewOppositeOption: "as somebody opposite sees it",
  viewSideOption: "from the side",
  turnHand: "Turn",
  slowly: "Slowly",
  noShape: "There is no picture of this sign.",
  left: "left",
  right: "right",
  won: "{letter}: well done",
  wonAll: "Done! You spelled {word}.",
  next: "Next: {letter}",
  word: "Word: {word}",
  skip: "Skip",
  repeat: "Start over",
  letterDone: "{letter}, done",
  letterNow: "{letter}, now",
  letterLater: "{letter}",

  looksLike: "This looks like {letter}.",
  straighten: "Straighten your {finger}.",
  bend: "Bend your {finger}.",
  move: "Look again at your {finger}.",
  turn: "Turn your hand as in the picture.",
  thumb: "thumb",
  index: "index finger",
  middle: "middle finger",
  ring: "ring finger",
  little: "little finger",
  fingers: "{first} and {second}",

  exploreTitle: "What does it see?",
  exploreText: "No target: shape any letter and see what it could be.",
  exploreEmpty: "Nothing yet. Hold one hand up beside your face.",

  progressTitle: "Your progress",
  progressText: "Kept in this browser only. The bar shows how long a letter takes you: shorter is better.",
  progressEmpty: "Nothing yet. Letters that you spell or skip will be listed here.",
  letterStatistics: "{letter}: won {won}, skipped {skipped}, {seconds} s on average",
  letterSkipped: "{letter}: skipped {skipped}, not won yet",
  secondsShort: "{seconds} s",
  export: "Export",
  erase: "Erase",
  eraseQuestion: "Erase your progress? It cannot be brought back.",
  eraseYes: "Erase it",
  cancel: "Keep it",
  erased: "Your progress was erased.",

  camera: "Camera",
  cameraDefault: "Camera {number}",
  mirrored: "Mirror my picture",
  hand: "I spell with my",
  rightHand: "right hand",
  leftHand: "left hand",
  list: "What to spell",
  listWords: "Short words",
  listAlphabet: "The alphabet",
  listRandom: "Random letters",
  listWeakest: "My weakest letters",
  listOwn: "My own list",
  ownList: "Your words, separated by spaces or lines",
  ownListBad: "Nothing of it can be spelled with the signs of this server: {labels}",
  speed: "How long to hold a letter",
  speedCalm: "long",
  speedNormal: "a moment",
  speedQuick: "short",
  details: "Show technical details",

  detailsTitle: "Technical details",
  sentRate: "Sent",
  analysedRate: "Analysed",
  droppedRate: "Dropped",
  serverRate: "Server can do",
  roundTrip: "Round trip",
  answerAge: "Age of the answer",
  perSecond: "{number} / s",
  milliseconds: "{number} ms",
  unknown: "–",

  limits: "Fingerspelling is not sign language, and Dactyl makes mistakes: no Deaf person has judged this page yet. To learn to sign, learn from Deaf teachers.",
  noScript: "This page needs JavaScript.",
};

/** How each letter is formed. @type {Record<string, string>} */
export const descriptions = {
  A: "A fist, the thumb upright against the side of the index finger.",
  B: "Four fingers straight up and together, the thumb folded across the palm.",
  C: "Fingers together and thumb curved, as around a cup.",
  D: "The index finger up; the others curve to the tip of the thumb.",
  E: "All fingers curled down onto the thumb, which lies across the palm.",
  F: "Index finger and thumb touch in a ring; the other three fingers are up.",
  G: "Index finger and thumb point to the side, one above the other, with a gap between them.",
  H: "Index and middle finger together, pointing to the side.",
  I: "The little finger up, the others in a fist, the thumb across them.",
  J: "The hand of I: the little finger draws a J, and the wrist turns with it.",
  K: "The index finger up, the middle finger forward, the tip of the thumb on the middle finger.",
  L: "The index finger up and the thumb out: a right angle.",
  M: "Three fingers over the thumb; its tip is between ring and little finger.",
  N: "Two fingers over the thumb; its tip is between middle and ring finger.",
  O: "All fingertips meet the tip of the thumb: round as an O.",
  P: "The hand of K turned down: the middle finger points to the floor.",
  Q: "The hand of G turned down: index finger and thumb point to the floor.",
  R: "Index and middle finger up and crossed.",
  S: "A fist, the thumb across the front of the fingers.",
  T: "A fist, the thumb between index and middle finger.",
  U: "Index and middle finger up and together.",
  V: "Index and middle finger up and apart.",
  W: "Index, middle and ring finger up and apart; the thumb holds the little finger.",
  X: "The index finger up and bent like a hook, the others in a fist.",
  Y: "Thumb and little finger out, the others folded.",
  Z: "The index finger draws a Z: across, down aslant, across.",
};

/** @typedef {keyof typeof texts} TextKey */

/** Words for practice: short, and spelled with the 26 letters. */
export const words = ("hi yes no cat dog sun moon tree book fish bird hand home help love milk name play rain snow " +
  "time wolf zebra juice queen fox jazz puzzle vowel quick north give five make baby mug").split(" ");

/**
 * @param {TextKey} key
 * @param {Record<string, string|number>} [values]
 */
export function text(key, values = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** Fills the elements that name a text: its content with data-text, attributes with data-text-ATTRIBUTE. */
export function fillTexts() {
  document.documentElement.lang = language;
  document.title = text("title");
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(/** @type {TextKey} */ (element.getAttribute("data-text")));
  }
  for (const element of document.querySelectorAll("[data-text-label]")) {
    element.setAttribute("aria-label", text(/** @type {TextKey} */ (element.getAttribute("data-text-label"))));
  }
}
