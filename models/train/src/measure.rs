//! What a learner would be told by a model that has never seen them: letters counted, not frames.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dactyl_config::Config;
use dactyl_holistic::Cancel;
use dactyl_letters::features::hand_1_rows;
use dactyl_letters::{Classifier, Feedback, MovingAverage, Throttle, reweighed};
use serde::{Deserialize, Serialize};

use crate::data::{self, Clip, J, Kind, Signer, Z};
use crate::evaluation::largest;
use crate::stream::{AS_FILMED, View, WAY, first_answer, stream, stream_after_reset, stream_change};
use crate::windows::Windows;

/// Frames per second that films are taken to have.
pub const RATE: f32 = 30.0;
/// Lengths of the smoother's history that are compared.
pub const HISTORIES: [usize; 6] = [1, 3, 5, 8, 12, 16];
/// Limits of the throttle that are compared.
pub const MIN_CHANGES: [f32; 6] = [0.0, 0.01, 0.02, 0.03, 0.05, 0.1];
/// Intervals of the throttle that are compared, in milliseconds.
pub const MIN_INTERVALS: [u64; 4] = [0, 50, 80, 150];
/// Weights of "none of the labels" that are compared, see `letters.other_weight`.
pub const OTHER_WEIGHTS: [f32; 8] = [0.0, 0.1, 0.3, 0.5, 1.0, 2.0, 4.0, 10.0];
/// Numbers of frames after which there is an answer that are compared, see `min-window` of `lstm-classifier`.
pub const LEAST_WINDOWS: [usize; 7] = [1, 4, 8, 12, 16, 24, 32];
/// Frames per second of films that leave out frames, and the mirrored picture.
pub const VIEWS: [(&str, View); 3] = [
    ("at 15 frames a second", View { step: 2, mirrored: false }),
    ("at 10 frames a second", View { step: 3, mirrored: false }),
    ("mirrored", View { step: 1, mirrored: true }),
];
/// Frames that still show the last letter after a reset: a learner takes a moment.
const AFTER_RESET: usize = 6;
/// A label that has this probability without a break for [`HELD_FRAMES`] would be won.
const WINNING: f32 = 0.8;
/// Half a second.
const HELD_FRAMES: usize = 15;
/// Synthesised windows per letter and kind.
const PATHS: usize = 40;
/// Bins of the reliability diagram.
pub const BINS: usize = 10;

/// One signer before one model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measured {
    /// Name of the set.
    pub signer: String,
    /// Labels of the model.
    #[serde(default = "data::alphabet")]
    pub labels: Vec<String>,
    /// With the shipped smoother, as filmed: every letter and every movement.
    pub letters: Vec<Told>,
    /// Held J and Z: shapes without movement.
    pub held: Vec<Told>,
    /// Every letter and every movement in each of [`VIEWS`].
    pub views: Vec<Vec<Told>>,
    /// Per bin of probability: targets asked for, sum of their probabilities, how many of them were shown.
    pub reliability: Vec<(usize, f64, usize)>,
    /// One per entry of [`HISTORIES`].
    pub histories: Vec<Steadiness>,
    /// One per pair of [`MIN_INTERVALS`] and [`MIN_CHANGES`].
    pub throttles: Vec<Thrift>,
    /// Clips of what is no letter.
    #[serde(default)]
    pub others: Vec<FalseLetters>,
    /// One per entry of [`OTHER_WEIGHTS`], each with what `others` would be.
    #[serde(default)]
    pub weighings: Vec<Weighing>,
    /// One per entry of [`LEAST_WINDOWS`]; none before a model of other labels than the alphabet's.
    #[serde(default)]
    pub beginnings: Vec<Beginning>,
    /// Synthesised J: right and shown; Z: right and shown; held I that is not J and shown; held index that is not Z and shown.
    pub paths: [(usize, usize); 4],
}

