//! Hands that show no letter: drawn freely within what joints allow, resting ones, and whose letters a hand is near all the same.

use std::f32::consts::{FRAC_PI_2, PI};

use dactyl_letters::features::{HandPoints, shape};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng as Random;

use crate::data::{Hand, LETTERS, Signer, flat};
use crate::distortion::normal;
use crate::windows::{People, some_hand};

/// Hands of the letters that signers show.
#[derive(Default)]
pub struct KnownLetters {
    hands: Vec<KnownHand>,
}

struct KnownHand {
    signer: People,
    placed: Points,
    upright: Points,
}

/// Landmarks in hand sizes, x and y in turn, as [`shape`] has them.
type Points = [f32; 42];

/// Hands of each letter of a signer that are kept.
const SAMPLES: usize = 6;

/// Mean distance of landmarks (root of the mean square, in hand sizes) below which two hands show the same. The nearest hand of
/// the same letter by somebody else is at 0.10 (median; 0.15 for three quarters); open hands, 3, 7, 8, horns and the like are 0.18
/// to 0.30 from every letter.
const NEAR: f32 = 0.18;

impl KnownLetters {
    /// Some hands of every letter of every signer, moments of J and Z too.
    pub fn of(signers: &[Signer], random: &mut Random) -> Self {
        let mut hands = Vec::new();
        for (index, signer) in signers.iter().enumerate() {
            for letter in 0..LETTERS {
                let clips: Vec<_> = signer.clips.iter().filter(|clip| clip.letter == letter).collect();
                for _ in 0..SAMPLES {
                    let hand = clips.choose(random).and_then(|clip| some_hand(clip, random));
                    let Some(hand) = hand else { continue };
                    let (placed, upright) = points(&flat(&hand));
                    hands.push(KnownHand { signer: People::one(index), placed, upright });
                }
            }
        }
        Self { hands }
    }

    /// Whose letters have the hand's shape, seen from either side, however they are turned in the plane.
    pub fn with_the_shape_of(&self, hand: &HandPoints) -> People {
        self.near(hand, |(_, upright)| upright, |known| &known.upright)
    }

    /// Whose letters are held as the hand is, seen from either side.
    pub fn that_hold(&self, hand: &HandPoints) -> People {
        self.near(hand, |(placed, _)| placed, |known| &known.placed)
    }

    fn near(
        &self,
        hand: &HandPoints,
        of: fn((Points, Points)) -> Points,
        known: fn(&KnownHand) -> &Points,
    ) -> People {
        let sides = [*hand, hand.map(|[x, y]| [-x, y])].map(|hand| of(points(&hand)));
        self.hands.iter().fold(People::default(), |near, one| {
            let is_near = || sides.iter().any(|side| are_near(side, known(one)));
            if !one.signer.are_among(near) && is_near() { near.with(one.signer) } else { near }
        })
    }
}

/// As they lie in the picture, and turned so that the palm points up.
fn points(hand: &HandPoints) -> (Points, Points) {
    let shape = shape(hand);
    (std::array::from_fn(|index| shape[1 + index]), std::array::from_fn(|index| shape[43 + index]))
}

fn are_near(a: &Points, b: &Points) -> bool {
    const LIMIT: f32 = NEAR * NEAR * 21.0;
    let mut sum = 0.0;
    for (a, b) in a.chunks_exact(6).zip(b.chunks_exact(6)) {
        sum += a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        if sum > LIMIT {
            return false;
        }
    }
    true
}

/// A right hand by its joints, in lengths of the palm.
pub struct OtherHand {
    /// Bend of the base and of the middle joint of index to little finger, in radians.
    fingers: [[f32; 2]; 4],
    /// How far the fingers are spread, in radians between index and middle finger.
    spread: f32,
    /// The thumb's angle from the palm's direction, to the index finger's side; out of the palm's plane, to the camera; and the
    /// bend of its two outer joints.
    thumb: [f32; 4],
    /// Turns about x, y and the camera's axis.
    turn: [f32; 3],
}

