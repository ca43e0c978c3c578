//! Windows on which a classifier is tried out when it is loaded. They do not tell what it makes of others, but one that
//! gives no numbers seldom gives them here.

use std::f32::consts::TAU;

use dactyl_holistic::keypoints::{FACE, Keypoints, LEFT_HAND, POSE, RIGHT_HAND};

use crate::features::{self, Layout, Observation, PictureSize};

/// Size of the picture that the windows would be seen in.
const PICTURE: PictureSize = PictureSize { width: 640, height: 480 };

/// One window.
#[derive(Debug)]
pub(crate) struct Trial {
    /// What it shows, for messages.
    pub(crate) shows: &'static str,
    /// Its rows, `window` x width of the features, row-major.
    pub(crate) rows: Vec<f32>,
}

/// The windows, that without a person first.
///
/// A stream brings rows of zeros wherever no hand is found, and whole windows of them where `letters.nothing_share` is 1.
/// The others are made of landmarks, not of rows, so that no row holds what no landmarks could give.
pub(crate) fn windows(window: usize, layout: Layout) -> [Trial; 3] {
    let mut random = Random(1);
    [
        Trial { shows: "a window without a person", rows: vec![0.0; window * layout.width()] },
        Trial { shows: "a window of a waving hand", rows: rows((0..window).map(waving), layout) },
        Trial {
            shows: "a window of landmarks at random places",
            rows: rows((0..window).map(|_| random.keypoints()), layout),
        },
    ]
}

fn rows(frames: impl Iterator<Item = Keypoints>, layout: Layout) -> Vec<f32> {
    match layout {
        Layout::Hand1 => {
            let observations: Vec<_> =
                frames.map(|keypoints| Observation::new(&keypoints, PICTURE)).collect();
            features::hand_1(&observations)
        }
        Layout::Holistic1662 => frames.flat_map(|keypoints| features::holistic_1662(&keypoints)).collect(),
    }
}

/// An open right hand that goes to and fro. Rings of points stand for body and face, which no frame with a hand lacks.
fn waving(frame: usize) -> Keypoints {
    let mut keypoints = Keypoints::absent();
    for (part, radius) in [(POSE, 0.3), (FACE, 0.1)] {
        let landmarks = keypoints.part_mut(part);
        let step = TAU / landmarks.len() as f32;
        for (index, landmark) in landmarks.iter_mut().enumerate() {
            let angle = step * index as f32;
            *landmark = [0.5 + radius * angle.cos(), 0.4 + radius * angle.sin(), 0.0, 1.0];
        }
    }
    let wrist = [0.3 + 0.02 * (frame as f32 / 3.0).sin(), 0.7];
    for (index, landmark) in keypoints.part_mut(RIGHT_HAND).iter_mut().enumerate() {
        // Landmark 0 is the wrist; four of each finger follow, from the base to the tip, the thumb's first.
        let (finger, joint) = (index.saturating_sub(1) / 4, index.saturating_sub(1) % 4);
        let length = if index == 0 { 0.0 } else { 0.12 + 0.04 * joint as f32 };
        let angle = 0.3 * (finger as f32 - 2.0);
        *landmark = [wrist[0] + length * angle.sin(), wrist[1] - length * angle.cos(), 0.0, 0.0];
    }
    keypoints
}

/// The same values every time, by the linear congruential generator of Numerical Recipes (Press et al. 2007, 7.1.1).
struct Random(u32);

impl Random {
    /// A value from 0 to 1.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 as f32 / u32::MAX as f32
    }

    /// All landmarks, in the picture and up to its width before or behind it.
    fn keypoints(&mut self) -> Keypoints {
        let mut keypoints = Keypoints::absent();
        for part in [POSE, FACE, LEFT_HAND, RIGHT_HAND] {
            for landmark in keypoints.part_mut(part) {
                *landmark = [self.next(), self.next(), 2.0 * self.next() - 1.0, self.next()];
            }
        }
        keypoints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_is_whole_and_all_but_the_first_move() {
        for layout in [Layout::Hand1, Layout::Holistic1662] {
            let windows = windows(32, layout);
            for trial in &windows {
                assert_eq!(trial.rows.len(), 32 * layout.width(), "{}", trial.shows);
                assert!(trial.rows.iter().all(|value| value.is_finite()), "{}", trial.shows);
            }
            for trial in &windows[1..] {
                let rows: Vec<&[f32]> = trial.rows.chunks_exact(layout.width()).collect();
                assert!(rows.windows(2).all(|rows| rows[0] != rows[1]), "{}", trial.shows);
            }
        }
        let keypoints = waving(0);
        assert!(keypoints.is_present(RIGHT_HAND) && keypoints.is_present(POSE));
    }
}