/// What the answers to a clip that shows no letter were.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FalseLetters {
    /// What the clip is called.
    pub label: String,
    /// Stretches, as of [`stream`]: one of a film, several of pictures.
    pub stretches: usize,
    /// Stretches in which some label is held.
    pub with_any: usize,
    /// Labels that are held, summed over stretches.
    pub held: usize,
    /// Each label that is held.
    pub letters: Vec<usize>,
}

impl FalseLetters {
    /// Share of stretches in which some label is held.
    pub fn share(&self) -> f32 {
        self.with_any as f32 / self.stretches.max(1) as f32
    }
}

/// What one weight of "none of the labels" costs and gains.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Weighing {
    /// Still letters that are right, and letters.
    pub right: (usize, usize),
    /// Sum over those letters of the right one's mean probability.
    pub probability: f32,
    /// Clips of what is no letter.
    pub others: Vec<FalseLetters>,
}

/// What is told before the window is full.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Beginning {
    /// Frames after which there is an answer.
    pub least: usize,
    /// Films of still letters, and those whose first answer is right.
    pub films: usize,
    /// See `films`.
    pub right: usize,
    /// Sum over films of the right letter's probability in the first answer.
    pub probability: f32,
    /// Changes to another letter after a reset, and those in which it wins.
    pub changes: usize,
    /// See `changes`.
    pub arrived: usize,
    /// Frames from when the new letter is shown until it wins, summed over changes in which it does.
    pub frames_to_win: usize,
    /// Changes in which a third letter is in front at any time from when the new one is shown.
    pub third: usize,
}

/// What the answers to one letter of a signer were.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    /// Index of the label.
    pub letter: usize,
    /// Answers with each letter in front, and behind them those in which a hand shows none.
    pub won: Vec<usize>,
    /// Sum of the distributions.
    pub sum: Vec<f64>,
    /// Answers.
    pub answers: usize,
    /// Answers before the first right one, of each film that had one.
    pub waited: Vec<usize>,
}

/// How steady and how quick answers are with one history of the smoother.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Steadiness {
    /// Changes of the winning letter while a letter is held, and the seconds it was held.
    pub changes: usize,
    /// See `changes`.
    pub seconds: f32,
    /// Frames from the end of one letter until the next one wins, summed over changes that get there.
    pub frames_to_win: usize,
    /// Changes from one letter to the next, those that get there, and answers in them that name a third letter.
    pub transitions: usize,
    /// See `transitions`.
    pub arrived: usize,
    /// See `transitions`.
    pub false_wins: usize,
    /// Transitions with a third letter in front at any time.
    pub false_transitions: usize,
    /// Right letters, and letters.
    pub right: usize,
    /// See `right`.
    pub letters: usize,
}

/// What one setting of the throttle saves and costs while a letter is held.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Thrift {
    /// Least interval in milliseconds.
    pub min_interval: u64,
    /// Least change.
    pub min_change: f32,
    /// Payloads, and the seconds they were sent in.
    pub payloads: usize,
    /// See `payloads`.
    pub seconds: f32,
    /// Sum over frames of the difference between the probability last told and the present one.
    pub error: f64,
    /// Frames.
    pub frames: usize,
}

impl Told {
    fn new(letter: usize, labels: usize) -> Self {
        Self { letter, won: vec![0; labels + 1], sum: vec![0.0; labels], answers: 0, waited: Vec::new() }
    }

    fn add(&mut self, stretch: &[Vec<f32>]) {
        let first = stretch.iter().position(|one| has_hand(one) && winner(one) == self.letter);
        self.waited.extend(first);
        for one in stretch {
            self.answers += 1;
            if has_hand(one) {
                self.won[winner(one)] += 1;
            }
            for (sum, value) in self.sum.iter_mut().zip(one) {
                *sum += f64::from(*value);
            }
        }
    }

