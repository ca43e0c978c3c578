//! Judging by signers that were not trained on. Signers and letters are counted, not frames.

use std::fmt;

use anyhow::Result;
use dactyl_letters::features::{HandPoints, hand_1_rows};
use serde::{Deserialize, Serialize};

use crate::data::{Clip, Kind, Signer};
use crate::network::{Network, Part};
use crate::windows::FRAMES;

/// Windows per letter of a signer, at most.
const WINDOWS: usize = 16;

/// Undistorted windows of signers that are not trained on.
pub struct HeldOut {
    labels: Vec<String>,
    signers: Vec<String>,
    /// Whether each label is a movement.
    moving: Vec<bool>,
    /// Signer and letter of each window.
    windows: Vec<(usize, usize)>,
    rows: Vec<f32>,
}

/// How often the right letter won.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Score {
    /// One entry per signer.
    pub signers: Vec<SignerScore>,
}

/// Of one signer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignerScore {
    /// Name of the set.
    pub name: String,
    /// Still letters whose mean distribution over their windows is right, and how many there are.
    pub still: (usize, usize),
    /// The same of signs that move.
    pub moving: (usize, usize),
    /// Share of right windows, mean over letters.
    pub windows: f32,
    /// Probability of the right letter, mean over letters.
    pub probability: f32,
    /// Mean over letters of -ln(probability of the right letter), by window.
    pub loss: f32,
    /// Wrong letters: what it was, what won.
    pub wrong: Vec<(String, String)>,
}

impl HeldOut {
    /// Cuts windows from every clip whose label can be trusted.
    pub fn new(signers: &[Signer], labels: &[String]) -> Self {
        let mut held_out = Self {
            labels: labels.to_vec(),
            signers: Vec::new(),
            moving: vec![false; labels.len()],
            windows: Vec::new(),
            rows: Vec::new(),
        };
        for (index, signer) in signers.iter().enumerate() {
            held_out.signers.push(signer.name.clone());
            for clip in signer.clips.iter().filter(|clip| clip.kind != Kind::HeldShape) {
                held_out.moving[clip.letter] |= clip.kind == Kind::Moving;
                for hands in cut(clip) {
                    held_out.windows.push((index, clip.letter));
                    held_out.rows.extend(hand_1_rows(&hands));
                }
            }
        }
        held_out
    }

    /// Whether there is nobody to judge by.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// Runs every window through the whole network, or through its frame part alone and takes the mean over the
    /// frames. `None` without windows, and of the part that tells hands that show no label: these windows show one.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn score(&self, network: &Network, part: Part, temperature: f64) -> Result<Option<Score>> {
        if self.is_empty() {
            return Ok(None);
        }
        let probabilities = match part {
            Part::Frame => network.frame_probabilities(&self.rows, FRAMES)?,
            Part::Window => network.probabilities(&self.rows, FRAMES, temperature)?,
            Part::Other => return Ok(None),
        };
        let signers =
            (0..self.signers.len()).map(|signer| self.score_signer(signer, &probabilities)).collect();
        Ok(Some(Score { signers }))
    }

    /// The temperature with the least loss on these signers, of a few.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn temperature(&self, network: &Network) -> Result<f64> {
        let mut best = (f32::INFINITY, 1.0);
        for temperature in [0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6, 1.8, 2.0] {
            if let Some(score) = self.score(network, Part::Window, temperature)? {
                let loss = score.mean(|signer| signer.loss);
                if loss < best.0 {
                    best = (loss, temperature);
                }
            }
        }
        Ok(best.1)
    }

    fn score_signer(&self, signer: usize, probabilities: &[Vec<f32>]) -> SignerScore {
        let mut score = SignerScore {
            name: self.signers[signer].clone(),
            still: (0, 0),
            moving: (0, 0),
            windows: 0.0,
            probability: 0.0,
            loss: 0.0,
            wrong: Vec::new(),
        };
        for (letter, label) in self.labels.iter().enumerate() {
            let of_letter: Vec<&Vec<f32>> = (self.windows.iter().zip(probabilities))
                .filter(|(window, _)| **window == (signer, letter))
                .map(|(_, probabilities)| probabilities)
                .collect();
            if of_letter.is_empty() {
                continue;
            }
            let count = of_letter.len() as f32;
            let mean: Vec<f32> = (0..of_letter[0].len())
                .map(|class| of_letter.iter().map(|one| one[class]).sum::<f32>() / count)
                .collect();
            let won = largest(&mean);
            let tally = if self.moving[letter] { &mut score.moving } else { &mut score.still };
            tally.1 += 1;
            if won == letter {
                tally.0 += 1;
            } else {
                score.wrong.push((label.clone(), self.labels[won].clone()));
            }
            score.windows += of_letter.iter().filter(|one| largest(one) == letter).count() as f32 / count;
            score.probability += mean[letter];
            score.loss += of_letter.iter().map(|one| -one[letter].max(1e-6).ln()).sum::<f32>() / count;
        }
        let letters = (score.still.1 + score.moving.1).max(1) as f32;
        score.windows /= letters;
        score.probability /= letters;
        score.loss /= letters;
        score
    }
}

impl Score {
    /// Mean over signers.
    pub fn mean(&self, of: impl Fn(&SignerScore) -> f32) -> f32 {
        self.signers.iter().map(of).sum::<f32>() / self.signers.len().max(1) as f32
    }
}

impl fmt::Display for Score {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |of: fn(&SignerScore) -> (usize, usize)| {
            self.signers.iter().map(of).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        };
        let (still, moving) = (sum(|signer| signer.still), sum(|signer| signer.moving));
        write!(
            formatter,
            "{}/{} still, {}/{} moving, windows {:.3}, p {:.3}, loss {:.3}",
            still.0,
            still.1,
            moving.0,
            moving.1,
            self.mean(|signer| signer.windows),
            self.mean(|signer| signer.probability),
            self.mean(|signer| signer.loss)
        )
    }
}

/// Index of the largest value.
pub fn largest(values: &[f32]) -> usize {
    values.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(index, _)| index)
}

/// Windows of a clip as they are: consecutive frames where there are enough, stretched where it is short, held where
/// its rows are single pictures.
fn cut(clip: &Clip) -> Vec<Vec<Option<HandPoints>>> {
    let hands: Vec<Option<HandPoints>> =
        clip.frames.iter().map(|hand| hand.map(|hand| hand.map(|point| [point[0], point[1]]))).collect();
    if !clip.ordered {
        let step = hands.len().div_ceil(WINDOWS).max(1);
        return hands.iter().step_by(step).map(|hand| vec![*hand; FRAMES]).collect();
    }
    if hands.len() < FRAMES {
        let place = |frame: usize| frame * (hands.len() - 1) / (FRAMES - 1);
        return vec![(0..FRAMES).map(|frame| hands[place(frame)]).collect()];
    }
    let starts = hands.len() - FRAMES + 1;
    let step = starts.div_ceil(WINDOWS).max(1);
    let windows = (0..starts).step_by(step).map(|start| hands[start..start + FRAMES].to_vec());
    // As in serving, where less than half the hands is nothing.
    windows.filter(|window| window.iter().flatten().count() * 2 >= FRAMES).collect()
}
