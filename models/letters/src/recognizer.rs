//! One stream's way from keypoints to distributions over letters.

use std::sync::Arc;

use crate::classifier::Classifier;
use crate::features::{self, Layout, Observation, Picture};
use crate::onnx_runtime::RunError;
use crate::window::Window;
use dactyl_holistic::Cancel;
use dactyl_holistic::keypoints::{Keypoints, LEFT_HAND, RIGHT_HAND};

/// The rolling window of one stream in front of a shared classifier.
#[derive(Debug)]
pub struct Recognizer {
    classifier: Arc<Classifier>,
    nothing_share: f32,
    frames: Frames,
}

/// Raw observations, not rows: `hand-1` is computed over the window as a whole.
#[derive(Debug)]
enum Frames {
    Hand1(Window<Observation>),
    Holistic1662(Window<Row>),
}

#[derive(Debug)]
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
        Self { classifier, nothing_share, frames }
    }

    /// Takes one analysed frame, with a hand in it or not.
    ///
    /// `None` until the window is full, then one distribution over [`Classifier::labels`] per frame. It is all zeros
    /// ("nothing") when more than `nothing_share` of the window shows no hand, without asking the classifier.
    ///
    /// # Errors
    /// [`RunError`]; the frame stays in the window.
    pub fn push(
        &mut self,
        keypoints: &Keypoints,
        picture: Picture,
        cancel: &Cancel,
    ) -> Result<Option<Vec<f32>>, RunError> {
        let rows = match &mut self.frames {
            Frames::Hand1(window) => {
                window.push(Observation::new(keypoints, picture));
                let Some(observations) = window.full() else {
                    return Ok(None);
                };
                let hands = observations.iter().map(Observation::has_hand);
                (!is_nothing(hands, self.nothing_share)).then(|| features::hand_1(observations))
            }
            Frames::Holistic1662(window) => {
                window.push(Row {
                    values: features::holistic_1662(keypoints),
                    has_hand: keypoints.is_present(LEFT_HAND) || keypoints.is_present(RIGHT_HAND),
                });
                let Some(rows) = window.full() else {
                    return Ok(None);
                };
                let hands = rows.iter().map(|row| row.has_hand);
                (!is_nothing(hands, self.nothing_share))
                    .then(|| rows.iter().flat_map(|row| row.values.iter().copied()).collect())
            }
        };
        match rows {
            Some(rows) => self.classifier.classify(&rows, cancel).map(Some),
            None => Ok(Some(vec![0.0; self.classifier.labels().len()])),
        }
    }

    /// The classifier behind the window.
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// Frames in the window, and frames it needs.
    pub fn fill(&self) -> (usize, usize) {
        match &self.frames {
            Frames::Hand1(window) => window.fill(),
            Frames::Holistic1662(window) => window.fill(),
        }
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
}

fn is_nothing(hands: impl ExactSizeIterator<Item = bool>, nothing_share: f32) -> bool {
    let frames = hands.len() as f32;
    let without = hands.filter(|has_hand| !has_hand).count() as f32;
    without > nothing_share * frames
}
