//! The movements of J and Z, drawn in the air with a hand that holds I or an index finger.

use std::f32::consts::PI;

use rand::Rng;
use rand_chacha::ChaCha8Rng as Random;

use crate::data::Hand;

/// Where the hand is and how it is turned at one instant of a movement.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pose {
    /// Offset in hand sizes, x right and y down in the camera's view of a right hand.
    pub offset: [f32; 2],
    /// In-plane turn in radians, clockwise in the picture.
    pub roll: f32,
    /// Turn about the forearm in radians.
    pub twist: f32,
}

/// A drawn letter: its pose as a function of time from 0 to 1.
#[derive(Debug, Clone)]
pub struct Stroke {
    points: Vec<[f32; 2]>,
    lengths: Vec<f32>,
    roll: f32,
    twist: f32,
    pace: f32,
    pivot: Pivot,
}

/// How much of a movement a turn about the wrist makes, and not the arm.
#[derive(Debug, Clone, Copy, Default)]
struct Pivot {
    /// Part of the movement across, 0 to 1.
    across: f32,
    /// Part of the movement up and down that the wrist does not make, 0 to 1.
    down: f32,
    /// Where the hand stands upright, in hand sizes from the start.
    upright: f32,
}

/// From the wrist to the tip of a straight index finger, in hand sizes.
const REACH: f32 = 1.8;

impl Stroke {
    /// J: down, then a hook to the signer's left (the picture's right) and up, while the forearm turns.
    pub fn j(random: &mut Random) -> Self {
        let height = random.random_range(0.7..2.6f32);
        let hook = height * random.random_range(0.25..0.8f32);
        let lean = random.random_range(-0.35..0.35f32);
        let mut points = vec![[0.0, 0.0]];
        let straight = random.random_range(0.35..0.8f32);
        points.push([lean * height, straight * height]);
        let turn = random.random_range(0.75..1.35f32) * PI;
        for step in 1..=12 {
            let angle = turn * step as f32 / 12.0;
            points.push([
                lean * height + hook / 2.0 * (1.0 - angle.cos()),
                straight * height + (1.0 - straight) * height * angle.sin(),
            ]);
        }
        Self::new(points, random.random_range(-0.2..1.0), random.random_range(0.0..1.9), random)
    }

    /// Z: to the signer's right (the picture's left), down across, and to the right again. Drawn with the arm, or in part or
    /// altogether by turning the hand about a wrist that rests. In the films of the further people the fingertip covers 1.1
    /// to 4.1 hand sizes across and 0.6 to 2.3 down (5th and 95th percentiles), half of it across out of the wrist.
    pub fn z(random: &mut Random) -> Self {
        let width = random.random_range(0.9..3.4f32);
        let height = width * random.random_range(0.15..1.3f32);
        let tilt = random.random_range(-0.25..0.25f32);
        let back = random.random_range(0.7..1.2f32);
        let last = random.random_range(0.6..1.2f32);
        let points = vec![
            [0.0, 0.0],
            [-width, tilt * width],
            [(back - 1.0) * width, height],
            [(back - 1.0 - last) * width, height * random.random_range(0.8..1.2) + tilt * width],
        ];
        let mut stroke =
            Self::new(points, random.random_range(-0.3..0.3), random.random_range(-0.3..0.3), random);
        if random.random_bool(0.7) {
            let across = random.random_range(0.1..1.0f32);
            let down = across * random.random_range(0.0..1.0);
            stroke.pivot = Pivot { across, down, upright: -width / 2.0 };
        }
        stroke
    }

    fn new(points: Vec<[f32; 2]>, roll: f32, twist: f32, random: &mut Random) -> Self {
        let mut lengths = vec![0.0];
        for pair in points.windows(2) {
            let step = (pair[1][0] - pair[0][0]).hypot(pair[1][1] - pair[0][1]);
            lengths.push(lengths[lengths.len() - 1] + step);
        }
        Self { points, lengths, roll, twist, pace: random.random_range(0.7..1.4), pivot: Pivot::default() }
    }

