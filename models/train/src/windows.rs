//! Training windows: clips cut, stretched, bent and moved into what other people's hands and cameras may show.

use dactyl_models::letters::features::{self, HandPoints};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng as Random;

use crate::data::{Clip, D, Hand, I, J, Kind, LETTERS, Signer, Z};
use crate::paths::{Stroke, posed};

/// Frames per window.
pub const FRAMES: usize = 32;

/// A window of right hands and the probability that each label should get.
pub struct Example {
    /// One per frame.
    pub hands: Vec<Option<HandPoints>>,
    /// One per label; sums to 1.
    pub target: Vec<f32>,
}

/// An endless, seeded stream of training windows: letters equally often, signers equally often within a letter.
pub struct Windows<'a> {
    random: Random,
    /// Letters that these signers show, or for which they show a hand shape to draw them with.
    letters: Vec<usize>,
    /// Still clips by letter, with the signer they belong to.
    still: Vec<Vec<(&'a Signer, &'a Clip)>>,
    moving: Vec<Vec<(&'a Signer, &'a Clip)>>,
    held: Vec<Vec<(&'a Signer, &'a Clip)>>,
}

/// G, H, P and Q, which some show pointing to their left and some to their right.
const SIDEWAYS: [usize; 4] = [6, 7, 15, 16];

/// Photographs of several people: worth more than one person's film.
const SEVERAL_PEOPLE: [(&str, usize); 2] = [("DavidLee", 4), ("SigNN", 2)];

impl<'a> Windows<'a> {
    /// Windows of these signers. The same seed gives the same windows.
    pub fn new(signers: &'a [Signer], seed: u64) -> Self {
        let mut windows = Self {
            random: Random::seed_from_u64(seed),
            letters: Vec::new(),
            still: vec![Vec::new(); LETTERS],
            moving: vec![Vec::new(); LETTERS],
            held: vec![Vec::new(); LETTERS],
        };
        for signer in signers {
            let weight =
                SEVERAL_PEOPLE.iter().find(|(name, _)| *name == signer.name).map_or(1, |found| found.1);
            for clip in &signer.clips {
                if clip.frames.iter().flatten().count() < 3 {
                    continue;
                }
                let list = match clip.kind {
                    Kind::Still => &mut windows.still,
                    Kind::Moving => &mut windows.moving,
                    Kind::HeldShape => &mut windows.held,
                };
                list[clip.letter].extend(std::iter::repeat_n((signer, clip), weight));
            }
        }
        windows.letters = (0..LETTERS)
            .filter(|&letter| match letter {
                J | Z => {
                    !windows.still[if letter == J { I } else { D }].is_empty()
                        || !windows.held[letter].is_empty()
                }
                _ => !windows.still[letter].is_empty(),
            })
            .collect();
        windows
    }

    /// The next window.
    pub fn draw(&mut self) -> Example {
        let letter = self.letters.choose(&mut self.random).copied().unwrap_or_default();
        let (track, target) = match letter {
            J | Z => self.drawn_letter(letter),
            // Held shapes of J and Z, and letters begun with their movement, are told apart here.
            _ if self.can_hold() && self.random.random_bool(0.04) => self.held_shape(),
            _ => self.still_letter(letter),
        };
        let hands = distort(&track, &mut self.random);
        Example { hands, target: target.to_vec() }
    }

    fn can_hold(&self) -> bool {
        self.letters.contains(&J) && self.letters.contains(&Z)
    }

    fn drawn_letter(&mut self, letter: usize) -> (Vec<Option<Hand>>, [f32; LETTERS]) {
        let real = self.moving[letter].choose(&mut self.random).copied();
        if let Some((_, clip)) = real
            && self.random.random_bool(0.2)
            && let Some(track) = self.moving_track(letter, clip)
        {
            return (track, sure(letter));
        }
        (self.synthesised(letter, true), sure(letter))
    }

