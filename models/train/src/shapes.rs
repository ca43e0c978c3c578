//! Hand shapes to learn from: per letter the mean of the signers' hands, and the paths of the letters that move.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::data::{self, Clip, Hand, Kind, Signer};

/// Signers whose shape is further from the mean than this many times the median are left out of it: some show
/// another form of a letter, or see the hand from another side.
const OUTLIER: f32 = 1.5;
/// Rounds of aligning to the mean.
const ROUNDS: usize = 6;
/// Points of a path, evenly spaced along it.
const PATH_POINTS: usize = 16;
/// Larger side of a path, in units of the shapes: real ones are about twice as large, which leaves too little room for the hand.
const PATH_SIZE: f32 = 1.4;
/// A set whose J and Z are one clean stroke each, from a hand at rest to a hand at rest.
const STROKES: &str = "kevinjosethomas";

/// A letter's shape: a right hand in the camera's view, x to the right, y down, one unit = wrist to middle knuckle of a
/// hand held upright.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shape {
    /// x, y and z of the 21 landmarks from the wrist; smaller z = nearer, 0 where no set has depth.
    pub hand: Vec<[f32; 3]>,
    /// Where the drawing fingertip goes, from its first place; made smaller. Empty for a letter that is held.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<[f32; 2]>,
}

/// Computes every letter's shape.
///
/// # Errors
/// When no signer shows a letter.
pub fn shapes(signers: &[Signer]) -> Result<BTreeMap<char, Shape>> {
    let means = (0..data::LETTERS)
        .map(|letter| {
            // J is an I that moves, and most sets hold it in the middle of its turn.
            let shown = if letter == data::J { data::I } else { letter };
            let hands: Vec<Hand> =
                signers.iter().filter_map(|signer| mean_of_signer(signer, shown)).collect();
            consensus(&hands).with_context(|| format!("nobody shows {}", name(letter)))
        })
        .collect::<Result<Vec<_>>>()?;
    // B is held upright, palm to the camera: its bones are the longest that they can be.
    let bones = bone_lengths(&means[1]);
    let unit = bones[PALM_BONE];
    let shape = |(letter, mean): (usize, &Hand)| {
        let lengths = bone_lengths(mean);
        // Turning a hand only shortens its bones in the picture; the least shortened ones tell its size.
        let mut ratios: Vec<f32> = lengths.iter().zip(&bones).map(|(seen, whole)| seen / whole).collect();
        ratios.sort_by(f32::total_cmp);
        let scale = 1.0 / (ratios[ratios.len() - 3] * unit);
        let hand = mean.iter().map(|point| point.map(|value| rounded(value * scale))).collect();
        (name(letter), Shape { hand, path: path(signers, letter) })
    };
    Ok(means.iter().enumerate().map(shape).collect())
}

/// `letter` counted from A.
fn name(letter: usize) -> char {
    ('A'..='Z').nth(letter).unwrap_or_default()
}

/// Index of wrist to middle knuckle in [`BONES`].
const PALM_BONE: usize = 8;
const BONES: [(usize, usize); 20] = [
    (0, 1),
    (1, 2),
    (2, 3),
    (3, 4),
    (0, 5),
    (5, 6),
    (6, 7),
    (7, 8),
    (0, 9),
    (9, 10),
    (10, 11),
    (11, 12),
    (0, 13),
    (13, 14),
    (14, 15),
    (15, 16),
    (0, 17),
    (17, 18),
    (18, 19),
    (19, 20),
];

fn bone_lengths(hand: &Hand) -> [f32; 20] {
    BONES.map(|(from, to)| (hand[to][0] - hand[from][0]).hypot(hand[to][1] - hand[from][1]))
}

fn rounded(value: f32) -> f32 {
    (value * 100.0).round() / 100.0
}

/// The mean of one signer's frames of a letter; of J and Z, held shapes only.
fn mean_of_signer(signer: &Signer, letter: usize) -> Option<Hand> {
    let clips = signer.clips.iter().filter(|clip| clip.letter == letter && clip.kind != Kind::Moving);
    let hands: Vec<Hand> = clips.flat_map(|clip| clip.frames.iter().flatten()).copied().collect();
    consensus(&hands)
}

