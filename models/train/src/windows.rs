//! Training windows: clips cut, stretched, bent and moved into what other people's hands and cameras may show.

use dactyl_letters::features::HandPoints;
use rand::seq::{IndexedRandom, IteratorRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng as Random;

use crate::data::{Clip, D, Hand, I, J, Kind, LETTERS, Signer, X, Z, size};
use crate::distortion::{Distortion, Place, normal};
use crate::other_hands::{KnownLetters, OtherHand};
use crate::paths::{Pose, Stroke, posed};

/// Frames per window.
pub const FRAMES: usize = 32;

/// A window of right hands and the probability that each label should get.
pub struct Example {
    /// One per frame.
    pub hands: Vec<Option<HandPoints>>,
    /// One per label; sums to 1.
    pub target: Vec<f32>,
    /// Whose hands it was made of.
    pub people: People,
}

/// One picture of a right hand that shows a label.
pub struct Still {
    /// The hand.
    pub hand: HandPoints,
    /// Index of the label.
    pub letter: usize,
    /// Whose hands it was made of.
    pub people: People,
}

/// One picture of a right hand that shows none of the labels.
pub struct OtherStill {
    /// The hand.
    pub hand: HandPoints,
    /// Whose hands it was made of.
    pub people: People,
    /// Whose letters are near: only who does not know them may learn that it is none.
    pub near: People,
}

/// A set of signers, one bit each by their index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct People(u64);

impl People {
    /// Signers that can be told apart.
    pub const MOST: usize = 64;

    /// One signer.
    pub fn one(signer: usize) -> Self {
        Self(1 << signer)
    }

    /// These and the others.
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether nobody is in both.
    pub fn are_strangers_to(self, others: Self) -> bool {
        self.0 & others.0 == 0
    }

    /// Whether the others are all of these and perhaps more.
    pub fn are_among(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// How many they are.
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }
}

/// What a training learns from: endless, and the same again from the same seed.
pub trait Examples {
    /// Starts anew with another seed.
    fn reseed(&mut self, seed: u64);
    /// The next picture; `None` if there are no hands to draw it from.
    fn draw_still(&mut self) -> Option<Still>;
    /// The next picture of a hand that shows none of the labels; `None` if nobody shows such, or it is near letters of several
    /// signers.
    fn draw_other(&mut self) -> Option<OtherStill>;
    /// The next window.
    fn draw(&mut self) -> Example;
}

/// The index of a signer, and what they show of one letter.
type Source<'a> = (usize, Vec<&'a Clip>);

/// Examples of the alphabet: letters equally often, signers equally often within a letter.
pub struct Windows<'a> {
    signers: &'a [Signer],
    random: Random,
    /// Whose hands the window that is being made is made of.
    people: People,
    /// Letters that these signers show, or for which they show a hand shape to draw them with.
    letters: Vec<usize>,
    /// Still clips by letter, then signer.
    still: Vec<Vec<Source<'a>>>,
    moving: Vec<Vec<Source<'a>>>,
    held: Vec<Vec<Source<'a>>>,
    /// Clips of what is no letter, by signer.
    others: Vec<Source<'a>>,
    known: KnownLetters,
}

/// Which clips of a letter.
#[derive(Clone, Copy)]
enum List {
    Still,
    Moving,
    Held,
}

/// G, H, P and Q, which some show pointing to their left and some to their right.
const SIDEWAYS: [usize; 4] = [6, 7, 15, 16];

/// G, L, P, Q and X, which hold the index finger as somebody's Z may.
const POINTING: [usize; 5] = [6, 11, 15, 16, X];

/// Those of them that a hand may look like while it draws: P and Q hang down.
const DRAWING: [usize; 3] = [6, 11, X];

/// How often a hand that shows no letter is drawn anew because it is near one.
const TRIES: usize = 8;

/// A target: one value per letter.
type Target = [f32; LETTERS];

/// A hand that is meant to show no letter.
struct OtherShape {
    hand: Hand,
    /// How it is told that it shows none; `None` if somebody says so.
    check: Option<Check>,
}

/// When a hand is a letter after all.
#[derive(Clone, Copy)]
enum Check {
    /// A letter's shape, however it is turned in the plane.
    Turned,
    /// A letter as it is held: hanging hands may have the shape of an upright one.
    AsHeld,
}