    /// The letter that won most answers; the index behind them if a hand shows none in most.
    pub fn winner(&self) -> usize {
        (0..self.won.len()).rev().max_by_key(|letter| self.won[*letter]).unwrap_or_default()
    }

    /// Whether the right one did.
    pub fn is_right(&self) -> bool {
        self.answers > 0 && self.won[self.letter] > 0 && self.winner() == self.letter
    }

    /// Share of answers that were right.
    pub fn share(&self) -> f32 {
        self.won[self.letter] as f32 / self.answers.max(1) as f32
    }

    /// Mean probability of the right letter.
    pub fn probability(&self) -> f32 {
        self.sum[self.letter] as f32 / self.answers.max(1) as f32
    }

    /// Whether it is a letter without movement.
    pub fn is_still(&self) -> bool {
        self.letter != J && self.letter != Z
    }
}

impl Measured {
    /// The letters without movement, or every label of another model.
    pub fn counted(&self) -> Vec<&Told> {
        self.counted_of(&self.letters)
    }

    /// Those of these answers that are counted.
    pub fn counted_of<'a>(&self, letters: &'a [Told]) -> Vec<&'a Told> {
        let are_letters = self.labels == data::alphabet();
        letters.iter().filter(|told| !are_letters || told.is_still()).collect()
    }

    /// Those of the counted labels that are right, and all of them.
    pub fn right(&self) -> (usize, usize) {
        let counted = self.counted();
        (counted.iter().filter(|told| told.is_right()).count(), counted.len())
    }

    /// Pairs of a counted label shown and another one asked for, of which those in which the one asked for gets at most
    /// 0.1 on average come first.
    pub fn low_pairs(&self) -> (usize, usize) {
        let counted = self.counted();
        let labels = self.labels.len();
        let low = |told: &&Told| {
            let others = (0..labels).filter(|other| *other != told.letter);
            others.filter(|other| told.sum[*other] <= 0.1 * told.answers as f64).count()
        };
        (counted.iter().map(low).sum(), counted.len() * (labels - 1))
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for told in self.letters.iter().chain(&self.held) {
            writeln!(
                formatter,
                "{} wins {:5} ({:3.0} % of {} answers), probability {:.2}",
                self.labels[told.letter],
                if told.is_right() {
                    String::new()
                } else {
                    format!("NOT {}", self.labels.get(told.winner()).map_or("any", String::as_str))
                },
                100.0 * told.share(),
                told.answers,
                told.probability()
            )?;
        }
        for other in &self.others {
            let letters: Vec<&str> =
                other.letters.iter().map(|letter| self.labels[*letter].as_str()).collect();
            writeln!(
                formatter,
                "{} is taken for a label in {:3.0} % of {}: {}",
                other.label,
                100.0 * other.share(),
                other.stretches,
                letters.join(" ")
            )?;
        }
        for beginning in self.beginnings.iter().filter(|beginning| beginning.films > 0) {
            writeln!(formatter, "{beginning}")?;
        }
        let ((right, counted), (low, pairs)) = (self.right(), self.low_pairs());
        write!(
            formatter,
            "{right} of {counted} win most of their answers; another target gets at most 0.1 in {low} of {pairs} pairs"
        )
    }
}

impl fmt::Display for Beginning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "answers from {:2} frames on: the first is right in {} of {} films, probability {:.2}; after a reset {} of {} new \
             letters win, {:.1} frames after they are shown, a third letter is in front in {}",
            self.least,
            self.right,
            self.films,
            self.probability / self.films.max(1) as f32,
            self.arrived,
            self.changes,
            self.frames_to_win as f32 / self.arrived.max(1) as f32,
            self.third
        )
    }
}

