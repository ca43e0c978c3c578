//! Hands without a body as a set: what `import` and `people` write and training reads beside recordings.
//!
//! An npz file of these arrays, N rows, one per hand:
//!
//! | array | type | holds |
//! |---|---|---|
//! | `hand` | float32 `[N, 21, 3]` | landmarks of a right hand, wrist at 0, equal units in x and y; z NaN where there is none |
//! | `letter` or `label` | `[N]` | what it shows, as in recordings |
//! | `sequence` | int32 `[N]` | number of the film that it is a frame of, in order; -1 for a picture by itself |
//! | `wrist` | float32 `[N, 2]` | the wrist's place in a film, in the units of `hand`; 0 for a picture |

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use ndarray::{Array1, Array2, Array3};
use serde::Deserialize;

use crate::data::{Hand, flat};
use crate::keypoint_file::{add_labels, write_arrays};
use crate::landmark_table::Row;

/// Pictures of one label that are kept, at most, evenly spread: a person holding still is worth no more.
const MOST_PICTURES: usize = 200;

/// Which hand the rows of a table show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handedness {
    /// A right hand in a picture that is not mirrored.
    #[default]
    Right,
    /// A right hand in a mirrored picture, or a left hand: x is reversed.
    Mirrored,
    /// Now this, now that: x is reversed where the hand looks like a left one, see [`looks_left`].
    Either,
}

/// Writes a set. `aspect` is the width of the pictures by their height if x and y are given in widths and heights, else 1.
///
/// # Errors
/// No rows, coordinates that are not finite, or a file that can't be written.
pub fn write(path: &Path, rows: &[Row], aspect: f32, side: Handedness) -> Result<()> {
    ensure!(!rows.is_empty(), "there are no hands to write");
    let rows = spread(rows);
    let mut hands = Vec::new();
    let mut wrists = Vec::new();
    for group in rows.chunk_by(|a, b| a.film.is_some() && a.film == b.film) {
        let scaled: Vec<Hand> =
            group.iter().map(|row| row.hand.map(|[x, y, z]| [aspect * x, y, aspect * z])).collect();
        let reversed = match side {
            Handedness::Right => false,
            Handedness::Mirrored => true,
            // A hand turns while it moves: the first third tells.
            Handedness::Either => {
                let start = &scaled[..scaled.len().div_ceil(3)];
                let left = start.iter().filter(|hand| looks_left(hand, &group[0].label)).count();
                2 * left > start.len()
            }
        };
        for (hand, row) in scaled.iter().zip(group) {
            ensure!(
                flat(hand).as_flattened().iter().all(|value| value.is_finite()),
                "a hand labelled {} has a coordinate that is no number",
                row.label
            );
            let sign = if reversed { -1.0 } else { 1.0 };
            let wrist = hand[0];
            hands.extend(
                hand.iter().flat_map(|[x, y, z]| [sign * (x - wrist[0]), y - wrist[1], z - wrist[2]]),
            );
            wrists.extend(if row.film.is_some() { [sign * wrist[0], wrist[1]] } else { [0.0; 2] });
        }
    }
    let count = rows.len();
    write_arrays(path, |npz| {
        npz.add_array("hand", &Array3::from_shape_vec((count, 21, 3), hands)?)?;
        npz.add_array("wrist", &Array2::from_shape_vec((count, 2), wrists)?)?;
        let films = rows.iter().map(|row| row.film.unwrap_or(-1));
        npz.add_array("sequence", &films.collect::<Array1<i32>>())?;
        add_labels(npz, &rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>())
    })
}

/// Films whole, and the pictures of each label thinned.
fn spread(rows: &[Row]) -> Vec<&Row> {
    let labels: BTreeSet<&str> = rows.iter().map(|row| row.label.as_str()).collect();
    let mut kept: Vec<&Row> = Vec::new();
    for label in labels {
        let pictures: Vec<&Row> =
            rows.iter().filter(|row| row.label == label && row.film.is_none()).collect();
        let count = pictures.len().min(MOST_PICTURES);
        kept.extend((0..count).map(|place| pictures[place * pictures.len() / count]));
        kept.extend(rows.iter().filter(|row| row.label == label && row.film.is_some()));
    }
    kept
}