impl<'a> Windows<'a> {
    /// Windows of these signers, at most [`People::MOST`]. The same seed gives the same windows.
    pub fn new(signers: &'a [Signer], seed: u64) -> Self {
        let mut windows = Self {
            signers,
            random: Random::seed_from_u64(seed),
            people: People::default(),
            letters: Vec::new(),
            still: vec![Vec::new(); LETTERS],
            moving: vec![Vec::new(); LETTERS],
            held: vec![Vec::new(); LETTERS],
            others: Vec::new(),
            known: KnownLetters::default(),
        };
        for (index, signer) in signers.iter().enumerate() {
            let weight = signer.people.max(1);
            let others: Vec<&Clip> = signer.others.iter().map(|other| &other.clip).collect();
            if !others.is_empty() {
                windows.others.push((index, others));
            }
            for (kind, list) in [
                (Kind::Still, &mut windows.still),
                (Kind::Moving, &mut windows.moving),
                (Kind::HeldShape, &mut windows.held),
            ] {
                for (letter, sources) in list.iter_mut().enumerate() {
                    let shows = |clip: &&Clip| {
                        clip.kind == kind
                            && clip.letter == letter
                            && clip.frames.iter().flatten().count() >= 3
                    };
                    let clips: Vec<&Clip> = signer.clips.iter().filter(shows).collect();
                    if !clips.is_empty() {
                        sources.extend(std::iter::repeat_n((index, clips), weight));
                    }
                }
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
        if !windows.others.is_empty() {
            windows.known = KnownLetters::of(signers, &mut Random::seed_from_u64(seed));
        }
        windows
    }
}

impl Examples for Windows<'_> {
    fn reseed(&mut self, seed: u64) {
        self.random = Random::seed_from_u64(seed);
    }

    /// Of a letter that is held still, or from the movement of J. Never of Z: a picture of it is one of D, G or L.
    fn draw_still(&mut self) -> Option<Still> {
        self.people = People::default();
        let letters = self.letters.iter().filter(|letter| **letter != Z);
        let letter = letters.choose(&mut self.random).copied()?;
        let hand = match letter {
            J => self.moment_of_j()?,
            _ => {
                let (signer, clip) = self.pick(List::Still, letter)?;
                let mut hand = some_hand(clip, &mut self.random)?;
                for (other, part) in self.mixed_in(letter, signer) {
                    hand = blend(&hand, &at_wrist(&other, &hand), part);
                }
                if self.is_seen_from_the_other_side(letter) {
                    hand = hand.map(|[x, y, z]| [-x, y, z]);
                }
                hand
            }
        };
        let hand = distort_hand(&hand, &mut self.random);
        Some(Still { hand, letter, people: self.people })
    }

    fn draw_other(&mut self) -> Option<OtherStill> {
        for _ in 0..TRIES {
            self.people = People::default();
            let OtherShape { hand, check } = self.other_shape()?;
            let hand = distort_hand(&hand, &mut self.random);
            let near = match check {
                Some(Check::Turned) => self.known.with_the_shape_of(&hand),
                Some(Check::AsHeld) => self.known.that_hold(&hand),
                None => People::default(),
            };
            if near.count() < 2 {
                return Some(OtherStill { hand, people: self.people, near });
            }
        }
        None
    }

    fn draw(&mut self) -> Example {
        self.people = People::default();
        // What only the window can tell needs more practice than letters that every frame shows.
        let letter = if self.can_hold() && self.random.random_bool(0.25) {
            if self.random.random_bool(0.5) { J } else { Z }
        } else {
            // A pointing hand draws Z only where it moves.
            let pointing = self.can_hold() && self.random.random_bool(0.2);
            let pointing = if pointing { POINTING.choose(&mut self.random).copied() } else { None };
            pointing
                .filter(|letter| self.letters.contains(letter))
                .or_else(|| self.letters.choose(&mut self.random).copied())
                .unwrap_or_default()
        };
        let (track, target) = match letter {
            J | Z => self.drawn_letter(letter),
            // Held shapes of J and Z, and letters begun with their movement, are told apart here.
            _ if self.can_hold() && self.random.random_bool(0.2) => self.held_shape(),
            _ => self.still_letter(letter),
        };
        let hands = distort(&track, &mut self.random);
        Example { hands, target: target.to_vec(), people: self.people }
    }
}

impl<'a> Windows<'a> {
    /// Whether these signers show a hand shape to draw J or Z with.
    pub fn can_draw(&self, letter: usize) -> bool {
        self.letters.contains(&letter)
    }

    /// A window that shows the movement of J or Z, or else its hand shape held still; never a real movement.
    pub fn draw_path(&mut self, letter: usize, moves: bool) -> Vec<Option<HandPoints>> {
        self.people = People::default();
        let shape = self.stroke_shape(letter);
        let track = if moves { self.synthesised(letter, shape, true) } else { vec![shape; FRAMES] };
        distort(&track, &mut self.random)
    }

