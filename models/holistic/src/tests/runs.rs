//! How often each network runs: more runs than MediaPipe's cost time, fewer lose landmarks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::reference::{HandAlone, Picture};
use super::{Clip, FRAME_TIME, observed};
use crate::networks::{Networks, Parts};
use crate::options::{Options, Profile};
use crate::tracker::Tracker;
use dactyl_kernels::Cancel;

type Runs = BTreeMap<&'static str, usize>;

fn counted(parts: Parts) -> (Networks, Arc<Mutex<Runs>>) {
    let runs: Arc<Mutex<Runs>> = Arc::default();
    let networks = observed(parts, {
        let runs = Arc::clone(&runs);
        move |name, _| *runs.lock().expect("no panic").entry(name).or_default() += 1
    });
    (networks, runs)
}

/// The runs in each frame of the clip.
fn runs_by_frame(clip: &Clip, profile: Profile) -> Vec<Runs> {
    runs_by_picture(clip, 0..clip.len(), profile)
}

/// The runs in each frame, if the pictures of the clip come in this order.
fn runs_by_picture(clip: &Clip, pictures: impl IntoIterator<Item = usize>, profile: Profile) -> Vec<Runs> {
    runs(pictures.into_iter().map(|index| clip.picture(index)), profile)
}

/// The runs in each frame of these pictures.
fn runs(pictures: impl IntoIterator<Item = Picture>, profile: Profile) -> Vec<Runs> {
    runs_with(Parts::ALL, pictures, profile)
}

fn runs_with(parts: Parts, pictures: impl IntoIterator<Item = Picture>, profile: Profile) -> Vec<Runs> {
    let (networks, runs) = counted(parts);
    let mut tracker = Tracker::new(networks, Options { profile, ..Options::default() });
    (1..)
        .zip(pictures)
        .map(|(frame, picture)| {
            let time = frame * FRAME_TIME;
            tracker.process(&picture.frame(), time, &Cancel::new()).expect("not cancelled");
            std::mem::take(&mut *runs.lock().expect("no panic"))
        })
        .collect()
}

#[test]
fn a_followed_person_takes_no_detection_and_one_run_a_part() {
    for (index, found) in runs_by_frame(&Clip::drawn(), Profile::Exact).into_iter().enumerate() {
        let mut expected: Runs = [
            ("pose_landmark", 1),
            ("hand_recrop", 2),
            ("hand_landmark", 2),
            ("face_detection", 1),
            ("face_landmark", 1),
        ]
        .into();
        if index == 0 {
            expected.insert("pose_detection", 1);
        }
        assert_eq!(found, expected, "frame {index}");
    }
}

/// The network's runs in each frame.
fn runs_of(network: &str, frames: &[Runs]) -> Vec<usize> {
    frames.iter().map(|runs| runs.get(network).copied().unwrap_or(0)).collect()
}

#[test]
fn the_fast_profile_follows_hands_and_face_that_keep_their_place() {
    let frames = runs_by_frame(&Clip::drawn(), Profile::Fast);
    assert_eq!(runs_of("pose_landmark", &frames), [1; 8]);
    // Found in the first frame, steady after three more, confirmed in one of four.
    assert_eq!(runs_of("hand_recrop", &frames), [2, 2, 2, 2, 0, 2, 0, 0]);
    assert_eq!(runs_of("face_detection", &frames), [1, 1, 1, 1, 0, 1, 0, 0]);
    // The drawn person moves both hands in every frame, and the head little.
    assert_eq!(runs_of("hand_landmark", &frames), [2; 8]);
}

#[test]
fn the_fast_profile_holds_body_hands_and_face_of_a_person_who_stands_still() {
    let frames = runs_by_picture(&Clip::drawn(), [0; 24], Profile::Fast);
    let body = runs_of("pose_landmark", &frames);
    // As soon as both hands are steady. Later one of them wanders, and needs the body.
    assert!(body[4..12].iter().sum::<usize>() <= 8 * 3 / 4, "the body is rarely held: {body:?}");
    assert!(body.windows(2).all(|two| two.contains(&1)), "held for long: {body:?}");
    // Landmarks on a still picture wander for some frames, as each frame's region comes from the last one's landmarks.
    let hands = runs_of("hand_landmark", &frames);
    assert!(hands[12..].iter().sum::<usize>() <= 12 * 2 * 3 / 4, "hands are rarely held: {hands:?}");
    assert!(hands.windows(5).all(|five| five.iter().sum::<usize>() >= 2), "held for long: {hands:?}");
    let face = runs_of("face_landmark", &frames);
    assert!(face[12..].iter().sum::<usize>() <= 12 / 2, "the face is rarely held: {face:?}");
    assert!(face.windows(5).all(|five| five.contains(&1)), "held for long: {face:?}");
}