/// Whether a hand is a left one, if its label is shown as usual: with the palm to the camera, or, in C and O, with the
/// fingers to the signer's other side. G, H, P and Q are shown to either side and tell nothing.
fn looks_left(hand: &Hand, label: &str) -> bool {
    let [wrist, index, little] = [hand[0], hand[5], hand[17]];
    match label {
        "G" | "H" | "P" | "Q" => false,
        "C" | "O" => hand[8][0] + hand[12][0] < 2.0 * wrist[0],
        _ => {
            let from_wrist = |point: [f32; 3]| [point[0] - wrist[0], point[1] - wrist[1]];
            let ([ax, ay], [bx, by]) = (from_wrist(index), from_wrist(little));
            bx * ay < by * ax
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{self, J, Kind};

    /// An invented hand whose index base is at the larger x, moved aside.
    fn hand(sign: f32, aside: f32) -> Hand {
        std::array::from_fn(|point| {
            let point = point as f32;
            [sign * (10.0 - point + aside), if point == 0.0 { 0.0 } else { -20.0 - point }, 0.0]
        })
    }

    fn row(label: &str, hand: Hand, film: Option<i32>) -> Row {
        Row { label: label.to_owned(), hand, film }
    }

    fn written(rows: &[Row], side: Handedness) -> Result<Vec<data::Clip>> {
        let folder = tempfile::tempdir()?;
        // Every letter, so that J is taken for the letter.
        let mut all: Vec<Row> =
            data::alphabet().iter().map(|letter| row(letter, hand(1.0, 0.0), None)).collect();
        all.retain(|one| rows.iter().all(|row| row.label != one.label));
        all.extend_from_slice(rows);
        write(&folder.path().join("hands/me.npz"), &all, 1.0, side)?;
        Ok(data::read(folder.path(), None, &[])?.signers.remove(0).clips)
    }

    #[test]
    fn films_of_j_move_and_pictures_of_it_are_held_shapes() {
        let mut rows: Vec<Row> =
            (0..9).map(|frame| row("J", hand(-1.0, frame as f32), Some(i32::from(frame > 4)))).collect();
        rows.push(row("J", hand(1.0, 3.0), None));
        let clips = written(&rows, Handedness::Either).unwrap();
        let of_j: Vec<_> = clips.iter().filter(|clip| clip.letter == J).collect();
        let kinds: Vec<_> = of_j.iter().map(|clip| (clip.kind, clip.ordered, clip.frames.len())).collect();
        assert_eq!(kinds, [(Kind::HeldShape, false, 1), (Kind::Moving, true, 5), (Kind::Moving, true, 4)]);
        let wrists: Vec<f32> =
            of_j[1].frames.iter().map(|hand| hand.map_or(f32::NAN, |hand| hand[0][0])).collect();
        assert_eq!(wrists, [10.0, 11.0, 12.0, 13.0, 14.0], "the path of a left hand, reversed");
    }

    #[test]
    fn many_pictures_of_a_letter_are_thinned_evenly() {
        let rows: Vec<Row> = (0..500).map(|index| row("B", hand(1.0 + index as f32, 0.0), None)).collect();
        let clips = written(&rows, Handedness::Right).unwrap();
        let frames = &clips.iter().find(|clip| clip.letter == 1).unwrap().frames;
        assert_eq!(frames.len(), MOST_PICTURES);
        let widths: Vec<f32> = frames.iter().map(|hand| -hand.map_or(0.0, |hand| hand[1][0])).collect();
        assert_eq!((widths[0], widths[1], widths[199]), (1.0, 3.0, 498.0));
    }

    #[test]
    fn a_hand_that_is_not_finite_is_refused() {
        let mut broken = hand(1.0, 0.0);
        broken[7][1] = f32::INFINITY;
        let error = written(&[row("B", broken, None)], Handedness::Right).unwrap_err().to_string();
        assert!(error.contains("labelled B has a coordinate that is no number"), "{error}");
    }
}