    /// The pose at `time`; before 0 it is the first one, after 1 the last.
    pub fn at(&self, time: f32) -> Pose {
        let time = time.clamp(0.0, 1.0).powf(self.pace);
        let eased = 0.5 * time + 0.5 * time * time * (3.0 - 2.0 * time);
        let total = self.lengths[self.lengths.len() - 1];
        let along = eased * total;
        let segment =
            self.lengths.windows(2).position(|pair| along <= pair[1]).unwrap_or(self.points.len() - 2);
        let length = (self.lengths[segment + 1] - self.lengths[segment]).max(f32::MIN_POSITIVE);
        let part = ((along - self.lengths[segment]) / length).clamp(0.0, 1.0);
        let [from, to] = [self.points[segment], self.points[segment + 1]];
        let [across, down] = [from[0] + part * (to[0] - from[0]), from[1] + part * (to[1] - from[1])];
        let Pivot { across: turned, down: lost, upright } = self.pivot;
        Pose {
            offset: [(1.0 - turned) * across, (1.0 - lost) * down],
            roll: self.roll * eased + turned * (across - upright) / REACH,
            twist: self.twist * eased,
        }
    }
}

/// The hand in that pose. `size` is one hand size in the hand's units.
pub fn posed(hand: &Hand, pose: Pose, size: f32) -> Hand {
    let wrist = hand[0];
    let flat = hand[9][2].is_nan();
    let along = [hand[9][0] - wrist[0], hand[9][1] - wrist[1]];
    let length = along[0].hypot(along[1]).max(f32::MIN_POSITIVE);
    let up = [along[0] / length, along[1] / length];
    let (sin, cos) = pose.twist.sin_cos();
    let (roll_sin, roll_cos) = pose.roll.sin_cos();
    hand.map(|point| {
        let [x, y] = [point[0] - wrist[0], point[1] - wrist[1]];
        let z = if flat { 0.0 } else { point[2] - wrist[2] };
        let upward = x * up[0] + y * up[1];
        let across = x * up[1] - y * up[0];
        let [across, z] = [across * cos - z * sin, across * sin + z * cos];
        let [x, y] = [upward * up[0] + across * up[1], upward * up[1] - across * up[0]];
        [
            wrist[0] + x * roll_cos - y * roll_sin + pose.offset[0] * size,
            wrist[1] + x * roll_sin + y * roll_cos + pose.offset[1] * size,
            if flat { f32::NAN } else { wrist[2] + z },
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_z_that_is_turned_out_of_the_wrist_moves_the_fingertip_and_not_the_wrist() {
        // Upright, the tip of the index finger one reach above the wrist, in units of the hand's size.
        let mut hand = [[0.0, 0.0, f32::NAN]; 21];
        hand[8] = [0.0, -REACH, f32::NAN];
        hand[9] = [0.0, -1.0, f32::NAN];
        let stroke = Stroke {
            points: vec![[0.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [-1.0, 1.0]],
            lengths: vec![0.0, 1.0, 1.0 + 2.0f32.sqrt(), 2.0 + 2.0f32.sqrt()],
            roll: 0.0,
            twist: 0.0,
            pace: 1.0,
            pivot: Pivot { across: 1.0, down: 1.0, upright: -0.5 },
        };
        let at = |time: f32| posed(&hand, stroke.at(time), 1.0);
        for time in [0.0, 0.3, 0.5, 0.8, 1.0] {
            assert_eq!(at(time)[0][..2], [0.0, 0.0], "the wrist at {time}");
        }
        // Half the width to either side, less what an arc is longer than its chord.
        let [start, end] = [at(0.0)[8][0], at(1.0)[8][0]];
        assert!((start - 0.5).abs() < 0.02 && (end + 0.5).abs() < 0.02, "from {start} to {end}");
    }
}
