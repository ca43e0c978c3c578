//! Hands without a body against MediaPipe Hands, and their neighbourhood with frames in which there is a person.

use dactyl_holistic::keypoints::{FACE, LEFT_HAND, POSE, RIGHT_HAND};
use dactyl_holistic::{Cancel, Frame, Instructions, Options, Parts, Profile, Region, Tracker};

use crate::reference::{Clip, HandAlone, Picture};
use crate::{tracker, tracker_on};

const FRAME_TIME: i64 = 33_333;
/// Probability, share of the picture or radians by which a number may differ.
const SAME: f32 = 1e-6;

fn assert_region(found: Option<Region>, expected: Option<[f32; 5]>, place: &str) {
    assert_eq!(found.is_some(), expected.is_some(), "{place}");
    let Some((found, expected)) = found.zip(expected) else { return };
    let values = [found.x, found.y, found.width, found.height, found.rotation];
    for (value, expected) in values.into_iter().zip(expected) {
        assert!((value - expected).abs() <= SAME, "{place}: {found:?} instead of {expected}");
    }
}

fn process(tracker: &mut Tracker, picture: &Picture, index: usize) -> Frame {
    let time = (index as i64 + 1) * FRAME_TIME;
    tracker.process(&picture.frame(), time, &Cancel::new()).expect("not cancelled")
}

/// Palms, regions, presence, handedness and landmarks of each frame, on every kind of vectors that the processor has.
#[test]
fn a_hand_without_a_body_agrees_with_mediapipe_hands() {
    for instructions in Instructions::all() {
        if instructions == Instructions::Scalar {
            continue;
        }
        for clip in HandAlone::recorded() {
            let mut tracker = tracker_on(instructions, Parts::ALL);
            let slot = if clip.side == "right" { RIGHT_HAND } else { LEFT_HAND };
            let mut next_region = None;
            let (mut hands, mut greatest) = (0, 0.0_f32);
            for (index, expected) in clip.frames.iter().enumerate() {
                let place = format!("{instructions:?}, {} hand, frame {index}", clip.side);
                let found = process(&mut tracker, &clip.picture(index), index);
                let trace = &found.trace.hand_alone;
                assert_eq!(trace.detection_score.is_some(), expected.palm.is_some(), "{place}: palm");
                if let Some((score, palm)) = trace.detection_score.zip(expected.palm.as_ref()) {
                    assert!((score - palm.score).abs() <= SAME, "{place}: score {score}");
                }
                assert_region(trace.region_from_detection, expected.region_from_palm, &place);
                assert_region(trace.hand.region_from_previous, next_region, &place);
                assert_eq!(trace.hand.presence.is_some(), expected.presence.is_some(), "{place}: presence");
                if let Some((presence, expected)) = trace.hand.presence.zip(expected.presence) {
                    assert!((presence - expected).abs() <= SAME, "{place}: presence {presence}");
                }
                assert_eq!(found.is_hand_alone, expected.landmarks.is_some(), "{place}");
                let is_right = expected.landmarks.and(trace.hand.handedness).map(|right| right > 0.5);
                assert_eq!(is_right, expected.right_handed, "{place}: handedness");
                for part in [POSE, FACE, LEFT_HAND, RIGHT_HAND] {
                    let is_there = expected.landmarks.is_some() && part == slot;
                    assert_eq!(found.keypoints.is_present(part.clone()), is_there, "{place}: {part:?}");
                }
                let landmarks = found.keypoints.part(slot.clone());
                for (landmark, expected) in landmarks.iter().zip(expected.landmarks.iter().flatten()) {
                    for (value, expected) in landmark.iter().zip(expected) {
                        greatest = greatest.max((value - expected).abs());
                    }
                }
                hands += usize::from(expected.landmarks.is_some());
                next_region = expected.next_region;
            }
            println!("{instructions:?}, {} hand: largest deviation {greatest:.1e} of the picture", clip.side);
            assert!(hands >= 10, "MediaPipe saw the hand in {hands} frames only");
            assert!(greatest <= SAME, "{} hand: a landmark differs by {greatest}", clip.side);
        }
    }
}

/// Pictures of the drawn person's right hand alone, and of the whole person, in an order in which both come and go.
fn comings_and_goings() -> Vec<Picture> {
    let hands = HandAlone::recorded().swap_remove(1);
    let hand = |index: usize| Clip::drawn().picture(index).crop(hands.crop);
    let whole = |index: usize| Clip::drawn().picture(index);
    let nobody = || Picture { pixels: vec![127; 160 * 120 * 3], width: 160, height: 120 };
    let people = [whole(0), whole(1), whole(2), nobody()];
    [hand(5), hand(6)].into_iter().chain(people).chain([hand(7), hand(6), whole(3), whole(4)]).collect()
}

#[test]
fn frames_with_a_person_are_those_of_a_tracker_that_knows_no_hands_alone() {
    let mut knows = tracker(Parts::ALL);
    let mut knows_not = tracker(Parts::HOLISTIC);
    let (mut people, mut hands_alone) = (0, 0);
    for (index, picture) in comings_and_goings().iter().enumerate() {
        let found = process(&mut knows, picture, index);
        let expected = process(&mut knows_not, picture, index);
        assert_eq!(found.world, expected.world, "frame {index}");
        assert_eq!(found.trace.pose, expected.trace.pose, "frame {index}");
        if expected.world.is_some() {
            people += 1;
            assert_eq!(found.trace, expected.trace, "frame {index}");
            let bits = |frame: &Frame| frame.keypoints.all().map(|landmark| landmark.map(f32::to_bits));
            assert_eq!(bits(&found), bits(&expected), "frame {index}");
            assert!(!found.is_hand_alone, "frame {index}");
        } else {
            assert!(!expected.keypoints.is_present(RIGHT_HAND), "frame {index}");
            hands_alone += usize::from(found.keypoints.is_present(RIGHT_HAND));
        }
    }
    assert!(
        people >= 5 && hands_alone >= 4,
        "{people} frames with a person, {hands_alone} with a hand alone"
    );
}

