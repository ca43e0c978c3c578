//! What makes one hand look like another's before another camera.

use dactyl_letters::features::HandPoints;
use rand::Rng;
use rand_chacha::ChaCha8Rng as Random;

use crate::data::{Hand, size};

/// One draw, for all frames of a window.
pub struct Distortion {
    /// Hand size of the source, in its units.
    size: f32,
    /// Lengths of the bones relative to the source's, by child landmark.
    bones: [f32; 21],
    /// How the fingers are bent and spread otherwise than the source's.
    fingers: Fingers,
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
}

/// Where a hand that holds a letter is in one frame.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// In hand sizes.
    pub offset: [f32; 2],
    /// Turn about the camera's axis in radians.
    pub roll: f32,
}

/// Turns of the bones in radians, by child landmark.
struct Fingers {
    /// About the line through the knuckles; only with z.
    flexion: [f32; 21],
    /// About the palm's normal; without z about the camera's axis.
    spread: [f32; 21],
}

impl Distortion {
    /// For a source like `hand`.
    pub fn draw(hand: &Hand, random: &mut Random) -> Self {
        let flat_source = hand[9][2].is_nan();
        let mut bones = [1.0; 21];
        for finger in 0..5 {
            let whole = 1.0 + 0.08 * normal(random);
            for joint in 0..4 {
                bones[1 + 4 * finger + joint] = (whole + 0.05 * normal(random)).clamp(0.7, 1.3);
            }
        }
        let fingers = Fingers::draw(random);
        let error = random.random_range(0.0..0.045f32);
        let bias = std::array::from_fn(|_| std::array::from_fn(|_| error * normal(random)));
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
            size: size(hand),
            bones,
            fingers,
            bias,
            jitter: random.random_range(0.0..0.025),
            turn,
            turning,
            plane,
            perspective: random.random_range(-0.1..0.35),
        }
    }

    /// `hand` distorted. `time` runs from 0 to 1 over the window.
    pub fn apply(&self, hand: &Hand, time: f32, place: Place, random: &mut Random) -> HandPoints {
        let part = time - 0.5;
        let mut turn: [f32; 3] = std::array::from_fn(|axis| self.turn[axis] + part * self.turning[axis]);
        turn[2] += place.roll;
        let offset = place.offset;
        let [(sin_x, cos_x), (sin_y, cos_y), (sin_z, cos_z)] = turn.map(f32::sin_cos);
        let wrist = hand[0];
        let flat_source = hand[9][2].is_nan();
        let mut steps = [[0.0f32; 3]; 21];
        for index in 1..21 {
            steps[index] = std::array::from_fn(|axis| {
                let step = hand[index][axis] - hand[parent(index)][axis];
                self.bones[index] * if axis == 2 && flat_source { 0.0 } else { step }
            });
        }
        self.fingers.bend(hand, flat_source, &mut steps);
        let mut chain = [[0.0f32; 3]; 21];
        let mut placed: HandPoints = [[0.0; 2]; 21];
        let noise = self.size * self.jitter;
        for index in 0..21 {
            if index > 0 {
                chain[index] = std::array::from_fn(|axis| chain[parent(index)][axis] + steps[index][axis]);
            }
            let [x, y, z]: [f32; 3] =
                std::array::from_fn(|axis| chain[index][axis] + self.size * self.bias[index][axis]);
            let [y, z] = [y * cos_x - z * sin_x, y * sin_x + z * cos_x];
            let [x, z] = [x * cos_y + z * sin_y, z * cos_y - x * sin_y];
            let [x, y] = [x * cos_z - y * sin_z, x * sin_z + y * cos_z];
            let near = 1.0 / (1.0 + self.perspective * z / (2.0 * self.size)).clamp(0.6, 1.6);
            let [x, y] = [x * near, y * near];
            let [x, y] =
                [x * self.plane[0][0] + y * self.plane[0][1], x * self.plane[1][0] + y * self.plane[1][1]];
            placed[index] = [
                x + wrist[0] + self.size * offset[0] + noise * normal(random),
                y + wrist[1] + self.size * offset[1] + noise * normal(random),
            ];
        }
        placed
    }
}

impl Fingers {
    fn draw(random: &mut Random) -> Self {
        let amount = random.random_range(0.0..0.25f32);
        let mut fingers = Self { flexion: [0.0; 21], spread: [0.0; 21] };
        // All fingers together, then each joint by itself; the last joint moves less.
        let together = 0.5 * normal(random);
        for finger in 0..5 {
            let aside = 0.5 * amount * normal(random);
            let mut bent = 0.0;
            for (joint, share) in [(1, 1.0), (2, 1.0), (3, 0.7)] {
                bent += amount * share * (normal(random) + together);
                fingers.flexion[1 + 4 * finger + joint] = bent;
                fingers.spread[1 + 4 * finger + joint] = aside;
            }
        }
        fingers
    }

    fn bend(&self, hand: &Hand, flat_source: bool, steps: &mut [[f32; 3]; 21]) {
        if flat_source {
            for (step, spread) in steps.iter_mut().zip(self.spread) {
                *step = turned(*step, [0.0, 0.0, 1.0], spread);
            }
            return;
        }
        let from_wrist =
            |index: usize| -> [f32; 3] { std::array::from_fn(|axis| hand[index][axis] - hand[0][axis]) };
        let normal = unit(cross(from_wrist(5), from_wrist(17)));
        let across = unit(cross(from_wrist(9), normal));
        for (index, step) in steps.iter_mut().enumerate() {
            *step = turned(turned(*step, across, self.flexion[index]), normal, self.spread[index]);
        }
    }
}

/// The landmark that a landmark's bone starts from.
fn parent(index: usize) -> usize {
    if index % 4 == 1 { 0 } else { index - 1 }
}

fn cross(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn unit(vector: [f32; 3]) -> [f32; 3] {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.map(|value| value / length)
}

/// `vector` turned about the unit vector `axis` (Rodrigues).
fn turned(vector: [f32; 3], axis: [f32; 3], angle: f32) -> [f32; 3] {
    let (sin, cos) = angle.sin_cos();
    let along: f32 = vector.iter().zip(axis).map(|(a, b)| a * b).sum();
    let aside = cross(axis, vector);
    std::array::from_fn(|i| vector[i] * cos + aside[i] * sin + axis[i] * along * (1.0 - cos))
}

/// Standard normal, by Box and Muller.
pub fn normal(random: &mut Random) -> f32 {
    let radius = (-2.0 * (1.0 - random.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.random::<f32>()).cos()
}