    /// A stretch of a clip that really moves, in its own direction of time.
    fn moving_track(&mut self, letter: usize, clip: &Clip) -> Option<Vec<Option<Hand>>> {
        let length = clip.frames.len() as f32;
        for _ in 0..8 {
            let step = self.random.random_range(0.45..1.9f32);
            let span = step * FRAMES as f32;
            let start = self.random.random_range(-0.3 * span..(length - 0.6 * span).max(-0.3 * span + 1.0));
            let track: Vec<_> = (0..FRAMES)
                .map(|frame| between(clip, (start + step * frame as f32).clamp(0.0, length - 1.0)))
                .collect();
            if extent(&track, tip(letter)) > 0.45 {
                return Some(track);
            }
        }
        None
    }

    /// A movement drawn with a still hand shape: whole (at least two thirds of it in the window), or only begun.
    fn synthesised(&mut self, letter: usize, whole: bool) -> Vec<Option<Hand>> {
        let Some(shape) = self.stroke_shape(letter) else { return vec![None; FRAMES] };
        let stroke = if letter == J { Stroke::j(&mut self.random) } else { Stroke::z(&mut self.random) };
        let rate = self.random.random_range(8.0..30.0f32);
        let frames = (rate * self.random.random_range(0.5..1.7f32)).clamp(4.0, 44.0);
        let window = FRAMES as f32;
        let (first, last) = if whole {
            // Start and end of the stroke such that two thirds of it are inside.
            (-0.3 * frames, window - 0.75 * frames)
        } else {
            (window - 0.2 * frames, window)
        };
        let start = self.random.random_range(first.min(last)..last.max(first + 1.0));
        // Learners repeat it.
        let pause = self.random.random_range(0.2..0.8) * rate;
        let repeats = whole && self.random.random_bool(0.4);
        let mirrored = self.random.random_bool(0.12);
        let size = features::size(&flat(&shape));
        (0..FRAMES)
            .map(|frame| {
                let mut time = (frame as f32 - start) / frames;
                if repeats {
                    let period = 1.0 + pause / frames;
                    time = time.rem_euclid(period);
                    if time > 1.0 {
                        // The way back to the start.
                        time = 1.0 - (time - 1.0) / (period - 1.0);
                    }
                }
                let mut pose = stroke.at(time);
                if mirrored {
                    pose.offset[0] = -pose.offset[0];
                }
                Some(posed(&shape, pose, size))
            })
            .collect()
    }

    fn stroke_shape(&mut self, letter: usize) -> Option<Hand> {
        let still = &self.still[if letter == J { I } else { D }];
        let held = &self.held[letter];
        let use_held = still.is_empty()
            || (!held.is_empty() && self.random.random_bool(if letter == J { 0.3 } else { 0.75 }));
        let list = if use_held { held } else { still };
        list.choose(&mut self.random).and_then(|(_, clip)| some_hand(clip, &mut self.random))
    }

    /// A hand shape of J or Z that holds still, or a movement that has hardly begun: I, or most likely D, not J, not Z.
    fn held_shape(&mut self) -> (Vec<Option<Hand>>, [f32; LETTERS]) {
        let letter = if self.random.random_bool(0.5) { J } else { Z };
        let like = if letter == J { I } else { D };
        let target = if letter == J && self.random.random_bool(0.5) { sure(like) } else { unsure(like) };
        if target[like] > 0.9 || self.random.random_bool(0.3) {
            return (self.synthesised(letter, false), target);
        }
        let clip = self.held[letter].choose(&mut self.random).map(|(_, clip)| *clip);
        match clip {
            Some(clip) => (self.still_track(clip), target),
            None => (self.synthesised(letter, false), target),
        }
    }

