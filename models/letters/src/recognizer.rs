//! One stream's way from keypoints to distributions over letters.

use std::sync::Arc;

use crate::classifier::Classifier;
use crate::features::{self, Layout, Observation, PictureSize};
use crate::feedback::label_index;
use crate::onnx_runtime::RunError;
use crate::window::Window;
use dactyl_holistic::Cancel;
use dactyl_holistic::keypoints::{Keypoints, LEFT_HAND, RIGHT_HAND};

/// The rolling window of one stream in front of a shared classifier.
#[derive(Debug)]
pub struct Recognizer {
    classifier: Arc<Classifier>,
    nothing_share: f32,
    other_weight: f32,
    /// Frames after which there is an answer; 0: those of the whole window.
    min_window: usize,
    /// For each label whether its sign moves, so that only the whole window tells it.
    is_moving: Vec<bool>,
    /// Whether such a sign is asked for.
    awaits_movement: bool,
    frames: Frames,
}

/// Raw observations, not rows: `hand-1` is computed over the window as a whole.
#[derive(Debug)]
enum Frames {
    Hand1(Window<Observation>),
    Holistic1662(Window<Row>),
}

#[derive(Debug, Clone)]
struct Row {
    values: Vec<f32>,
    has_hand: bool,
}

impl Recognizer {
    /// `nothing_share`: share of the window's frames without a hand above which the answer is "nothing", 0 to 1.
    pub fn new(classifier: Arc<Classifier>, nothing_share: f32) -> Self {
        let window = classifier.window();
        let frames = match classifier.contract().features {
            Layout::Hand1 => Frames::Hand1(Window::new(window)),
            Layout::Holistic1662 => Frames::Holistic1662(Window::new(window)),
        };
        Self {
            is_moving: vec![false; classifier.labels().len()],
            classifier,
            nothing_share,
            other_weight: 1.0,
            min_window: 0,
            awaits_movement: false,
            frames,
        }
    }

    /// Takes one analysed frame, with a hand in it or not.
    ///
    /// `None` until there are enough frames (see [`Recognizer::fill`]), then one distribution over [`Classifier::labels`] per
    /// frame. While the window is not full, its first frame stands for the missing ones, as if the hand had been held before;
    /// there is no answer then that names a sign which moves. A distribution is all zeros
    /// ("nothing") when more than `nothing_share` of the window shows no hand, without asking the classifier. Of a classifier
    /// that knows hands which show none of its labels, what the values lack to 1 is the probability of such a hand.
    ///
    /// # Errors
    /// [`RunError`]; the frame stays in the window.
    pub fn push(
        &mut self,
        keypoints: &Keypoints,
        picture: PictureSize,
        cancel: &Cancel,
    ) -> Result<Option<Vec<f32>>, RunError> {
        let least = self.needed();
        let rows = match &mut self.frames {
            Frames::Hand1(window) => {
                window.push(Observation::new(keypoints, picture));
                let Some(observations) = window.read(least) else {
                    return Ok(None);
                };
                let hands = observations.iter().map(Observation::has_hand);
                (!is_nothing(hands, self.nothing_share)).then(|| features::hand_1(&observations))
            }
            Frames::Holistic1662(window) => {
                window.push(Row {
                    values: features::holistic_1662(keypoints),
                    has_hand: keypoints.is_present(LEFT_HAND) || keypoints.is_present(RIGHT_HAND),
                });
                let Some(rows) = window.read(least) else {
                    return Ok(None);
                };
                let hands = rows.iter().map(|row| row.has_hand);
                (!is_nothing(hands, self.nothing_share))
                    .then(|| rows.iter().flat_map(|row| row.values.iter().copied()).collect())
            }
        };
        match rows {
            Some(rows) => {
                let distribution = self.classifier.classify(&rows, cancel)?;
                if !self.is_full() && self.names_movement(&distribution) {
                    return Ok(None);
                }
                Ok(Some(reweighed(distribution, self.other_weight)))
            }
            None => Ok(Some(vec![0.0; self.classifier.labels().len()])),
        }
    }

    /// The classifier behind the window.
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// Frames that there are, and frames that an answer needs: the first is the second at most.
    pub fn fill(&self) -> (usize, usize) {
        let needed = self.needed();
        (self.window().0.min(needed), needed)
    }

