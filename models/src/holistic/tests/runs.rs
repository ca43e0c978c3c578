//! How often each network runs: more runs than MediaPipe's cost time, fewer lose landmarks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::{Clip, FRAME_TIME, observed};
use crate::holistic::tracker::{Options, Tracker};
use crate::runtime::Cancel;

#[test]
fn each_network_runs_as_often_as_mediapipe_s() {
    let runs: Arc<Mutex<BTreeMap<&str, usize>>> = Arc::default();
    let networks = observed({
        let runs = Arc::clone(&runs);
        move |name, _| *runs.lock().expect("no panic").entry(name).or_default() += 1
    });
    for name in ["avatar", "squats", "astronaut"] {
        let Some(clip) = Clip::open(name) else { return };
        let mut tracker = Tracker::new(networks.clone(), Options::default());
        for index in 0..clip.len() {
            runs.lock().expect("no panic").clear();
            let picture = clip.picture(index);
            let time = (index as i64 + 1) * FRAME_TIME;
            tracker.process(&picture.frame(), time, &Cancel::new()).expect("not cancelled");
            // A stage that ran in MediaPipe has left its result.
            let stages = &clip.stages[index];
            let ran = |names: &[&str]| names.iter().filter(|name| !stages[**name].is_null()).count();
            let expected: BTreeMap<&str, usize> = [
                ("pose_detection", ran(&["pose_detection"])),
                ("pose_landmark", ran(&["pose_presence"])),
                ("hand_recrop", ran(&["left_hand_recrop_points", "right_hand_recrop_points"])),
                ("hand_landmark", ran(&["left_hand_presence", "right_hand_presence"])),
                ("face_detection", ran(&["face_roi_from_pose"])),
                ("face_landmark", ran(&["face_presence"])),
            ]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect();
            assert_eq!(*runs.lock().expect("no panic"), expected, "{name}, frame {index}");
        }
    }
}