    fn still_letter(&mut self, letter: usize) -> (Vec<Option<Hand>>, [f32; LETTERS]) {
        let Some((signer, clip)) = self.still[letter].choose(&mut self.random).copied() else {
            return (vec![None; FRAMES], sure(letter));
        };
        let mut track = self.still_track(clip);
        // Somebody between two signers.
        if self.random.random_bool(0.35)
            && let Some((_, other)) = self.still[letter].choose(&mut self.random).copied()
            && let Some(other) = some_hand(other, &mut self.random)
        {
            let part = self.random.random_range(0.0..0.5f32);
            for hand in track.iter_mut().flatten() {
                *hand = blend(hand, &at_wrist(&other, hand), part);
            }
        }
        // Sideways and hanging hands are seen from either side; others seldom, as when a hand is taken for the other.
        let turned = if SIDEWAYS.contains(&letter) { 0.25 } else { 0.06 };
        if self.random.random_bool(turned) {
            for hand in track.iter_mut().flatten() {
                *hand = hand.map(|[x, y, z]| [-x, y, z]);
            }
        }
        // A window may begin with the letter before, on the way to this one.
        if self.random.random_bool(0.25) {
            let others: Vec<&Clip> = signer
                .clips
                .iter()
                .filter(|other| other.letter != letter && other.kind == Kind::Still)
                .collect();
            if let Some(before) =
                others.choose(&mut self.random).and_then(|clip| some_hand(clip, &mut self.random))
            {
                let until = self.random.random_range(1..15usize);
                let way = self.random.random_range(1..7usize);
                let goal = track[until + way].unwrap_or(before);
                for (frame, slot) in track.iter_mut().enumerate().take(until + way) {
                    let part = (frame as f32 - until as f32).max(0.0) / way as f32;
                    *slot = Some(blend(&at_wrist(&before, &goal), &goal, part));
                }
            }
        }
        (track, sure(letter))
    }

    /// A stretch of a clip at some frame rate, back and forth if it is short; or one hand held, or two blended.
    fn still_track(&mut self, clip: &Clip) -> Vec<Option<Hand>> {
        let length = clip.frames.len();
        if clip.ordered && length >= 12 && self.random.random_bool(0.7) {
            let step = self.random.random_range(0.3..2.5f32);
            let start = self.random.random_range(0.0..length as f32);
            let period = 2.0 * (length - 1) as f32;
            let track: Vec<_> = (0..FRAMES)
                .map(|frame| {
                    let place = (start + step * frame as f32).rem_euclid(period);
                    between(clip, if place > period / 2.0 { period - place } else { place })
                })
                .collect();
            if track.iter().flatten().count() * 2 > FRAMES {
                return track;
            }
        }
        let Some(first) = some_hand(clip, &mut self.random) else { return vec![None; FRAMES] };
        let second = some_hand(clip, &mut self.random).unwrap_or(first);
        let second = at_wrist(&second, &first);
        let amount = if self.random.random_bool(0.5) { self.random.random_range(0.0..0.6f32) } else { 0.0 };
        let drift = self.random.random_range(-0.5..0.5f32);
        (0..FRAMES)
            .map(|frame| {
                let part = amount * (1.0 + drift * (frame as f32 / FRAMES as f32 - 0.5));
                Some(blend(&first, &second, part.clamp(0.0, 1.0)))
            })
            .collect()
    }
}

/// Another hand, another camera, another place: see the fields of [`Distortion`]. Then frames get lost.
pub fn distort(track: &[Option<Hand>], random: &mut Random) -> Vec<Option<HandPoints>> {
    let distortion = Distortion::draw(track, random);
    let mut hands: Vec<Option<HandPoints>> = track
        .iter()
        .enumerate()
        .map(|(frame, hand)| hand.as_ref().map(|hand| distortion.apply(hand, frame, random)))
        .collect();
    if random.random_bool(0.15) {
        let late = random.random_range(1..13);
        hands[..late].fill(None);
    }
    if random.random_bool(0.2) {
        let lost = random.random_range(0.02..0.4);
        for hand in &mut hands[..FRAMES - 1] {
            if random.random_bool(lost) {
                *hand = None;
            }
        }
    }
    if random.random_bool(0.2) {
        // A slow camera: pictures arrive twice.
        for frame in (1..FRAMES).step_by(2) {
            hands[frame] = hands[frame - 1];
        }
    }
    hands
}

/// One draw of what makes a window look like somebody else's.
struct Distortion {
    size: f32,
    /// Lengths of the bones relative to the source's, by child landmark.
    bones: [f32; 21],
    /// A constant error of each landmark, in hand sizes: every tracker and every hand has its own.
    bias: [[f32; 3]; 21],
    /// Standard deviation of the error that is new in every frame, in hand sizes.
    jitter: f32,
    /// Turns about x, y (only with z) and the camera's axis in radians, and their change over the window.
    turn: [f32; 3],
    turning: [f32; 3],
    /// Linear map of the plane: lens, aspect, and the part of a tilt that a flat source can show.
    plane: [[f32; 2]; 2],
    /// How strongly near parts are magnified.
    perspective: f32,
    /// Offset in hand sizes of every frame.
    path: Vec<[f32; 2]>,
}

