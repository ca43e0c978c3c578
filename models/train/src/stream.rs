//! A signer's clips streamed through a model as the server would: keypoints in, the recogniser, one distribution a frame.

use std::sync::Arc;

use anyhow::Result;
use dactyl_config::Config;
use dactyl_holistic::Cancel;
use dactyl_holistic::keypoints::{Keypoints, LEFT_HAND, RIGHT_HAND};
use dactyl_letters::{Classifier, PictureSize, Recognizer};

use crate::data::{Clip, Hand, Kind, size};
use crate::windows::{between, blend};

/// Share of frames without a hand that is nothing, as shipped.
const NOTHING_SHARE: f32 = 0.5;
/// Frames of a clip that are streamed, at most: four seconds at 30 frames per second.
const LONGEST: usize = 128;
/// Single pictures of a letter that are held, at most.
const PICTURES: usize = 16;

/// Hands in one frame: the signing one, which is a right hand, and the other.
type Hands = [Option<Hand>; 2];

/// How a clip is shown.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Every how many frames one is shown: 1 for the frame rate of the source (10 to 30 per second), 3 for a third of it.
    pub step: usize,
    /// The picture is mirrored, so that the tracker takes the right hand for a left one.
    pub mirrored: bool,
}

/// As it was filmed.
pub const AS_FILMED: View = View { step: 1, mirrored: false };

/// The distributions that the frames of a clip get, each stretch from an empty window: one stretch for a film, one per
/// picture for single pictures. A film that is too short for the window goes back and forth if it shows a still letter.
/// If it moves it is stretched; what is too short then because frames are left out has a hand at rest before and after it.
///
/// # Errors
/// As the network gives them.
pub fn stream(classifier: &Arc<Classifier>, clip: &Clip, view: View) -> Result<Vec<Vec<Vec<f32>>>> {
    let window = classifier.window();
    if !clip.ordered {
        let step = clip.frames.len().div_ceil(PICTURES).max(1);
        let pictures = clip.frames.iter().step_by(step);
        return pictures.map(|hand| push(classifier, &vec![[*hand, None]; window], view)).collect();
    }
    let length = clip.frames.len();
    let at = |place: usize| -> Hands { [clip.frames[place], clip.other.get(place).copied().flatten()] };
    let frames: Vec<Hands> = if clip.kind == Kind::Moving {
        let film: Vec<Hands> = if length > window {
            (0..length).map(at).collect()
        } else {
            let scale = (length - 1) as f32 / (window + 3) as f32;
            (0..window + 4).map(|frame| [between(clip, scale * frame as f32), None]).collect()
        };
        at_rest_around(film.into_iter().step_by(view.step).collect(), window)
    } else {
        let count = length.div_ceil(view.step).clamp(window + 16, LONGEST);
        (0..count).map(|frame| at(back_and_forth(frame * view.step, length))).collect()
    };
    Ok(vec![push(classifier, &frames, view)?])
}

/// `before` held, six frames on the way, `after` held; the distributions from the first frame on the way.
///
/// # Errors
/// As the network gives them.
pub fn stream_change(classifier: &Arc<Classifier>, before: &Clip, after: &Clip) -> Result<Vec<Vec<f32>>> {
    let held = classifier.window() + HISTORY_MAX;
    let frames = change(before, after, [held, held]);
    let mut answers = push(classifier, &frames, AS_FILMED)?;
    Ok(answers.split_off(HISTORY_MAX + 1))
}

/// The answers to each frame of `before`, held for another `held` frames after a reset, six frames on the way and `after` held
/// for a window, where there are answers from `least` frames on.
///
/// # Errors
/// As the network gives them.
pub fn stream_after_reset(
    classifier: &Arc<Classifier>,
    [before, after]: [&Clip; 2],
    held: usize,
    least: usize,
) -> Result<Vec<Option<Vec<f32>>>> {
    let frames = change(before, after, [held, classifier.window() + HISTORY_MAX]);
    push_each(classifier, &frames, AS_FILMED, least)
}

/// The first answer to a film, where there are answers from `least` frames on; `None` for one that is shorter.
///
/// # Errors
/// As the network gives them.
pub fn first_answer(classifier: &Arc<Classifier>, clip: &Clip, least: usize) -> Result<Option<Vec<f32>>> {
    let start = clip.frames.iter().position(Option::is_some).unwrap_or(0);
    let frames: Vec<Hands> = clip.frames[start..].iter().map(|hand| [*hand, None]).collect();
    Ok(push_each(classifier, &frames, AS_FILMED, least)?.into_iter().flatten().next())
}