    /// As often filmed as drawn freely, resting, or between two letters.
    fn other_shape(&mut self) -> Option<OtherShape> {
        let drawn = |hand| OtherShape { hand, check: Some(Check::Turned) };
        match self.random.random_range(0..10) {
            0..5 => {
                let clip = self.pick_other()?;
                let hand = some_hand(clip, &mut self.random)?;
                Some(OtherShape { hand: self.varied(&hand), check: None })
            }
            5..7 => Some(drawn(OtherHand::free(&mut self.random))),
            7 => Some(OtherShape { hand: OtherHand::resting(&mut self.random), check: Some(Check::AsHeld) }),
            _ => {
                let [first, second] = self.two_letters()?;
                let part = self.random.random_range(0.3..0.7);
                Some(drawn(blend(&first, &at_wrist(&second, &first), part)))
            }
        }
    }

    /// A clip of what is no letter; everybody's equally often.
    fn pick_other(&mut self) -> Option<&'a Clip> {
        let (signer, clips) = self.others.choose(&mut self.random)?;
        let clip = clips.choose(&mut self.random).copied()?;
        self.people = self.people.with(People::one(*signer));
        Some(clip)
    }

    /// A hand turned as no letter would be, and sometimes seen from the other side: it shows no letter so either.
    fn varied(&mut self, hand: &Hand) -> Hand {
        let roll = if self.random.random_bool(0.5) { self.random.random_range(-0.7..0.7) } else { 0.0 };
        let turned = posed(hand, Pose { roll, ..Pose::default() }, 0.0);
        if self.random.random_bool(0.25) { turned.map(|[x, y, z]| [-x, y, z]) } else { turned }
    }

    /// Hands of one signer that hold two letters.
    fn two_letters(&mut self) -> Option<[Hand; 2]> {
        let letters = self.letters.iter().filter(|letter| !self.still[**letter].is_empty());
        let first = letters.choose(&mut self.random).copied()?;
        let (signer, clip) = self.pick(List::Still, first)?;
        let hand = some_hand(clip, &mut self.random)?;
        Some([hand, self.another_letter(signer, first)?])
    }

    /// A hand of this signer that holds another letter than this one.
    fn another_letter(&mut self, signer: usize, letter: usize) -> Option<Hand> {
        let clips = self.signers[signer].clips.iter();
        let others: Vec<&Clip> =
            clips.filter(|other| other.letter != letter && other.kind == Kind::Still).collect();
        some_hand(others.choose(&mut self.random)?, &mut self.random)
    }

    /// Has the window begin with another hand, on the way to what it shows.
    fn begin_with(&mut self, before: &Hand, track: &mut [Option<Hand>]) {
        let until = self.random.random_range(1..15usize);
        let frames = self.random.random_range(1..7usize);
        let goal = track[until + frames].unwrap_or(*before);
        for (frame, slot) in track.iter_mut().enumerate().take(until + frames) {
            let part = (frame as f32 - until as f32).max(0.0) / frames as f32;
            *slot = Some(blend(&at_wrist(before, &goal), &goal, part));
        }
    }

    /// A hand in the second half of a movement, where J no longer looks like I.
    fn moment_of_j(&mut self) -> Option<Hand> {
        if self.random.random_bool(0.3)
            && let Some((_, clip)) = self.pick(List::Moving, J)
        {
            return some_hand(clip, &mut self.random);
        }
        let shape = self.stroke_shape(J)?;
        let stroke = Stroke::j(&mut self.random);
        let pose = stroke.at(self.random.random_range(0.5..1.0));
        Some(posed(&shape, pose, 0.0))
    }

    /// A clip of a letter, and the index of its signer.
    fn pick(&mut self, list: List, letter: usize) -> Option<(usize, &'a Clip)> {
        let list = match list {
            List::Still => &self.still,
            List::Moving => &self.moving,
            List::Held => &self.held,
        };
        let (signer, clips) = list[letter].choose(&mut self.random)?;
        let clip = clips.choose(&mut self.random).copied()?;
        self.people = self.people.with(People::one(*signer));
        Some((*signer, clip))
    }

    /// Hands to mix into one of this signer's that holds the letter, and how much of each.
    fn mixed_in(&mut self, letter: usize, signer: usize) -> impl Iterator<Item = (Hand, f32)> + use<> {
        [self.second_person(letter), self.straighter_x(letter, signer)].into_iter().flatten()
    }

