// Runs in the page: how the parts of a letter's hand lie to each other, and what a picture of it shows where.
const [{ held, moves }, { bodyOf, landmarksOf, poseAlong }, { HandPicture, frameAround, lookedAt }, { PARTS, Picture }] = await Promise.all(
  ["poses", "skeleton", "hand", "paint"].map((name) => import(`/web/${name}.js`)));
const names = { t: "thumb", i: "index", m: "middle", r: "ring", l: "little", p: "palm" };
const poseOf = (letter) => held[letter] ?? moves[letter].poses[0];
const mix = (a, b, share) => a.map((value, axis) => value + share * (b[axis] - value));

// "m1" is the middle finger's second bone, "m1@0.5" the middle of it, "p" the palm.
function capsulesAt(body, site) {
  const [name, at] = site.split("@");
  const isIt = ({ part, bone }) => part === names[name[0]] && (name[0] === "p" ? bone === 0 : bone === Number(name[1]));
  return body.capsules.filter(isIt).map((capsule) => {
    if (at === undefined) return capsule;
    const point = mix(capsule.from, capsule.to, Number(at));
    const radius = capsule.fromRadius + Number(at) * (capsule.toRadius - capsule.fromRadius);
    return { ...capsule, from: point, to: point, fromRadius: radius, toRadius: radius };
  });
}

// Between the skins; below 0 they would be inside of each other.
function gap(a, b) {
  let least = Infinity;
  for (let s = 0; s <= 1; s += 1 / 32) {
    for (let t = 0; t <= 1; t += 1 / 32) {
      const [p, q] = [mix(a.from, a.to, s), mix(b.from, b.to, t)];
      const radii = a.fromRadius + s * (a.toRadius - a.fromRadius) + b.fromRadius + t * (b.toRadius - b.fromRadius);
      least = Math.min(least, Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]) - radii);
    }
  }
  return least;
}

function gapOf(letter, first, second) {
  const body = bodyOf(poseOf(letter));
  const gaps = capsulesAt(body, first).flatMap((a) => capsulesAt(body, second).map((b) => gap(a, b)));
  return Math.min(...gaps);
}

// Fingers inside of each other, or the thumb inside of a finger. Knuckles lie side by side under one skin.
function overlaps(letter) {
  const fingers = bodyOf(poseOf(letter)).capsules.filter(({ part }) => part !== "palm");
  return fingers.flatMap((a, index) => fingers.slice(index + 1).flatMap((b) => {
    if (a.part === b.part || (a.bone === 0 && b.bone === 0)) return [];
    const deep = gap(a, b);
    return deep < -0.03 ? [`${a.part} ${a.bone} and ${b.part} ${b.bone}: ${deep.toFixed(3)}`] : [];
  }));
}

// The part that a picture shows where a site is.
function partAt(letter, site, isLeft) {
  const body = lookedAt(bodyOf(poseOf(letter)), 0, isLeft);
  const frame = frameAround([body]);
  const picture = new Picture(240);
  picture.draw(body, frame);
  const [x, y] = capsulesAt(body, site)[0].from;
  const at = (along) => Math.floor((along * picture.width) / frame.size);
  return PARTS[picture.parts[at(frame.top - y) * picture.width + at(x - frame.left)]];
}

// The share of a site's outline, if it were there alone, in which a picture shows its part.
function shareSeen(letter, site, isLeft) {
  const body = lookedAt(bodyOf(poseOf(letter)), 0, isLeft);
  const frame = frameAround([body]);
  const partsOf = (capsules) => {
    const picture = new Picture(240);
    picture.draw({ ...body, capsules }, frame);
    return picture.parts;
  };
  const [all, alone] = [body.capsules, capsulesAt(body, site)].map(partsOf);
  const count = (isIt) => alone.reduce((sum, part, pixel) => sum + (part && isIt(part, pixel) ? 1 : 0), 0);
  return count((part, pixel) => all[pixel] === part) / count(() => true);
}

// RGBA of a letter's picture that does not move.
function stillOf(letter) {
  const canvas = Object.assign(document.createElement("canvas"), { className: "hand", width: 110, height: 110 });
  document.body.append(canvas);
  new HandPicture(canvas).still(letter, false);
  canvas.remove();
  return canvas.getContext("2d").getImageData(0, 0, 110, 110).data;
}

// The share of the pixels of two pictures in which they differ plainly.
function difference(a, b) {
  let [drawn, other] = [0, 0];
  for (let at = 0; at < a.length; at += 4) {
    if (!a[at + 3] && !b[at + 3]) continue;
    drawn += 1;
    const distance = [0, 1, 2, 3].reduce((sum, value) => sum + Math.abs(a[at + value] - b[at + value]), 0);
    if (distance > 60) other += 1;
  }
  return other / drawn;
}

// 21 landmarks for every moment: one of a held letter, rest, movement and rest of one that moves.
function landmarks(letter) {
  const move = moves[letter];
  if (!move) return [landmarksOf(held[letter])];
  const shares = [...Array(6).fill(0), ...Array.from({ length: 24 }, (_, step) => step / 23), ...Array(6).fill(1)];
  return shares.map((share) => landmarksOf(poseAlong(move.poses, share, move.isRound)));
}