/// Streams everything that a signer shows; a clip's `letter` is an index into the model's labels.
///
/// # Errors
/// As the network gives them.
pub fn measure(classifier: &Arc<Classifier>, signer: &Signer, seed: u64) -> Result<Measured> {
    let labels = classifier.labels().len();
    let history = usize::try_from(Config::builtin().smoothing.history)?;
    let counted: Vec<&Clip> = signer.clips.iter().filter(|clip| clip.kind != Kind::HeldShape).collect();
    let raw: Vec<(&Clip, Vec<Vec<Vec<f32>>>)> = counted
        .iter()
        .map(|clip| Ok((*clip, stream(classifier, clip, AS_FILMED)?)))
        .collect::<Result<_>>()?;
    let mut measured = Measured {
        signer: signer.name.clone(),
        labels: classifier.labels().to_vec(),
        letters: tell(&raw, labels, history),
        held: Vec::new(),
        views: Vec::new(),
        reliability: reliability(&raw, history),
        histories: Vec::new(),
        throttles: throttles(classifier, &raw, history),
        others: Vec::new(),
        weighings: Vec::new(),
        beginnings: beginnings(classifier, &counted, history)?,
        paths: paths(classifier, signer, seed)?,
    };
    let held = signer.clips.iter().filter(|clip| clip.kind == Kind::HeldShape);
    let held: Vec<_> =
        held.map(|clip| Ok((clip, stream(classifier, clip, AS_FILMED)?))).collect::<Result<_>>()?;
    measured.held = tell(&held, labels, history);
    for (_, view) in VIEWS {
        let answers: Vec<_> =
            counted.iter().map(|clip| Ok((*clip, stream(classifier, clip, view)?))).collect::<Result<_>>()?;
        measured.views.push(tell(&answers, labels, history));
    }
    measured.histories = histories(classifier, &counted, &raw)?;
    let others = signer.others.iter();
    let others: Vec<(&str, Vec<Vec<Vec<f32>>>)> = others
        .map(|other| Ok((other.label.as_str(), stream(classifier, &other.clip, AS_FILMED)?)))
        .collect::<Result<_>>()?;
    measured.others = false_letters(&others, 1.0, history);
    let of_still: Vec<_> = raw.iter().filter(|(clip, _)| clip.kind == Kind::Still).cloned().collect();
    // The answers have the shipped weight already.
    let shipped = Config::builtin().letters.other_weight;
    measured.weighings =
        OTHER_WEIGHTS.map(|weight| weigh(&of_still, &others, weight / shipped, labels, history)).to_vec();
    Ok(measured)
}

/// Whether a letter wins: what is missing to 1 is none of them.
fn is_letter(distribution: &[f32]) -> bool {
    distribution.iter().copied().fold(0.0, f32::max) >= 1.0 - distribution.iter().sum::<f32>()
}

/// All values are 0 where no hand was seen.
fn has_hand(distribution: &[f32]) -> bool {
    distribution.iter().any(|value| *value > 0.0)
}

/// The label in front, or the index behind them.
fn winner(distribution: &[f32]) -> usize {
    if is_letter(distribution) { largest(distribution) } else { distribution.len() }
}

/// Answers with the odds of none of the labels multiplied.
fn weighted(stretch: &[Vec<f32>], weight: f32) -> Vec<Vec<f32>> {
    stretch.iter().map(|one| reweighed(one.clone(), weight)).collect()
}

fn weigh(
    of_still: &[(&Clip, Vec<Vec<Vec<f32>>>)],
    others: &[(&str, Vec<Vec<Vec<f32>>>)],
    weight: f32,
    labels: usize,
    history: usize,
) -> Weighing {
    let of_still: Vec<(&Clip, Vec<Vec<Vec<f32>>>)> = (of_still.iter())
        .map(|(clip, stretches)| (*clip, stretches.iter().map(|stretch| weighted(stretch, weight)).collect()))
        .collect();
    let told = tell(&of_still, labels, history);
    Weighing {
        right: (told.iter().filter(|told| told.is_right()).count(), told.len()),
        probability: told.iter().map(Told::probability).sum(),
        others: false_letters(others, weight, history),
    }
}

