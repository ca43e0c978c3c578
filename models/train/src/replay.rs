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

use crate::data::{J, LETTERS, Z};
use crate::evaluation::{largest, name};

/// Distributions averaged, as shipped.
const HISTORY: usize = 5;
/// Share of frames without a hand that is nothing, as shipped.
const NOTHING_SHARE: f32 = 0.5;

/// What a learner would have been told, by letter.
pub struct Report {
    letters: Vec<Told>,
}

struct Told {
    letter: usize,
    answers: usize,
    /// Answers with each letter in front.
    won: [usize; LETTERS],
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
    let letters: Array1<u8> = npz.by_name::<OwnedRepr<u8>, Ix1>("letter.npy")?;
    let size: Array1<i32> = npz.by_name::<OwnedRepr<i32>, Ix1>("size.npy")?;
    ensure!(size.len() == 2, "size has {} values", size.len());
    let picture = Picture { width: size[0].try_into()?, height: size[1].try_into()? };

    let mut report = Report { letters: Vec::new() };
    let cancel = Cancel::new();
    for letter in 0..LETTERS {
        let mut recognizer = Recognizer::new(Arc::clone(&classifier), NOTHING_SHARE);
        let mut average = MovingAverage::new(HISTORY);
        let mut told = Told { letter, answers: 0, won: [0; LETTERS], mean: vec![0.0; LETTERS] };
        for row in (0..letters.len()).filter(|row| letters[*row] == b'A' + letter as u8) {
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

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut right, mut right_mean, mut half, mut letters) = (0, 0, 0, 0);
        let (mut pairs, mut low) = (0, 0);
        let mut probability = 0.0;
        for told in &self.letters {
            let winner =
                told.won.iter().enumerate().max_by_key(|(_, count)| **count).map_or(0, |(index, _)| index);
            let target = told.mean[told.letter];
            let share = told.won[told.letter] as f32 / told.answers as f32;
            let still = told.letter != J && told.letter != Z;
            if still {
                letters += 1;
                right += usize::from(winner == told.letter);
                right_mean += usize::from(largest(&told.mean) == told.letter);
                half += usize::from(target >= 0.5);
                probability += target;
                pairs += LETTERS - 1;
                low += (0..LETTERS).filter(|other| *other != told.letter && told.mean[*other] <= 0.1).count();
            }
            writeln!(
                formatter,
                "{} wins {} ({:3.0} % of {} answers), its probability {:.2}, most probable {} {:.2}{}",
                name(told.letter),
                if winner == told.letter { "    ".to_owned() } else { format!("NOT {}", name(winner)) },
                100.0 * share,
                told.answers,
                target,
                name(largest(&told.mean)),
                told.mean[largest(&told.mean)],
                if still { "" } else { " (movement; not counted)" }
            )?;
        }
        write!(
            formatter,
            "still letters: right {right}/{letters} by most answers, {right_mean}/{letters} by mean, probability at \
             least 0.5 in {half}, mean {:.3}; wrong targets at most 0.1 in {low}/{pairs} ({:.1} %)",
            probability / letters.max(1) as f32,
            100.0 * low as f32 / pairs.max(1) as f32
        )
    }
}