/// `before` held for so many frames, [`WAY`] frames on the way, `after` held for so many.
fn change(before: &Clip, after: &Clip, held: [usize; 2]) -> Vec<Hands> {
    let hold = |clip: &Clip, count: usize| -> Vec<Hands> {
        let start = clip.frames.iter().position(Option::is_some).unwrap_or(0);
        (0..count)
            .map(|frame| [clip.frames[back_and_forth(start + frame, clip.frames.len())], None])
            .collect()
    };
    let mut frames = hold(before, held[0]);
    let mut last = hold(after, held[1]);
    let (from, to) = (frames.iter().rev().find_map(|hands| hands[0]), last.iter().find_map(|hands| hands[0]));
    if let (Some(from), Some(to)) = (from, to) {
        // The second letter is shown where the first one was.
        let aside: [f32; 3] = std::array::from_fn(|axis| from[0][axis] - to[0][axis]);
        let scale = size(&from) / size(&to).max(f32::MIN_POSITIVE);
        for hand in last.iter_mut().filter_map(|hands| hands[0].as_mut()) {
            *hand = hand.map(|point| {
                std::array::from_fn(|axis| {
                    (point[axis] + aside[axis] - from[0][axis]) * scale + from[0][axis]
                })
            });
        }
        let to = last.iter().find_map(|hands| hands[0]).unwrap_or(to);
        let way = (1..=WAY).map(|step| [Some(blend(&from, &to, step as f32 / (WAY + 1) as f32)), None]);
        frames.extend(way);
    }
    frames.extend(last);
    frames
}

/// Frames on the way from one letter to the next.
pub const WAY: usize = 6;
/// Answers that are given to the first letter before it ends: the longest history of a smoother that is looked at.
const HISTORY_MAX: usize = 16;

fn push(classifier: &Arc<Classifier>, frames: &[Hands], view: View) -> Result<Vec<Vec<f32>>> {
    Ok(push_each(classifier, frames, view, 0)?.into_iter().flatten().collect())
}

/// What there is to each frame, from an empty window; `least` as [`Recognizer::set_min_window`] takes it.
fn push_each(
    classifier: &Arc<Classifier>,
    frames: &[Hands],
    view: View,
    least: usize,
) -> Result<Vec<Option<Vec<f32>>>> {
    let mut recognizer = Recognizer::new(Arc::clone(classifier), NOTHING_SHARE);
    let shipped = &Config::builtin().letters;
    recognizer.set_min_window(least, &shipped.moving);
    recognizer.set_other_weight(shipped.other_weight);
    let cancel = Cancel::new();
    // The hands are in pixels already.
    let picture = PictureSize { width: 1, height: 1 };
    let mut answers = Vec::new();
    for [signing, other] in frames {
        let mut keypoints = Keypoints::absent();
        let parts = if view.mirrored { [LEFT_HAND, RIGHT_HAND] } else { [RIGHT_HAND, LEFT_HAND] };
        for (hand, part) in [signing, other].into_iter().zip(parts) {
            let Some(hand) = hand else { continue };
            for (to, [x, y, z]) in keypoints.part_mut(part).iter_mut().zip(hand) {
                *to = [if view.mirrored { -x } else { *x }, *y, *z, 0.0];
            }
        }
        answers.push(recognizer.push(&keypoints, picture, &cancel)?);
    }
    Ok(answers)
}

/// A movement of fewer frames than the window has, with the hand at rest before and after it, so that every whole window shows
/// all of it; any other stays.
fn at_rest_around(movement: Vec<Hands>, window: usize) -> Vec<Hands> {
    let rest = window.saturating_sub(movement.len());
    let has_hand = |hands: &&Hands| hands[0].is_some();
    let first = movement.iter().find(has_hand).copied().unwrap_or_default();
    let last = movement.iter().rfind(has_hand).copied().unwrap_or_default();
    let mut frames = vec![first; rest];
    frames.extend(movement);
    frames.extend(vec![last; rest]);
    frames
}

fn back_and_forth(frame: usize, length: usize) -> usize {
    let period = (2 * (length - 1)).max(1);
    let place = frame % period;
    if place < length { place } else { period - place }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_movement_of_few_frames_is_whole_in_every_window() {
        let hand = |place: usize| -> Hands { [Some([[place as f32; 3]; 21]), None] };
        let mut movement: Vec<Hands> = (0..5).map(hand).collect();
        movement[4][0] = None;
        let frames = at_rest_around(movement.clone(), 8);
        let [first, last] = [vec![hand(0); 3], vec![hand(3); 3]];
        assert_eq!(frames, [first, movement.clone(), last].concat());
        assert!(frames.windows(8).all(|window| window.windows(5).any(|part| part == movement)));
        assert_eq!(at_rest_around(movement.clone(), 5), movement);
        assert_eq!(at_rest_around(vec![[None; 2]; 2], 3), vec![[None; 2]; 4]);
    }
}