fn false_letters(others: &[(&str, Vec<Vec<Vec<f32>>>)], weight: f32, history: usize) -> Vec<FalseLetters> {
    let one = |(label, stretches): &(&str, Vec<Vec<Vec<f32>>>)| {
        let mut all = FalseLetters {
            label: (*label).to_owned(),
            stretches: stretches.len(),
            with_any: 0,
            held: 0,
            letters: Vec::new(),
        };
        for stretch in stretches {
            let held = held_labels(&smooth(&weighted(stretch, weight), history));
            all.with_any += usize::from(!held.is_empty());
            all.held += held.len();
            all.letters.extend(held);
        }
        all.letters.sort_unstable();
        all.letters.dedup();
        all
    };
    others.iter().map(one).collect()
}

/// Labels that have the winning probability for half a second. A single picture, which gets few answers, is held as long as
/// anybody likes.
fn held_labels(stretch: &[Vec<f32>]) -> Vec<usize> {
    let frames = HELD_FRAMES.min(stretch.len()).max(1);
    let labels = stretch.first().map_or(0, Vec::len);
    let is_held =
        |label: &usize| stretch.windows(frames).any(|run| run.iter().all(|one| one[*label] >= WINNING));
    (0..labels).filter(is_held).collect()
}

fn smooth(stretch: &[Vec<f32>], history: usize) -> Vec<Vec<f32>> {
    let mut average = MovingAverage::new(history);
    stretch.iter().map(|one| average.push(one)).collect()
}

fn tell(raw: &[(&Clip, Vec<Vec<Vec<f32>>>)], labels: usize, history: usize) -> Vec<Told> {
    let mut all: Vec<Told> = Vec::new();
    for (clip, stretches) in raw {
        let index = all.iter().position(|told| told.letter == clip.letter).unwrap_or_else(|| {
            all.push(Told::new(clip.letter, labels));
            all.len() - 1
        });
        for stretch in stretches {
            all[index].add(&smooth(stretch, history));
        }
    }
    all.retain(|told| told.answers > 0);
    all.sort_by_key(|told| told.letter);
    all
}

/// Every letter asked for while every letter is shown, weighted so that every shown letter counts the same in sum 100.
fn reliability(raw: &[(&Clip, Vec<Vec<Vec<f32>>>)], history: usize) -> Vec<(usize, f64, usize)> {
    let mut bins = vec![(0, 0.0, 0); BINS];
    for (clip, stretches) in raw {
        let answers: Vec<Vec<f32>> = stretches
            .iter()
            .flat_map(|stretch| smooth(stretch, history))
            .filter(|one| has_hand(one))
            .collect();
        for place in 0..100 {
            let Some(one) = answers.get(place * answers.len() / 100) else { continue };
            for (letter, probability) in one.iter().enumerate() {
                let bin = ((probability * BINS as f32) as usize).min(BINS - 1);
                bins[bin].0 += 1;
                bins[bin].1 += f64::from(*probability);
                bins[bin].2 += usize::from(letter == clip.letter);
            }
        }
    }
    bins
}

fn still_films<'a>(clips: &[&'a Clip]) -> Vec<&'a Clip> {
    clips.iter().copied().filter(|clip| clip.kind == Kind::Still && clip.ordered).collect()
}