/// The thumb's first joint, and the bases of index to little finger, with the palm to the camera: x right, y down.
const BASES: [[f32; 2]; 5] = [[0.2, -0.2], [0.24, -0.96], [0.0, -1.0], [-0.2, -0.93], [-0.38, -0.8]];
/// Lengths of the bones behind them, from the base to the tip.
const BONES: [[f32; 3]; 5] =
    [[0.42, 0.34, 0.28], [0.48, 0.28, 0.22], [0.53, 0.33, 0.23], [0.49, 0.31, 0.23], [0.38, 0.22, 0.2]];
/// How far each finger is spread where index and middle finger are by 1.
const FAN: [f32; 4] = [0.9, -0.1, -1.0, -2.0];
/// The last joint bends with the middle one.
const LAST_JOINT: f32 = 0.65;

impl OtherHand {
    /// Every finger straight, hooked, folded, half bent or anything between, or all of them alike; in front of a camera.
    pub fn free(random: &mut Random) -> Hand {
        let alike = random.random_bool(0.3);
        let first = bend(random);
        let fingers = std::array::from_fn(|_| {
            let [base, middle] = if alike { first } else { bend(random) };
            [base + 0.12 * normal(random), middle + 0.12 * normal(random)]
        });
        let side = if random.random_bool(0.2) { PI } else { 0.0 };
        Self {
            fingers,
            spread: random.random_range(-0.05..0.3),
            thumb: thumb(random),
            turn: [0.35 * normal(random), side + 0.4 * normal(random), 0.3 * normal(random)],
        }
        .hand()
    }

    /// Fingers half bent together, as nobody holds them on purpose; hanging down, or lying aside.
    pub fn resting(random: &mut Random) -> Hand {
        let [base, middle] = [random.random_range(0.05..0.8), random.random_range(0.1..1.1f32)];
        // From the index to the little finger they bend a little more.
        let more = random.random_range(0.0..0.2f32);
        let fingers = std::array::from_fn(|finger| {
            let more = more * finger as f32;
            [base + more + 0.1 * normal(random), middle + more + 0.1 * normal(random)]
        });
        let roll = if random.random_bool(0.6) {
            PI + 0.5 * normal(random)
        } else {
            FRAC_PI_2.copysign(random.random_range(-1.0..1.0f32)) + 0.3 * normal(random)
        };
        Self {
            fingers,
            spread: random.random_range(0.0..0.15),
            thumb: [
                random.random_range(0.0..0.8),
                random.random_range(0.0..0.6),
                random.random_range(0.0..0.5),
                random.random_range(0.0..0.6),
            ],
            turn: [0.4 * normal(random), random.random_range(-PI..PI), roll],
        }
        .hand()
    }

    fn hand(&self) -> Hand {
        let mut hand = [[0.0; 3]; 21];
        for (finger, ([x, y], bones)) in BASES.into_iter().zip(BONES).enumerate() {
            hand[1 + 4 * finger] = [x, y, 0.0];
            for (joint, length) in bones.into_iter().enumerate() {
                let direction = if finger == 0 {
                    let [aside, forward, first, second] = self.thumb;
                    let bent = [0.0, first, first + second][joint];
                    let ((sin, cos), (near, far)) = ((aside - bent).sin_cos(), forward.sin_cos());
                    [sin * far, -cos * far, -near]
                } else {
                    let [base, middle] = self.fingers[finger - 1];
                    let bent = base + [0.0, middle, (1.0 + LAST_JOINT) * middle][joint];
                    let ((sin, cos), (near, far)) =
                        ((self.spread * FAN[finger - 1]).sin_cos(), bent.sin_cos());
                    [sin * far, -cos * far, -near]
                };
                let from = hand[1 + 4 * finger + joint];
                hand[2 + 4 * finger + joint] =
                    std::array::from_fn(|axis| from[axis] + length * direction[axis]);
            }
        }
        let [(sin_x, cos_x), (sin_y, cos_y), (sin_z, cos_z)] = self.turn.map(f32::sin_cos);
        hand.map(|[x, y, z]| {
            let [y, z] = [y * cos_x - z * sin_x, y * sin_x + z * cos_x];
            let [x, z] = [x * cos_y + z * sin_y, z * cos_y - x * sin_y];
            [x * cos_z - y * sin_z, x * sin_z + y * cos_z, z]
        })
    }
}

