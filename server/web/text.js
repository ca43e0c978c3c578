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
  wasHidden: "The camera was off while this page was hidden.",

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

  target: "Letter to spell",
  targetProgress: "How close you are to {letter}",
  seen: "Seen now",
  nothing: "nothing",
  percent: "{number} %",
  watching: "watching…",
  holding: "hold it…",
  sees: "seen: {letter}",
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
  repeat: "Word again",
  letterDone: "{letter}, done",
  letterPassed: "{letter}, skipped",
  letterNow: "{letter}, now",
  letterLater: "{letter}",

  keys: "Keys: space pauses and goes on, → skips, ← begins the word again, Escape pauses.",
  otherHand: "You spell with your {side} hand. Draw the model as a {side} hand?",
  yes: "Yes",
  no: "No",

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
  progressText: "Kept in this browser only. The time is the median of your last ten; the fuller the bar, the quicker you are.",
  progressEmpty: "Nothing yet: every letter that you spell fills its bar.",
  letterStatistics: "{letter}: won {won}, skipped {skipped}, {seconds} s, {trend}, last on {last}",
  letterSkipped: "{letter}: skipped {skipped}, not won yet",
  letterUntried: "{letter}: not tried yet",
  quicker: "getting quicker",
  slower: "getting slower",
  steady: "steady",
  goal: "Letters a day",
  goalOff: "no goal",
  goalOpen: "Today: {today} of {goal} letters. Days with practice in the last week: {days}.",
  goalReached: "Today’s goal is reached: {today} letters. Days with practice in the last week: {days}.",
  secondsShort: "{seconds} s",
  export: "Export",
  import: "Import",
  imported: "Your progress was imported.",
  importBad: "This file holds no progress of this page.",
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
  ownListBad: "Not used, because it cannot be spelled with the signs of this server ({labels}): {refused}",
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

/**
 * What to do when another letter is seen than the one to spell: by the letter to spell, then by those that are seen.
 * @type {Record<string, Record<string, string>>}
 */