fn histories(
    classifier: &Arc<Classifier>,
    clips: &[&Clip],
    raw: &[(&Clip, Vec<Vec<Vec<f32>>>)],
) -> Result<Vec<Steadiness>> {
    let still = still_films(clips);
    let labels = classifier.labels().len();
    let mut changes = Vec::new();
    let right: Vec<usize> =
        tell(raw, labels, 1).iter().filter(|told| told.is_right()).map(|told| told.letter).collect();
    // A letter that is not recognised while it is held is counted there.
    let still = still.into_iter().filter(|clip| right.contains(&clip.letter)).collect::<Vec<_>>();
    for pair in still.windows(2).filter(|pair| pair[0].letter != pair[1].letter) {
        changes.push((pair[0].letter, pair[1].letter, stream_change(classifier, pair[0], pair[1])?));
    }
    let of_still: Vec<_> = raw.iter().filter(|(clip, _)| clip.kind == Kind::Still).cloned().collect();
    let one = |history: usize| {
        let mut steadiness = Steadiness::default();
        let told = tell(&of_still, labels, history);
        steadiness.letters = told.len();
        steadiness.right = told.iter().filter(|told| told.is_right()).count();
        for (_, stretches) in of_still.iter().filter(|(clip, _)| clip.ordered) {
            for stretch in stretches {
                let won: Vec<usize> = smooth(stretch, history).iter().map(|one| winner(one)).collect();
                steadiness.changes += won.windows(2).filter(|pair| pair[0] != pair[1]).count();
                steadiness.seconds += won.len() as f32 / RATE;
            }
        }
        for (before, after, answers) in &changes {
            let won: Vec<usize> = smooth(answers, history).iter().map(|one| winner(one)).collect();
            let third = won.iter().filter(|letter| ![*before, *after, labels].contains(letter)).count();
            steadiness.transitions += 1;
            steadiness.false_wins += third;
            steadiness.false_transitions += usize::from(third > 0);
            if let Some(frame) = won.iter().position(|letter| letter == after) {
                steadiness.arrived += 1;
                steadiness.frames_to_win += frame.saturating_sub(WAY);
            }
        }
        steadiness
    };
    Ok(HISTORIES.into_iter().map(one).collect())
}

fn beginnings(classifier: &Arc<Classifier>, clips: &[&Clip], history: usize) -> Result<Vec<Beginning>> {
    if classifier.labels() != data::alphabet() {
        return Ok(Vec::new());
    }
    let films = still_films(clips);
    let one = |least: usize| {
        let mut beginning = Beginning { least, ..Beginning::default() };
        for clip in &films {
            let Some(first) = first_answer(classifier, clip, least)? else { continue };
            beginning.films += 1;
            beginning.right += usize::from(has_hand(&first) && winner(&first) == clip.letter);
            beginning.probability += first[clip.letter];
        }
        for pair in films.windows(2).filter(|pair| pair[0].letter != pair[1].letter) {
            let answers = stream_after_reset(classifier, [pair[0], pair[1]], AFTER_RESET, least)?;
            let mut average = MovingAverage::new(history);
            let won = answers.iter().map(|one| one.as_ref().map(|one| winner(&average.push(one))));
            let won: Vec<Option<usize>> = won.skip(AFTER_RESET + WAY).collect();
            let [before, after] = [pair[0].letter, pair[1].letter];
            let third = |one: &Option<usize>| {
                one.is_some_and(|one| one < classifier.labels().len() && ![before, after].contains(&one))
            };
            beginning.changes += 1;
            beginning.third += usize::from(won.iter().any(third));
            if let Some(frames) = won.iter().position(|one| *one == Some(after)) {
                beginning.arrived += 1;
                beginning.frames_to_win += frames;
            }
        }
        Ok(beginning)
    };
    LEAST_WINDOWS.into_iter().map(one).collect()
}