/// The drawn person's right hand alone, in so many pictures.
fn hand_alone(frames: usize) -> impl Iterator<Item = Picture> {
    let hand = HandAlone::recorded().swap_remove(1);
    // The palm detector finds it in these.
    (0..frames).map(move |frame| Clip::drawn().picture(5 + frame % 3).crop(hand.crop))
}

fn grey(frames: usize) -> impl Iterator<Item = Picture> {
    (0..frames).map(|_| Picture { pixels: vec![127; 160 * 120 * 3], width: 160, height: 120 })
}

#[test]
fn a_hand_alone_takes_the_palm_detector_once_and_the_person_s_in_every_frame() {
    for (index, found) in runs(hand_alone(6), Profile::Exact).into_iter().enumerate() {
        let mut expected: Runs = [("pose_detection", 1), ("hand_landmark", 1)].into();
        if index == 0 {
            expected.insert("palm_detection", 1);
        }
        assert_eq!(found, expected, "frame {index}");
    }
}

#[test]
fn a_frame_without_anybody_takes_both_detectors() {
    for found in runs(grey(6), Profile::Exact) {
        assert_eq!(found, [("pose_detection", 1), ("palm_detection", 1)].into());
    }
}

#[test]
fn a_frame_with_a_person_takes_nothing_for_hands_alone() {
    for profile in [Profile::Exact, Profile::Fast] {
        let frames = runs_by_frame(&Clip::drawn(), profile);
        assert_eq!(runs_of("palm_detection", &frames), [0; 8], "{profile:?}");
    }
}

#[test]
fn the_fast_profile_looks_for_the_person_seldom_while_a_hand_alone_keeps_its_place() {
    let frames = runs(hand_alone(12), Profile::Fast);
    assert_eq!(runs_of("hand_landmark", &frames), [1; 12], "it moves");
    // Found in the first frame, steady after three more, then the person is looked for in one of four.
    assert_eq!(runs_of("pose_detection", &frames), [1, 1, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn the_fast_profile_holds_a_hand_alone_that_rests() {
    let still = || hand_alone(1).next().expect("a picture");
    let frames = runs((0..24).map(|_| still()), Profile::Fast);
    let hands = runs_of("hand_landmark", &frames);
    assert!(hands[12..].iter().sum::<usize>() <= 12 / 2, "rarely held: {hands:?}");
    assert!(hands.windows(5).all(|five| five.contains(&1)), "held for long: {hands:?}");
    assert!(frames.iter().filter(|runs| runs.is_empty()).count() >= 6, "{frames:?}");
}

#[test]
fn the_fast_profile_looks_for_a_palm_in_every_second_frame_where_there_is_none() {
    let frames = runs(grey(11), Profile::Fast);
    assert_eq!(runs_of("pose_detection", &frames), [1; 11]);
    assert_eq!(runs_of("palm_detection", &frames), [1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
}

#[test]
fn each_network_runs_as_often_as_mediapipe_s() {
    for name in ["avatar", "squats", "astronaut"] {
        let Some(clip) = Clip::open(name) else { return };
        let pictures = (0..clip.len()).map(|index| clip.picture(index));
        let frames = runs_with(Parts::HOLISTIC, pictures, Profile::Exact);
        for (index, found) in frames.into_iter().enumerate() {
            // A stage that ran in MediaPipe has left its result.
            let stages = &clip.stages[index];
            let ran = |names: &[&str]| names.iter().filter(|name| !stages[**name].is_null()).count();
            let mut expected: Runs = [
                ("pose_detection", ran(&["pose_detection"])),
                ("pose_landmark", ran(&["pose_presence"])),
                ("hand_recrop", ran(&["left_hand_recrop_points", "right_hand_recrop_points"])),
                ("hand_landmark", ran(&["left_hand_presence", "right_hand_presence"])),
                ("face_detection", ran(&["face_roi_from_pose"])),
                ("face_landmark", ran(&["face_presence"])),
            ]
            .into();
            expected.retain(|_, count| *count > 0);
            assert_eq!(found, expected, "{name}, frame {index}");
        }
    }
}