    fn needed(&self) -> usize {
        let capacity = self.window().1;
        if self.min_window == 0 || self.awaits_movement { capacity } else { self.min_window.min(capacity) }
    }

    fn is_full(&self) -> bool {
        let (frames, capacity) = self.window();
        frames == capacity
    }

    /// Whether the likeliest label is one whose sign moves.
    fn names_movement(&self, distribution: &[f32]) -> bool {
        let best = distribution.iter().zip(&self.is_moving).max_by(|a, b| a.0.total_cmp(b.0));
        best.is_some_and(|(_, is_moving)| *is_moving)
    }

    fn window(&self) -> (usize, usize) {
        match &self.frames {
            Frames::Hand1(window) => window.fill(),
            Frames::Holistic1662(window) => window.fill(),
        }
    }

    /// Answers from so many frames on, 0 for those of the whole window. `moving`: labels whose signs move; those that the
    /// classifier does not have do nothing.
    pub fn set_min_window(&mut self, min_window: usize, moving: &[String]) {
        self.min_window = min_window;
        let labels = self.classifier.labels();
        self.is_moving = vec![false; labels.len()];
        for index in moving.iter().filter_map(|label| label_index(labels, label)) {
            self.is_moving[index] = true;
        }
    }

    /// The label that is asked for from now on: while it is one whose sign moves, answers need the whole window.
    pub fn set_target(&mut self, label: Option<&str>) {
        let target = label.and_then(|label| label_index(self.classifier.labels(), label));
        self.awaits_movement = target.is_some_and(|index| self.is_moving[index]);
    }

    /// Forgets every frame, as at an emergency reset.
    pub fn clear(&mut self) {
        match &mut self.frames {
            Frames::Hand1(window) => window.clear(),
            Frames::Holistic1662(window) => window.clear(),
        }
    }

    /// Changes the share of frames without a hand above which the answer is "nothing".
    pub fn set_nothing_share(&mut self, nothing_share: f32) {
        self.nothing_share = nothing_share;
    }

    /// Changes how much likelier than in its training the classifier's "none of the labels" is held to be: the factor of its
    /// odds, 0 and more. 1 takes the classifier at its word; with 0 every hand shows some label.
    pub fn set_other_weight(&mut self, other_weight: f32) {
        self.other_weight = other_weight;
    }
}

/// The distribution with the odds of what it lacks to 1 multiplied by `other_weight`. One that lacks nothing stays.
pub fn reweighed(mut distribution: Vec<f32>, other_weight: f32) -> Vec<f32> {
    let sum: f32 = distribution.iter().sum();
    let other = (1.0 - sum).max(0.0);
    let total = sum + other_weight * other;
    if total > 0.0 && other_weight != 1.0 {
        for value in &mut distribution {
            *value /= total;
        }
    }
    distribution
}

fn is_nothing(hands: impl ExactSizeIterator<Item = bool>, nothing_share: f32) -> bool {
    let frames = hands.len() as f32;
    let without = hands.filter(|has_hand| !has_hand).count() as f32;
    without > nothing_share * frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_odds_of_no_label_are_multiplied() {
        let close = |a: Vec<f32>, b: [f32; 2]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        // 1 to 1, then 1 to 3, 3 to 1, and none at all.
        assert!(close(reweighed(vec![0.4, 0.1], 1.0), [0.4, 0.1]));
        assert!(close(reweighed(vec![0.4, 0.1], 3.0), [0.2, 0.05]));
        assert!(close(reweighed(vec![0.4, 0.1], 1.0 / 3.0), [0.6, 0.15]));
        assert!(close(reweighed(vec![0.4, 0.1], 0.0), [0.8, 0.2]));
    }

    #[test]
    fn nothing_stays_nothing_and_a_whole_distribution_stays_whole() {
        for weight in [0.0, 0.5, 1.0, 100.0] {
            assert_eq!(reweighed(vec![0.0, 0.0], weight), [0.0, 0.0]);
            assert_eq!(reweighed(vec![0.75, 0.25], weight), [0.75, 0.25]);
        }
    }
}