fn throttles(classifier: &Classifier, raw: &[(&Clip, Vec<Vec<Vec<f32>>>)], history: usize) -> Vec<Thrift> {
    let settings =
        MIN_INTERVALS.into_iter().flat_map(|interval| MIN_CHANGES.map(|change| (interval, change)));
    let labels = classifier.labels();
    let one = |(min_interval, min_change)| {
        let mut thrift = Thrift { min_interval, min_change, ..Thrift::default() };
        for (clip, stretches) in raw.iter().filter(|(clip, _)| clip.ordered) {
            for stretch in stretches {
                let mut throttle = Throttle::new(Duration::from_millis(min_interval), min_change);
                let mut told = 0.0;
                for (frame, distribution) in smooth(stretch, history).iter().enumerate() {
                    let feedback = Feedback::read(distribution, labels, Some(clip.letter));
                    let now = Duration::from_secs_f32(frame as f32 / RATE);
                    if throttle.pass(now, &feedback) {
                        thrift.payloads += 1;
                        told = feedback.target_arg_prob;
                    }
                    thrift.error += f64::from((told - feedback.target_arg_prob).abs());
                    thrift.frames += 1;
                }
                thrift.seconds += stretch.len() as f32 / RATE;
            }
        }
        thrift
    };
    settings.map(one).collect()
}

/// Windows drawn with this signer's own hand shapes; none before a model of other labels than the alphabet's.
fn paths(classifier: &Arc<Classifier>, signer: &Signer, seed: u64) -> Result<[(usize, usize); 4]> {
    if classifier.labels() != data::alphabet() {
        return Ok([(0, 0); 4]);
    }
    let everybody = std::slice::from_ref(signer);
    // Not the stream of any training.
    let mut windows = Windows::new(everybody, seed ^ 0x7a7a_0000);
    let mut paths = [(0, 0); 4];
    for (index, (letter, moves)) in [(J, true), (Z, true), (J, false), (Z, false)].into_iter().enumerate() {
        if !windows.can_draw(letter) {
            continue;
        }
        for _ in 0..PATHS {
            let hands = windows.draw_path(letter, moves);
            if hands.iter().flatten().count() * 2 < hands.len() {
                continue;
            }
            let answer = classifier.classify(&hand_1_rows(&hands), &Cancel::new())?;
            let won = winner(&reweighed(answer, Config::builtin().letters.other_weight));
            paths[index].0 += usize::from((won == letter) == moves);
            paths[index].1 += 1;
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_held_that_has_0_8_for_half_a_second_without_a_break() {
        let answer = |is_high: bool| vec![0.1, if is_high { 0.8 } else { 0.79 }];
        let held = |frames: &[(bool, usize)]| {
            let answers = frames.iter().flat_map(|(is_high, count)| vec![answer(*is_high); *count]);
            held_labels(&answers.collect::<Vec<_>>())
        };
        assert_eq!(held(&[(false, 5), (true, 15), (false, 5)]), [1]);
        assert_eq!(held(&[(true, 14), (false, 1), (true, 14)]), [0usize; 0]);
        assert_eq!(held(&[(true, 1)]), [1], "a single picture");
        assert_eq!(held_labels(&[]), [0usize; 0]);
    }

    #[test]
    fn a_hand_that_shows_no_letter_has_no_winner_and_no_hand_counts_for_nobody() {
        let mut told = Told::new(0, 2);
        told.add(&[vec![0.3, 0.1], vec![0.3, 0.1], vec![0.6, 0.1], vec![0.0, 0.0]]);
        assert_eq!((told.won.as_slice(), told.answers), (&[1, 0, 2][..], 4));
        assert_eq!((told.winner(), told.is_right()), (2, false));
    }

    #[test]
    fn more_weight_loses_letters_and_catches_hands_that_show_none() {
        let clip =
            Clip { letter: 0, kind: Kind::Still, frames: Vec::new(), other: Vec::new(), ordered: true };
        let letters = [(&clip, vec![vec![vec![0.5, 0.0]; 20]])];
        let others = [("open", vec![vec![vec![0.1, 0.4]; 20]])];
        let [none, some, much] = [0.0, 0.5, 2.0].map(|weight| weigh(&letters, &others, weight, 2, 5));
        assert_eq!([none.right, some.right, much.right], [(1, 1), (1, 1), (0, 1)]);
        assert_eq!([&none, &some].map(|weighing| weighing.others[0].with_any), [1, 0]);
        assert_eq!(none.others[0].letters, [1]);
    }
}