const hints = {
  A: {
    S: "Take the thumb from the front of the fingers and hold it upright beside the index finger.",
    T: "Pull the thumb out from between the fingers and hold it upright beside the index finger.",
    MN: "Pull the thumb out from under the fingers and hold it upright beside the index finger.",
    EO: "Close the fingers to a fist and hold the thumb upright beside the index finger.",
    Y: "Fold the little finger in, and hold the thumb upright beside the index finger.",
    I: "Fold the little finger in, and hold the thumb upright beside the index finger.",
  },
  B: {
    CE: "Stretch all four fingers straight up.",
    UVW: "Stretch all four fingers up, close together.",
    F: "Stretch the index finger up too, and fold the thumb across the palm.",
  },
  C: {
    O: "Open the hand: leave a gap between the fingertips and the thumb.",
    E: "Open the hand to a wide curve, the thumb opposite the fingers.",
    B: "Curve the fingers, and bring the thumb out opposite them.",
    X: "Bring the other fingers up beside the index finger, all curved alike.",
  },
  D: {
    X: "Straighten the index finger.",
    Z: "Hold still, and let the other fingertips meet the thumb.",
    O: "Stretch the index finger up; the other fingertips stay on the thumb.",
    F: "The other way round: the index finger is up, and the others meet the thumb.",
    LG: "Bring the thumb in, until it meets the tip of the middle finger.",
    I: "Stretch the index finger up instead of the little finger.",
    UV: "Bend the middle finger down to the tip of the thumb.",
  },
  E: {
    A: "Lay the thumb across the palm, and rest the fingertips on it.",
    S: "Put the thumb under the fingertips instead of in front of the fingers.",
    TMN: "Pull the thumb out from under the fingers, and rest all fingertips on its side.",
    C: "Curl the fingers further, until their tips rest on the thumb.",
    O: "Lay the thumb flat across the palm, and curl the fingers down onto it.",
    B: "Curl the fingers down, until their tips rest on the thumb.",
  },
  F: {
    D: "The other way round: index finger and thumb meet, and the others are up.",
    O: "Stretch middle, ring and little finger up.",
    WB: "Bend the index finger, until it meets the tip of the thumb.",
  },
  G: {
    P: "Fold the middle finger in; index finger and thumb point to the side.",
    Q: "Turn the hand up, until index finger and thumb point to the side.",
    Z: "Hold still; index finger and thumb point to the side.",
    L: "Turn the hand, until the index finger points to the side, with the thumb level above it.",
    H: "Fold the middle finger in, and raise the thumb above the index finger.",
    DX: "Turn the hand, until the straight index finger points to the side, with the thumb above it.",
  },
  H: {
    U: "Turn the hand, until both fingers point to the side.",
    V: "Close the gap between the two fingers, and point them to the side.",
    R: "Uncross the two fingers, and point them to the side.",
    K: "Put index and middle finger together, the thumb behind them, and point to the side.",
    G: "Stretch out the middle finger too, beside the index finger, and tuck the thumb in.",
    P: "Raise the middle finger to the index finger: both point to the side.",
  },
  I: {
    J: "Hold still, with the little finger up.",
    L: "Fold index finger and thumb in; only the little finger is up.",
    TASE: "Raise the little finger; the others stay in the fist.",
    P: "Hold the hand upright, with only the little finger up.",
    D: "Fold the index finger in, and raise the little finger instead.",
    Y: "Fold the thumb in, across the other fingers.",
  },
  J: {
    IY: "Move: draw a J with the little finger, and turn the wrist with it.",
    Z: "Draw with the little finger instead of the index finger: down, then a hook.",
  },
  K: {
    V: "Bring the middle finger forward, and put the tip of the thumb on it.",
    U: "Spread the two fingers, bring the middle finger forward, and put the tip of the thumb on it.",
    R: "Uncross the two fingers, and put the tip of the thumb between them, on the middle finger.",
    H: "Turn the hand upright, spread the two fingers, and put the thumb between them.",
    P: "Turn the hand up, until the index finger points up.",
    D: "Stretch the middle finger forward, with the tip of the thumb on it.",
  },
  L: {
    X: "Straighten the index finger, and stretch out the thumb.",
    P: "Hold the hand upright: the index finger up, the thumb out.",
    D: "Stretch out the thumb, away from the other fingers.",
    GQ: "Turn the hand, until the index finger points up and the thumb to the side.",
    Y: "Stretch up the index finger instead of the little finger.",
  },
  M: {
    A: "Put the thumb under three fingers, with its tip before the little finger.",
    S: "Move the thumb from the front of the fingers to under three of them.",
    T: "Move the thumb two fingers on: three fingers lie over it.",
    N: "Move the thumb one finger on: the ring finger lies over it too.",
    E: "Bring three fingers over the thumb, instead of resting their tips on it.",
    PQ: "Hold the hand upright, and fold three fingers over the thumb.",
    CO: "Fold three fingers down over the thumb.",
  },
  N: {
    A: "Put the thumb under index and middle finger; its tip looks out before the ring finger.",
    S: "Move the thumb from the front of the fingers to under the first two.",
    T: "Move the thumb one finger on: the middle finger lies over it too.",
    M: "Take the ring finger from the thumb: only two fingers lie over it.",
    E: "Bring two fingers over the thumb, instead of resting their tips on it.",
    PQ: "Hold the hand upright, and fold index and middle finger over the thumb.",
    OC: "Fold index and middle finger down over the thumb; the others make a fist.",
  },
  O: {
    C: "Close the gap: let the fingertips meet the thumb.",
    E: "Bring the thumb out to the fingertips, so that the hand is round and open.",
    D: "Bend the index finger too, until it meets the thumb.",
    H: "Bend index and middle finger, until all tips meet the thumb.",
    S: "Open the fist to a ring: all fingertips meet the tip of the thumb.",
    F: "Bend the other fingers too, until all tips meet the thumb.",
  },
  P: {
    Q: "Raise the index finger to the side; the middle finger points down, with the thumb on it.",
    G: "Let the middle finger point down, and put the tip of the thumb on it.",
    K: "Turn the hand down, until the middle finger points to the floor.",
    H: "Let the middle finger point down, apart from the index finger.",
    VU: "Turn the hand down: the index finger to the side, the middle finger to the floor.",
  },
  Q: {
    P: "Fold the middle finger in; index finger and thumb both point to the floor.",
    G: "Turn the hand down, until index finger and thumb point to the floor.",
    Z: "Hold still; index finger and thumb point to the floor.",
    L: "Turn the hand down: index finger and thumb point to the floor, side by side.",
  },
  R: {
    U: "Cross the two fingers: the middle finger goes behind the index finger.",
    V: "Bring the two fingers together and cross them.",
    K: "Cross the two fingers, and fold the thumb down over the ring finger.",
    H: "Turn the hand upright, and cross the two fingers.",
    LD: "Raise the middle finger too, cross it behind the index finger, and fold the thumb in.",
  },
  S: {
    A: "Lay the thumb across the front of the fingers, instead of beside them.",
    T: "Pull the thumb out from between the fingers, and lay it across their front.",
    MN: "Pull the thumb out from under the fingers, and lay it across their front.",
    E: "Close the fingers to a fist, and lay the thumb in front of them.",
    O: "Close the hand to a fist, the thumb across the front.",
    X: "Fold the index finger into the fist too.",
    I: "Fold the little finger into the fist too.",
  },
  T: {
    A: "Put the thumb between index and middle finger, so that its tip looks out.",
    S: "Move the thumb from the front of the fingers to between index and middle finger.",
    N: "Move the thumb one finger back: only the index finger lies over it.",
    M: "Move the thumb two fingers back: only the index finger lies over it.",
    E: "Close the fingers to a fist, with the thumb between index and middle finger.",
    XL: "Fold the index finger down over the thumb.",
    P: "Hold the hand upright, as a fist, with the thumb between index and middle finger.",
  },
  U: {
    V: "Close the gap between the two fingers.",
    R: "Uncross the two fingers, and hold them side by side.",
    K: "Hold the middle finger straight up beside the index finger, and fold the thumb down.",
    H: "Turn the hand upright, until both fingers point up.",
    DN: "Stretch index and middle finger straight up, together.",
    W: "Fold the ring finger in, under the thumb.",
  },
  V: {
    U: "Spread the two fingers apart.",
    K: "Hold the middle finger straight up, and fold the thumb down over the ring finger.",
    R: "Uncross the two fingers, and spread them apart.",
    H: "Turn the hand upright, and spread the two fingers apart.",
    DN: "Stretch index and middle finger up, apart from each other.",
    GQ: "Turn the hand upright, with index and middle finger up and apart.",
    W: "Fold the ring finger in, under the thumb.",
  },
  W: {
    Z: "Hold still, with index, middle and ring finger up and apart.",
    VUK: "Raise the ring finger too; the thumb holds only the little finger.",
    B: "Spread the fingers, and hold the little finger down with the thumb.",
    F: "Straighten the index finger, and hold the little finger down with the thumb.",
  },
  X: {
    D: "Bend the index finger like a hook.",
    Z: "Hold still, and bend the index finger like a hook.",
    TSA: "Raise the index finger from the fist, bent like a hook.",
    P: "Fold the middle finger in, hold the hand upright, and bend the index finger like a hook.",
    JI: "Fold the little finger in, and raise the index finger, bent like a hook.",
    L: "Bend the index finger like a hook, and fold the thumb in.",
  },
  Y: {
    I: "Stretch out the thumb too.",
    AS: "Stretch out thumb and little finger.",
    P: "Hold the hand upright, with only thumb and little finger stretched out.",
    L: "Stretch out the little finger instead of the index finger.",
  },
  Z: {
    D: "Move: draw a Z in the air with the index finger.",
    X: "Straighten the index finger, and draw a Z with it.",
    GQ: "Point up with the index finger alone, and draw a Z with it.",
    P: "Fold the middle finger in, and draw a Z with the index finger.",
    L: "Fold the thumb in, and draw a Z with the index finger.",
    J: "Draw with the index finger instead of the little finger: across, down aslant, across.",
  },
};

/** What to do to spell a letter while another one is seen, if it is known. @param {string} letter @param {string} seen */
export function hintFor(letter, seen) {
  const known = Object.entries(hints[letter] ?? {}).find(([letters]) => seen.length === 1 && letters.includes(seen));
  return known?.[1];
}

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
