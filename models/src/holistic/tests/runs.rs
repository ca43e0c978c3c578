//! How often each network runs: more runs than MediaPipe's cost time, fewer lose landmarks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::{Clip, FRAME_TIME, observed};
use crate::holistic::Networks;
use crate::holistic::tracker::{Options, Tracker};
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
fn runs_by_frame(clip: &Clip) -> Vec<Runs> {
    let (networks, runs) = counted();
    let mut tracker = Tracker::new(networks, Options::default());
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
    for (index, found) in runs_by_frame(&Clip::drawn()).into_iter().enumerate() {
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
fn each_network_runs_as_often_as_mediapipe_s() {
    for name in ["avatar", "squats", "astronaut"] {
        let Some(clip) = Clip::open(name) else { return };
        for (index, found) in runs_by_frame(&clip).into_iter().enumerate() {
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