/// The face of one of them is lost now and then.
#[test]
fn frames_of_moving_people_are_those_of_a_tracker_that_knows_no_hands_alone() {
    for name in ["avatar", "squats"] {
        let Some(clip) = Clip::open(name) else { return };
        let mut knows = tracker(Parts::ALL);
        let mut knows_not = tracker(Parts::HOLISTIC);
        for index in 0..clip.len() {
            let picture = clip.picture(index);
            let [found, expected] =
                [&mut knows, &mut knows_not].map(|tracker| process(tracker, &picture, index).trace);
            assert_eq!(found, expected, "{name}, frame {index}");
        }
    }
}

/// The last frame's hand is followed, whoever found it: here the palm detector would find none.
#[test]
fn the_hand_of_a_person_who_is_gone_is_followed() {
    let mut tracker = tracker(Parts::ALL);
    let mut picture = Clip::drawn().picture(0);
    let row = picture.width as usize * 3;
    // One hand in view: the right half of the picture, with the other one, is painted over.
    for row in picture.pixels.chunks_exact_mut(row) {
        row[315 * 3..].fill(127);
    }
    let found = process(&mut tracker, &picture, 0);
    assert!(found.world.is_some() && found.keypoints.is_present(RIGHT_HAND));
    assert!(!found.keypoints.is_present(LEFT_HAND), "one hand is in view");
    // Nothing is left but that hand.
    for (index, row) in picture.pixels.chunks_exact_mut(row).enumerate() {
        row[..60 * 3].fill(127);
        row[if (115..245).contains(&index) { 185 * 3 } else { 0 }..].fill(127);
    }
    let found = process(&mut tracker, &picture, 1);
    assert_eq!(found.world, None, "the person is gone");
    assert_eq!(found.trace.hand_alone.detection_score, None);
    assert!(found.trace.hand_alone.hand.region_from_previous.is_some());
    assert!(found.keypoints.is_present(RIGHT_HAND), "{:?}", found.trace.hand_alone);
}

/// The picture with a grey frame of 40 pixels.
fn framed(picture: &Picture) -> Picture {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let row = (width + 80) * 3;
    let mut pixels = vec![127; row * (height + 80)];
    let inner = pixels.chunks_exact_mut(row).skip(40);
    for (framed, own) in inner.zip(picture.pixels.chunks_exact(width * 3)) {
        framed[40 * 3..][..width * 3].copy_from_slice(own);
    }
    Picture { pixels, width: picture.width + 80, height: picture.height + 80 }
}

/// The pose networks take this hand in a grey frame for a body, on which nobody finds hands or a face.
#[test]
fn a_hand_is_followed_though_the_networks_see_a_body_in_it() {
    let hands = HandAlone::recorded().swap_remove(1);
    for profile in [Profile::Exact, Profile::Fast] {
        let mut knows = tracker(Parts::ALL);
        let mut knows_not = tracker(Parts::HOLISTIC);
        for tracker in [&mut knows, &mut knows_not] {
            tracker.set_options(Options { profile, ..Options::default() });
        }
        let mut bodies = 0;
        for index in 0..8 {
            let picture = Clip::drawn().picture(5 + index % 2).crop(hands.crop);
            let picture = if index < 2 { picture } else { framed(&picture) };
            let found = process(&mut knows, &picture, index);
            let expected = process(&mut knows_not, &picture, index);
            assert!(found.is_hand_alone && found.keypoints.is_present(RIGHT_HAND), "{profile:?}, {index}");
            assert!(
                !expected.keypoints.is_present(RIGHT_HAND),
                "{profile:?}, {index}: it is no hand of a body"
            );
            bodies += usize::from(found.world.is_some());
            if profile == Profile::Exact {
                assert_eq!(found.world, expected.world, "frame {index}");
                assert_eq!(found.trace.pose, expected.trace.pose, "frame {index}");
            }
        }
        assert!(bodies >= 4, "{profile:?}: a body in {bodies} frames");
    }
}

#[test]
fn the_fast_profile_finds_the_person_who_comes_while_a_hand_is_followed() {
    let hands = HandAlone::recorded().swap_remove(1);
    let mut tracker = tracker(Parts::ALL);
    tracker.set_options(Options { profile: Profile::Fast, ..Options::default() });
    for index in 0..12 {
        let picture = Clip::drawn().picture(5 + index % 3).crop(hands.crop);
        let found = process(&mut tracker, &picture, index);
        assert!(found.keypoints.is_present(RIGHT_HAND), "frame {index}");
    }
    let whole = Clip::drawn().picture(0);
    let appeared = (12..32).find(|&index| process(&mut tracker, &whole, index).world.is_some());
    println!("found in frame {appeared:?}");
    assert!(appeared.is_some_and(|frame| frame <= 12 + 4), "{appeared:?}");
}