    /// Sometimes a hand of another signer of the letter, and how much of it to mix in.
    fn second_person(&mut self, letter: usize) -> Option<(Hand, f32)> {
        if !self.random.random_bool(0.35) {
            return None;
        }
        let (_, other) = self.pick(List::Still, letter)?;
        Some((some_hand(other, &mut self.random)?, self.random.random_range(0.0..0.5)))
    }

    /// Sometimes, for X, the signer's D, and how much of it to mix in: some hardly bend the index finger of X (between its knuckle
    /// and its tip is 0.53 to 0.99 of its length, by signer), while nobody bends that of D.
    fn straighter_x(&mut self, letter: usize, signer: usize) -> Option<(Hand, f32)> {
        if letter != X || !self.random.random_bool(0.3) {
            return None;
        }
        let (_, clips) = self.still[D].iter().find(|(shows, _)| *shows == signer)?;
        let straight = some_hand(clips.choose(&mut self.random)?, &mut self.random)?;
        Some((straight, self.random.random_range(0.0..0.7)))
    }

    /// Sideways and hanging hands are seen from either side; others seldom, as when a hand is taken for the other.
    fn is_seen_from_the_other_side(&mut self, letter: usize) -> bool {
        self.random.random_bool(if SIDEWAYS.contains(&letter) { 0.25 } else { 0.06 })
    }

    fn can_hold(&self) -> bool {
        self.can_draw(J) && self.can_draw(Z)
    }

    fn drawn_letter(&mut self, letter: usize) -> (Vec<Option<Hand>>, Target) {
        if self.random.random_bool(0.2)
            && let Some((_, clip)) = self.pick(List::Moving, letter)
            && let Some(track) = self.moving_track(letter, clip)
        {
            return (track, sure(letter));
        }
        // A finger that draws may point anywhere, as in letters that only hold it so.
        let pointing = if letter == Z && self.random.random_bool(0.3) { self.pointing_hand() } else { None };
        let shape = pointing.or_else(|| self.stroke_shape(letter));
        (self.synthesised(letter, shape, true), sure(letter))
    }