/// Generalised Procrustes mean (Gower 1975) in the picture's plane: hands are moved, turned and scaled onto their mean
/// again and again; in the end it gets the median of their directions back.
fn consensus(hands: &[Hand]) -> Option<Hand> {
    let hands: Vec<Hand> = hands.iter().filter_map(normalised).collect();
    let mut mean = *hands.get(hands.len() / 2)?;
    let mut kept = hands.clone();
    for _ in 0..ROUNDS {
        let aligned: Vec<(Hand, f32)> = hands.iter().map(|hand| aligned(hand, &mean)).collect();
        let distances: Vec<f32> = aligned.iter().map(|(hand, _)| distance(hand, &mean)).collect();
        let limit = OUTLIER * median(distances.clone())?;
        let near = |index: &usize| distances[*index] <= limit;
        let members: Vec<usize> = (0..hands.len()).filter(near).collect();
        kept = members.iter().map(|index| hands[*index]).collect();
        mean = normalised(&average(members.iter().map(|index| aligned[*index].0))?)?;
    }
    let turns = kept.iter().map(|hand| aligned(hand, &mean).1).collect();
    let mean = turned(&mean, -median(turns)?);
    let wrist = mean[0];
    Some(mean.map(|point| [point[0] - wrist[0], point[1] - wrist[1], point[2] - wrist[2]]))
}

/// Centred, with a root mean square distance of 1 from the centre in the picture's plane.
fn normalised(hand: &Hand) -> Option<Hand> {
    let mean = |axis: usize| hand.iter().map(|point| point[axis]).sum::<f32>() / 21.0;
    let centre = [mean(0), mean(1)];
    let square = |point: &[f32; 3]| (point[0] - centre[0]).powi(2) + (point[1] - centre[1]).powi(2);
    let size = (hand.iter().map(square).sum::<f32>() / 21.0).sqrt();
    (size > 0.0).then(|| {
        hand.map(|point| {
            [(point[0] - centre[0]) / size, (point[1] - centre[1]) / size, (point[2] - hand[0][2]) / size]
        })
    })
}

/// A centred hand turned onto another one, and by which angle.
fn aligned(hand: &Hand, onto: &Hand) -> (Hand, f32) {
    let pairs = || hand.iter().zip(onto);
    let dot: f32 = pairs().map(|(a, b)| a[0] * b[0] + a[1] * b[1]).sum();
    let cross: f32 = pairs().map(|(a, b)| a[0] * b[1] - a[1] * b[0]).sum();
    let angle = cross.atan2(dot);
    (turned(hand, angle), angle)
}

fn turned(hand: &Hand, angle: f32) -> Hand {
    let (sin, cos) = angle.sin_cos();
    hand.map(|[x, y, z]| [x * cos - y * sin, x * sin + y * cos, z])
}

fn distance(a: &Hand, b: &Hand) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).sum()
}

/// Point by point; depth over those hands that have one.
fn average(hands: impl Iterator<Item = Hand>) -> Option<Hand> {
    let hands: Vec<Hand> = hands.collect();
    let mut mean = [[0.0; 3]; 21];
    for (index, point) in mean.iter_mut().enumerate() {
        for (axis, value) in point.iter_mut().enumerate() {
            let values: Vec<f32> =
                hands.iter().map(|hand| hand[index][axis]).filter(|value| !value.is_nan()).collect();
            *value = if values.is_empty() { 0.0 } else { values.iter().sum::<f32>() / values.len() as f32 };
        }
    }
    (!hands.is_empty()).then_some(mean)
}