impl Distortion {
    fn draw(track: &[Option<Hand>], random: &mut Random) -> Self {
        let present: Vec<&Hand> = track.iter().flatten().collect();
        let size = present.first().map_or(1.0, |hand| features::size(&flat(hand)));
        let flat_source = present.first().is_none_or(|hand| hand[9][2].is_nan());
        let mut bones = [1.0; 21];
        for finger in 0..5 {
            let whole = 1.0 + 0.08 * normal(random);
            for joint in 0..4 {
                bones[1 + 4 * finger + joint] = (whole + 0.05 * normal(random)).clamp(0.7, 1.3);
            }
        }
        let spread = random.random_range(0.0..0.045f32);
        let bias = std::array::from_fn(|_| std::array::from_fn(|_| spread * normal(random)));
        let tilt = if flat_source { 0.0 } else { 0.26 };
        let turn = [
            (tilt * normal(random)).clamp(-0.5, 0.5),
            (tilt * normal(random)).clamp(-0.5, 0.5),
            (0.15 * normal(random)).clamp(-0.35, 0.35),
        ];
        let turning = if random.random_bool(0.3) {
            [tilt * 0.5 * normal(random), tilt * 0.5 * normal(random), 0.08 * normal(random)]
        } else {
            [0.0; 3]
        };
        let bend = if flat_source { 0.1 } else { 0.05 };
        let plane = [
            [1.0 + bend * normal(random), 0.7 * bend * normal(random)],
            [0.7 * bend * normal(random), 1.0 + bend * normal(random)],
        ];
        Self {
            size,
            bones,
            bias,
            jitter: random.random_range(0.0..0.025),
            turn,
            turning,
            plane,
            perspective: random.random_range(-0.1..0.35),
            path: path(random),
        }
    }

    fn apply(&self, hand: &Hand, frame: usize, random: &mut Random) -> HandPoints {
        let part = frame as f32 / FRAMES as f32 - 0.5;
        let turn: [f32; 3] = std::array::from_fn(|axis| self.turn[axis] + part * self.turning[axis]);
        let (sin, cos): (Vec<f32>, Vec<f32>) = turn.iter().map(|angle| angle.sin_cos()).unzip();
        let wrist = hand[0];
        let flat_source = hand[9][2].is_nan();
        let mut chain = [[0.0f32; 3]; 21];
        let mut placed: HandPoints = [[0.0; 2]; 21];
        for index in 0..21 {
            if index > 0 {
                let parent = if index % 4 == 1 { 0 } else { index - 1 };
                chain[index] = std::array::from_fn(|axis| {
                    let step = hand[index][axis] - hand[parent][axis];
                    let step = if axis == 2 && flat_source { 0.0 } else { step };
                    chain[parent][axis] + self.bones[index] * step
                });
            }
            let [x, y, z]: [f32; 3] =
                std::array::from_fn(|axis| chain[index][axis] + self.size * self.bias[index][axis]);
            let [y, z] = [y * cos[0] - z * sin[0], y * sin[0] + z * cos[0]];
            let [x, z] = [x * cos[1] + z * sin[1], z * cos[1] - x * sin[1]];
            let [x, y] = [x * cos[2] - y * sin[2], x * sin[2] + y * cos[2]];
            let near = 1.0 / (1.0 + self.perspective * z / (2.0 * self.size)).clamp(0.6, 1.6);
            let [x, y] = [x * near, y * near];
            let [x, y] =
                [x * self.plane[0][0] + y * self.plane[0][1], x * self.plane[1][0] + y * self.plane[1][1]];
            let noise = self.size * self.jitter;
            placed[index] = [
                x + wrist[0] + self.size * self.path[frame][0] + noise * normal(random),
                y + wrist[1] + self.size * self.path[frame][1] + noise * normal(random),
            ];
        }
        placed
    }
}