    /// A hand that holds G, L or X; `None` if nobody shows the one that is drawn.
    fn pointing_hand(&mut self) -> Option<Hand> {
        let letter = DRAWING.choose(&mut self.random).copied()?;
        let (_, clip) = self.pick(List::Still, letter)?;
        some_hand(clip, &mut self.random)
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
            if extent(&track, tip(letter)) > 0.8 {
                return Some(track);
            }
        }
        None
    }

    /// A movement drawn with a still hand: whole (at least two thirds of it in the window), or only begun.
    fn synthesised(&mut self, letter: usize, shape: Option<Hand>, whole: bool) -> Vec<Option<Hand>> {
        let Some(shape) = shape else { return vec![None; FRAMES] };
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
        let unit = size(&shape);
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
                    pose.roll = -pose.roll;
                }
                Some(posed(&shape, pose, unit))
            })
            .collect()
    }

    fn stroke_shape(&mut self, letter: usize) -> Option<Hand> {
        let like = if letter == J { I } else { D };
        let use_held = self.still[like].is_empty()
            || (!self.held[letter].is_empty()
                && self.random.random_bool(if letter == J { 0.3 } else { 0.75 }));
        let (_, clip) = if use_held { self.pick(List::Held, letter) } else { self.pick(List::Still, like) }?;
        some_hand(clip, &mut self.random)
    }

    /// A hand shape of J or Z that holds still, or a movement that has hardly begun: I, or most likely D, not J, not Z.
    fn held_shape(&mut self) -> (Vec<Option<Hand>>, Target) {
        let letter = if self.random.random_bool(0.5) { J } else { Z };
        let like = if letter == J { I } else { D };
        let target = if letter == J && self.random.random_bool(0.5) { sure(like) } else { unsure(like) };
        let begins = target[like] > 0.9 || self.random.random_bool(0.3);
        if !begins && let Some((_, clip)) = self.pick(List::Held, letter) {
            return (self.still_track(clip), target);
        }
        let shape = self.stroke_shape(letter);
        (self.synthesised(letter, shape, false), target)
    }

    fn still_letter(&mut self, letter: usize) -> (Vec<Option<Hand>>, Target) {
        let Some((signer, clip)) = self.pick(List::Still, letter) else {
            return (vec![None; FRAMES], sure(letter));
        };
        let mut track = self.still_track(clip);
        for (other, part) in self.mixed_in(letter, signer) {
            for hand in track.iter_mut().flatten() {
                *hand = blend(hand, &at_wrist(&other, hand), part);
            }
        }
        if self.is_seen_from_the_other_side(letter) {
            for hand in track.iter_mut().flatten() {
                *hand = hand.map(|[x, y, z]| [-x, y, z]);
            }
        }
        // A window may begin with the letter before, on the way to this one.
        if self.random.random_bool(0.25)
            && let Some(before) = self.another_letter(signer, letter)
        {
            self.begin_with(&before, &mut track);
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

/// Another hand before another camera.
pub fn distort_hand(hand: &Hand, random: &mut Random) -> HandPoints {
    Distortion::draw(hand, random).apply(hand, 0.5, Place::default(), random)
}

/// Another hand, another camera, another place. Then frames get lost.
pub fn distort(track: &[Option<Hand>], random: &mut Random) -> Vec<Option<HandPoints>> {
    let Some(first) = track.iter().flatten().next() else { return vec![None; FRAMES] };
    let distortion = Distortion::draw(first, random);
    let path = path(random);
    let mut hands: Vec<Option<HandPoints>> = track
        .iter()
        .zip(path)
        .enumerate()
        .map(|(frame, (hand, place))| {
            let time = frame as f32 / FRAMES as f32;
            hand.as_ref().map(|hand| distortion.apply(hand, time, place, random))
        })
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

/// How a hand that holds a letter wanders: it trembles, sometimes drifts, turns a little, sometimes is on its way. In 32 frames
/// of a held letter the wrists of the filmed sets cover 0.1 to 1.7 hand sizes, and their hands turn by 0.04 to 0.45 rad (medians
/// of a letter's windows).
fn path(random: &mut Random) -> Vec<Place> {
    let tremor = random.random_range(0.0..0.03f32);
    let sway = random.random_range(0.0..0.35f32);
    let phase: [f32; 2] = [random.random_range(0.0..6.3), random.random_range(0.0..6.3)];
    let speed = random.random_range(0.02..0.35f32);
    let far = if random.random_bool(0.3) { random.random_range(0.0..1.8f32) } else { 0.0 };
    let direction = random.random_range(0.0..6.3f32);
    let (begin, end) = (random.random_range(-10.0..24.0f32), random.random_range(3.0..30.0f32));
    let turn = if random.random_bool(0.5) { random.random_range(0.0..0.25f32) } else { 0.0 };
    let (turn_phase, turn_speed) = (random.random_range(0.0..6.3f32), random.random_range(0.02..0.35f32));
    (0..FRAMES)
        .map(|frame| {
            let time = frame as f32;
            let way = far * ((time - begin) / end).clamp(0.0, 1.0);
            let across =
                sway * (phase[0] + speed * time).sin() + way * direction.cos() + tremor * normal(random);
            let down = sway * (phase[1] + 0.8 * speed * time).sin()
                + way * direction.sin()
                + tremor * normal(random);
            Place { offset: [across, down], roll: turn * (turn_phase + turn_speed * time).sin() }
        })
        .collect()
}

fn sure(letter: usize) -> Target {
    let mut target = [0.0; LETTERS];
    target[letter] = 1.0;
    target
}

fn unsure(letter: usize) -> Target {
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
    let mut largest = 0.0f32;
    for hand in track.iter().flatten() {
        for axis in 0..2 {
            low[axis] = low[axis].min(hand[landmark][axis]);
            high[axis] = high[axis].max(hand[landmark][axis]);
        }
        largest = largest.max(size(hand));
    }
    if largest > 0.0 { (high[0] - low[0]).hypot(high[1] - low[1]) / largest } else { 0.0 }
}

/// One of the clip's hands; `None` if it has none.
pub fn some_hand(clip: &Clip, random: &mut Random) -> Option<Hand> {
    for _ in 0..20 {
        if let Some(Some(hand)) = clip.frames.choose(random) {
            return Some(*hand);
        }
    }
    clip.frames.iter().flatten().next().copied()
}

/// The clip at a time between two frames, counted in frames.
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

pub fn blend(first: &Hand, second: &Hand, part: f32) -> Hand {
    std::array::from_fn(|index| {
        std::array::from_fn(|axis| first[index][axis] + part * (second[index][axis] - first[index][axis]))
    })
}

/// `hand` scaled and moved so that its size and wrist are those of `goal`.
fn at_wrist(hand: &Hand, goal: &Hand) -> Hand {
    let scale = size(goal) / size(hand).max(f32::MIN_POSITIVE);
    hand.map(|point| std::array::from_fn(|axis| (point[axis] - hand[0][axis]) * scale + goal[0][axis]))
}
