//! A set streamed through a model as the server would: tracker output in, the recogniser, the mean of the last five.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use dactyl_models::keypoints::{Keypoints, LEFT_HAND, RIGHT_HAND};
use dactyl_models::letters::{Classifier, MovingAverage, Overrides, Picture, Recognizer};
use dactyl_models::runtime::Cancel;
use ndarray::{Array1, Array3, Ix1, Ix3, OwnedRepr};
use ndarray_npy::NpzReader;

use crate::data::{self, J, Z};
use crate::evaluation::largest;
use crate::keypoint_file;

/// Distributions averaged, as shipped.
const HISTORY: usize = 5;
/// Share of frames without a hand that is nothing, as shipped.
const NOTHING_SHARE: f32 = 0.5;

/// What a learner would have been told, by letter.
pub struct Report {
    labels: Vec<String>,
    letters: Vec<Told>,
}

struct Told {
    letter: usize,
    answers: usize,
    /// Answers with each letter in front.
    won: Vec<usize>,
    /// Mean distribution.
    mean: Vec<f32>,
}

/// Streams every letter of a `full/` set through the model, each from an empty window.
///
/// # Errors
/// A model or set that can't be read.
pub fn replay(model: &Path, set: &Path) -> Result<Report> {
    let classifier = Arc::new(Classifier::from_file(model, &Overrides::default())?);
    let mut npz =
        NpzReader::new(File::open(set).with_context(|| format!("{} can't be read", set.display()))?)?;
    let left: Array3<f32> = npz.by_name::<OwnedRepr<f32>, Ix3>("left.npy")?;
    let right: Array3<f32> = npz.by_name::<OwnedRepr<f32>, Ix3>("right.npy")?;
    let shown = keypoint_file::labels(&mut npz).with_context(|| set.display().to_string())?;
    let size: Array1<i32> = npz.by_name::<OwnedRepr<i32>, Ix1>("size.npy")?;
    ensure!(size.len() == 2, "size has {} values", size.len());
    let picture = Picture { width: size[0].try_into()?, height: size[1].try_into()? };

    let mut report = Report { labels: classifier.labels().to_vec(), letters: Vec::new() };
    let count = report.labels.len();
    let cancel = Cancel::new();
    for (letter, label) in classifier.labels().iter().enumerate() {
        let mut recognizer = Recognizer::new(Arc::clone(&classifier), NOTHING_SHARE);
        let mut average = MovingAverage::new(HISTORY);
        let mut told = Told { letter, answers: 0, won: vec![0; count], mean: vec![0.0; count] };
        for row in (0..shown.len()).filter(|row| shown[*row] == *label) {
            let mut keypoints = Keypoints::absent();
            for (hand, part) in [(&left, LEFT_HAND), (&right, RIGHT_HAND)] {
                for (index, point) in keypoints.part_mut(part).iter_mut().enumerate() {
                    *point = [hand[[row, index, 0]], hand[[row, index, 1]], hand[[row, index, 2]], 0.0];
                }
            }
            let Some(distribution) = recognizer.push(&keypoints, picture, &cancel)? else { continue };
            let smooth = average.push(&distribution);
            told.answers += 1;
            if smooth.iter().sum::<f32>() > 0.5 {
                told.won[largest(&smooth)] += 1;
            }
            for (sum, value) in told.mean.iter_mut().zip(&smooth) {
                *sum += value;
            }
        }
        if told.answers > 0 {
            for value in &mut told.mean {
                *value /= told.answers as f32;
            }
            report.letters.push(told);
        }
    }
    Ok(report)
}

/// Over the 24 letters that are held still, or all signs of another model.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    /// Letters.
    pub letters: usize,
    /// Letters that won most of their answers.
    pub right: usize,
    /// Letters whose own probability is at least 0.5 on average.
    pub half: usize,
    /// Mean of the letters' own probabilities.
    pub probability: f32,
    /// Pairs of a letter shown and another one asked for.
    pub pairs: usize,
    /// Pairs in which the one asked for gets at most 0.1 on average.
    pub low: usize,
}

impl Report {
    /// Counts letters, not frames.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for told in self.letters.iter().filter(|told| self.counts(told)) {
            summary.letters += 1;
            summary.right += usize::from(told.winner() == told.letter);
            summary.half += usize::from(told.mean[told.letter] >= 0.5);
            summary.probability += told.mean[told.letter];
            let others = (0..self.labels.len()).filter(|other| *other != told.letter);
            summary.pairs += self.labels.len() - 1;
            summary.low += others.filter(|other| told.mean[*other] <= 0.1).count();
        }
        summary.probability /= summary.letters.max(1) as f32;
        summary
    }

    /// J and Z of the alphabet are not really moved in most sets.
    fn counts(&self, told: &Told) -> bool {
        self.labels != data::alphabet() || (told.letter != J && told.letter != Z)
    }
}

impl Told {
    fn winner(&self) -> usize {
        self.won.iter().enumerate().max_by_key(|(_, count)| **count).map_or(0, |(index, _)| index)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for told in &self.letters {
            let winner = told.winner();
            let share = told.won[told.letter] as f32 / told.answers as f32;
            writeln!(
                formatter,
                "{} wins {:5} ({:3.0} % of {} answers), probability {:.2}; most probable {} {:.2}{}",
                self.labels[told.letter],
                if winner == told.letter { String::new() } else { format!("NOT {}", self.labels[winner]) },
                100.0 * share,
                told.answers,
                told.mean[told.letter],
                self.labels[largest(&told.mean)],
                told.mean[largest(&told.mean)],
                if self.counts(told) { "" } else { " (a movement, not counted)" }
            )?;
        }
        let Summary { letters, right, half, probability, pairs, low } = self.summary();
        write!(
            formatter,
            "{right} of {letters} win most of their answers; own probability {probability:.3} on \
             average, at least 0.5 in {half}; another target at most 0.1 in {low} of {pairs} pairs"
        )
    }
}