/// How a hand that holds a letter wanders, in hand sizes: it trembles, sometimes drifts, sometimes is on its way.
fn path(random: &mut Random) -> Vec<[f32; 2]> {
    let tremor = random.random_range(0.0..0.03f32);
    let sway = random.random_range(0.0..0.2f32);
    let phase: [f32; 2] = [random.random_range(0.0..6.3), random.random_range(0.0..6.3)];
    let speed = random.random_range(0.02..0.35f32);
    let far = if random.random_bool(0.3) { random.random_range(0.0..1.8f32) } else { 0.0 };
    let direction = random.random_range(0.0..6.3f32);
    let (begin, end) = (random.random_range(-10.0..24.0f32), random.random_range(3.0..30.0f32));
    (0..FRAMES)
        .map(|frame| {
            let time = frame as f32;
            let way = far * ((time - begin) / end).clamp(0.0, 1.0);
            [
                sway * (phase[0] + speed * time).sin() + way * direction.cos() + tremor * normal(random),
                sway * (phase[1] + 0.8 * speed * time).sin()
                    + way * direction.sin()
                    + tremor * normal(random),
            ]
        })
        .collect()
}

fn sure(letter: usize) -> [f32; LETTERS] {
    let mut target = [0.0; LETTERS];
    target[letter] = 1.0;
    target
}

fn unsure(letter: usize) -> [f32; LETTERS] {
    let mut target = [0.5 / (LETTERS - 3) as f32; LETTERS];
    target[J] = 0.0;
    target[Z] = 0.0;
    target[letter] = 0.5;
    target
}

/// The landmark that draws the letter.
fn tip(letter: usize) -> usize {
    if letter == J { 20 } else { 8 }
}

/// How far a landmark moves within the window, in hand sizes.
fn extent(track: &[Option<Hand>], landmark: usize) -> f32 {
    let mut low = [f32::INFINITY; 2];
    let mut high = [f32::NEG_INFINITY; 2];
    let mut size = 0.0f32;
    for hand in track.iter().flatten() {
        for axis in 0..2 {
            low[axis] = low[axis].min(hand[landmark][axis]);
            high[axis] = high[axis].max(hand[landmark][axis]);
        }
        size = size.max(features::size(&flat(hand)));
    }
    if size > 0.0 { (high[0] - low[0]).hypot(high[1] - low[1]) / size } else { 0.0 }
}

fn some_hand(clip: &Clip, random: &mut Random) -> Option<Hand> {
    for _ in 0..20 {
        if let Some(Some(hand)) = clip.frames.choose(random) {
            return Some(*hand);
        }
    }
    clip.frames.iter().flatten().next().copied()
}

/// The clip at a time between two frames.
pub fn between(clip: &Clip, place: f32) -> Option<Hand> {
    let first = (place.floor().max(0.0) as usize).min(clip.frames.len() - 1);
    let second = (first + 1).min(clip.frames.len() - 1);
    match (&clip.frames[first], &clip.frames[second]) {
        (Some(first), Some(second)) => Some(blend(first, second, place.fract())),
        (first, second) => {
            if place.fract() < 0.5 {
                *first
            } else {
                *second
            }
        }
    }
}

fn blend(first: &Hand, second: &Hand, part: f32) -> Hand {
    std::array::from_fn(|index| {
        std::array::from_fn(|axis| first[index][axis] + part * (second[index][axis] - first[index][axis]))
    })
}

/// `hand` scaled and moved so that its size and wrist are those of `goal`.
fn at_wrist(hand: &Hand, goal: &Hand) -> Hand {
    let scale = features::size(&flat(goal)) / features::size(&flat(hand)).max(f32::MIN_POSITIVE);
    hand.map(|point| std::array::from_fn(|axis| (point[axis] - hand[0][axis]) * scale + goal[0][axis]))
}

fn flat(hand: &Hand) -> HandPoints {
    hand.map(|point| [point[0], point[1]])
}

/// Standard normal, by Box and Muller.
fn normal(random: &mut Random) -> f32 {
    let radius = (-2.0 * (1.0 - random.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.random::<f32>()).cos()
}
