//! How often each network runs: more runs than MediaPipe's cost time, fewer lose landmarks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::{Clip, FRAME_TIME, observed};
use crate::holistic::Networks;
use crate::holistic::tracker::{Options, Profile, Tracker};
use crate::runtime::Cancel;

type Runs = BTreeMap<&'static str, usize>;

fn counted() -> (Networks, Arc<Mutex<Runs>>) {
    let runs: Arc<Mutex<Runs>> = Arc::default();
    let networks = observed({
        let runs = Arc::clone(&runs);
        move |name, _| *runs.lock().expect("no panic").entry(name).or_default() += 1
    });
    (networks, runs)
}

/// The runs in each frame of the clip.
fn runs_by_frame(clip: &Clip, profile: Profile) -> Vec<Runs> {
    let (networks, runs) = counted();
    let mut tracker = Tracker::new(networks, Options { profile, ..Options::default() });
    (0..clip.len())
        .map(|index| {
            let picture = clip.picture(index);
            let time = (index as i64 + 1) * FRAME_TIME;
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

#[test]
fn the_fast_profile_holds_a_body_at_rest_and_follows_hands_and_face() {
    let frames = runs_by_frame(&Clip::drawn(), Profile::Fast);
    let runs =
        |network| frames.iter().map(|runs| runs.get(network).copied().unwrap_or(0)).collect::<Vec<_>>();
    assert_eq!(runs("pose_landmark"), [1, 1, 0, 1, 1, 0, 1, 0]);
    // Found in the first frame, steady after three more; a body that is held confirms nothing either.
    assert_eq!(runs("hand_recrop"), [2, 2, 0, 2, 0, 0, 0, 0]);
    assert_eq!(runs("face_detection"), [1, 1, 0, 1, 0, 0, 0, 0]);
    assert_eq!(runs("hand_landmark"), [2; 8]);
    assert_eq!(runs("face_landmark"), [1; 8]);
}

#[test]
fn each_network_runs_as_often_as_mediapipe_s() {
    for name in ["avatar", "squats", "astronaut"] {
        let Some(clip) = Clip::open(name) else { return };
        for (index, found) in runs_by_frame(&clip, Profile::Exact).into_iter().enumerate() {
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