fn median(mut values: Vec<f32>) -> Option<f32> {
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The stroke of a letter's fingertip: smoothed, then resampled evenly.
fn path(signers: &[Signer], letter: usize) -> Vec<[f32; 2]> {
    let is_stroke = |clip: &&Clip| clip.letter == letter && clip.kind == Kind::Moving;
    let signer = signers.iter().find(|signer| signer.name == STROKES);
    let Some(clip) = signer.and_then(|signer| signer.clips.iter().find(is_stroke)) else { return Vec::new() };
    let tip = if letter == data::J { 20 } else { 8 };
    let points: Vec<[f32; 2]> =
        clip.frames.iter().flatten().map(|hand| [hand[tip][0], hand[tip][1]]).collect();
    let smooth: Vec<[f32; 2]> = (0..points.len())
        .map(|index| {
            let near = [index.saturating_sub(1), index, (index + 1).min(points.len() - 1)];
            [0, 1].map(|axis| near.iter().map(|near| points[*near][axis]).sum::<f32>() / 3.0)
        })
        .collect();
    let Some(start) = smooth.first() else { return Vec::new() };
    let extent = |axis: usize| {
        let values = || smooth.iter().map(|point| point[axis]);
        values().fold(f32::MIN, f32::max) - values().fold(f32::MAX, f32::min)
    };
    let scale = PATH_SIZE / extent(0).max(extent(1)).max(f32::MIN_POSITIVE);
    let shown = |point: &[f32; 2]| [0, 1].map(|axis| rounded((point[axis] - start[axis]) * scale));
    evenly(&smooth).iter().map(shown).collect()
}

fn evenly(points: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let mut along = vec![0.0f32];
    for pair in points.windows(2) {
        let step = (pair[1][0] - pair[0][0]).hypot(pair[1][1] - pair[0][1]);
        along.push(along[along.len() - 1] + step);
    }
    let total = along[along.len() - 1];
    (0..PATH_POINTS)
        .map(|index| {
            let wanted = total * index as f32 / (PATH_POINTS - 1) as f32;
            let after = along.iter().position(|length| *length >= wanted).unwrap_or(points.len() - 1).max(1);
            let span = (along[after] - along[after - 1]).max(f32::MIN_POSITIVE);
            let part = ((wanted - along[after - 1]) / span).clamp(0.0, 1.0);
            [0, 1]
                .map(|axis| points[after - 1][axis] + part * (points[after][axis] - points[after - 1][axis]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand() -> Hand {
        std::array::from_fn(|index| {
            let index = index as f32;
            [(index * 1.7).sin() * 40.0, -index * 9.0, index - 10.0]
        })
    }

    #[test]
    fn the_mean_of_one_hand_moved_turned_and_scaled_is_that_hand_in_its_median_direction() {
        let moved = |angle: f32, scale: f32| {
            turned(&hand(), angle).map(|[x, y, z]| [x * scale + 300.0, y * scale - 20.0, z * scale])
        };
        let mean = consensus(&[moved(-0.4, 1.0), moved(0.1, 2.0), moved(0.2, 0.5)]).unwrap();
        let expected = turned(&hand(), 0.1);
        let (unit, length) = (bone_lengths(&mean)[0], bone_lengths(&expected)[0]);
        for (is, wanted) in mean.iter().zip(&expected) {
            for axis in 0..2 {
                let wanted = (wanted[axis] - expected[0][axis]) / length;
                assert!((is[axis] / unit - wanted).abs() < 1e-3, "{mean:?}");
            }
        }
    }

    #[test]
    fn a_hand_that_is_another_shape_does_not_count() {
        let mut other = hand();
        other.reverse();
        let near: Vec<Hand> = (0..6).map(|index| turned(&hand(), index as f32 * 0.01)).collect();
        let alone = consensus(&near).unwrap();
        let with = consensus(&[near, vec![other]].concat()).unwrap();
        assert!(distance(&alone, &with) < 0.2);
    }

    #[test]
    fn a_path_is_resampled_evenly() {
        let even = evenly(&[[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [15.0, 0.0]]);
        let xs: Vec<f32> = even.iter().map(|point| point[0]).collect();
        assert_eq!(xs.len(), PATH_POINTS);
        for (index, x) in xs.iter().enumerate() {
            assert!((x - index as f32).abs() < 1e-4, "{xs:?}");
        }
    }
}