/// Bend of a finger's base and middle joint in radians.
fn bend(random: &mut Random) -> [f32; 2] {
    let mut between = |low: f32, high: f32| random.random_range(low..high);
    match between(0.0, 10.0) as u32 {
        0..3 => [between(-0.15, 0.15), between(0.0, 0.2)],
        3 => [between(0.9, 1.5), between(0.0, 0.4)],
        4 => [between(-0.1, 0.4), between(1.2, 1.9)],
        5..8 => [between(0.9, 1.5), between(1.3, 1.9)],
        _ => [between(-0.15, 1.5), between(0.0, 1.9)],
    }
}

/// Beside the palm, away from it, across it, or anything between.
fn thumb(random: &mut Random) -> [f32; 4] {
    let mut between = |low: f32, high: f32| random.random_range(low..high);
    match between(0.0, 4.0) as u32 {
        0 => [between(0.0, 0.4), between(0.0, 0.3), between(-0.1, 0.2), between(-0.2, 0.2)],
        1 => [between(0.6, 1.4), between(0.0, 0.4), between(-0.2, 0.2), between(-0.3, 0.2)],
        2 => [between(0.0, 0.5), between(0.3, 1.0), between(0.4, 1.1), between(0.0, 1.0)],
        _ => [between(0.0, 1.4), between(0.0, 1.0), between(-0.2, 1.0), between(-0.3, 1.2)],
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::data::{Clip, Kind};

    fn signer(hand: Hand) -> Signer {
        let clip = Clip {
            letter: 1,
            kind: Kind::Still,
            frames: vec![Some(hand); 3],
            other: Vec::new(),
            ordered: true,
        };
        Signer { clips: vec![clip], ..Signer::default() }
    }

    fn open(spread: f32, turn: [f32; 3]) -> Hand {
        OtherHand { fingers: [[0.0; 2]; 4], spread, thumb: [0.3, 0.0, 0.0, 0.0], turn }.hand()
    }

    #[test]
    fn a_drawn_hand_has_the_bones_of_a_hand() {
        let mut random = Random::seed_from_u64(1);
        for index in 0..200 {
            let hand =
                if index % 2 == 0 { OtherHand::free(&mut random) } else { OtherHand::resting(&mut random) };
            for (finger, bones) in BONES.iter().enumerate() {
                for (joint, length) in bones.iter().enumerate() {
                    let [from, to] = [hand[1 + 4 * finger + joint], hand[2 + 4 * finger + joint]];
                    let found = from.iter().zip(to).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
                    assert!((found - length).abs() < 1e-4, "{found} and {length}");
                }
            }
        }
    }

    #[test]
    fn a_raised_right_hand_shows_its_palm_and_points_up() {
        let hand = open(0.1, [0.0; 3]);
        assert!(hand[12][1] < hand[9][1] && hand[9][1] < hand[0][1], "fingers up");
        assert!(
            hand[5][0] > hand[17][0] && hand[4][0] > hand[17][0],
            "thumb and index finger to the picture's right"
        );
        let bent =
            OtherHand { fingers: [[1.2, 1.5]; 4], spread: 0.0, thumb: [0.3, 0.0, 0.0, 0.0], turn: [0.0; 3] };
        let bent = bent.hand();
        assert!(bent[10][2] < 0.0 && bent[12][1] > bent[10][1], "fingers fold to the camera, and down");
    }

    #[test]
    fn a_hand_is_near_whose_letter_has_its_shape() {
        let mut random = Random::seed_from_u64(1);
        let [narrow, wide] = [0.0, 0.35].map(|spread| open(spread, [0.0; 3]));
        let known = KnownLetters::of(&[signer(narrow), signer(wide)], &mut random);
        let [first, second] = [0, 1].map(People::one);
        assert_eq!(known.with_the_shape_of(&flat(&narrow)), first);
        assert_eq!(known.with_the_shape_of(&flat(&wide.map(|[x, y, z]| [-x, y, z]))), second);
        // Upside down it has the shape, but is not held so.
        let turned = flat(&open(0.0, [0.0, 0.0, PI]));
        assert_eq!(known.with_the_shape_of(&turned), first);
        assert_eq!(known.that_hold(&turned), People::default());
    }
}
