//! Landmarks of whole clips against MediaPipe's. `src/holistic/tests/stages.rs` compares what happens in between.

use std::ops::Range;

use dactyl_models::holistic::{Frame, Parts};
use dactyl_models::keypoints::{COUNT, FACE, LEFT_HAND, POSE, RIGHT_HAND};
use dactyl_models::runtime::Cancel;

use crate::reference::Clip;
use crate::tracker;

/// MediaPipe's Python solution steps its filters by this many microseconds a frame.
const FRAME_TIME: i64 = 33_333;

fn track(clip: &Clip) -> Vec<Frame> {
    let mut tracker = tracker(Parts::ALL);
    (0..clip.len())
        .map(|index| {
            let picture = clip.picture(index);
            let time = (index as i64 + 1) * FRAME_TIME;
            tracker.process(&picture.frame(), time, &Cancel::new()).expect("not cancelled")
        })
        .collect()
}

/// Distances in pixels between ours and the reference's points of one part, where both have it and it lies in the
/// picture; pose only where it is visible.
fn distances(clip: &Clip, frames: &[Frame], part: Range<usize>) -> Vec<f32> {
    let picture = clip.picture(0);
    let mut distances = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        for landmark in part.clone() {
            let [x, y, ..] = frame.keypoints.all()[landmark];
            let reference = |value| clip.landmarks[[index, landmark, value]];
            let (reference_x, reference_y) = (reference(0), reference(1));
            let inside = (0.0..=1.0).contains(&reference_x) && (0.0..=1.0).contains(&reference_y);
            let visible = landmark >= POSE.end || reference(3) > 0.5;
            if inside && visible && !x.is_nan() {
                let (dx, dy) = (x - reference_x, y - reference_y);
                distances.push((dx * picture.width as f32).hypot(dy * picture.height as f32));
            }
        }
    }
    distances.sort_unstable_by(f32::total_cmp);
    distances
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

/// Name, landmarks and how many frames differ in the presence of a part.
type Presence = (&'static str, Range<usize>, usize);

fn parts() -> [Presence; 4] {
    [("pose", POSE, 0), ("left hand", LEFT_HAND, 0), ("right hand", RIGHT_HAND, 0), ("face", FACE, 0)]
}

/// Compares a clip; `limits`: mean distance in pixels of pose, both hands, face. Gives how many frames differ in the
/// presence of each part.
fn compare(name: &str, clip: &Clip, limits: [f32; 3]) -> [Presence; 4] {
    let frames = track(clip);
    let mut parts = parts();
    let mut groups = limits.map(|limit| (limit, Vec::new()));
    for ((part, range, differing), group) in parts.iter_mut().zip([0, 1, 1, 2]) {
        let found = |index: usize| frames[index].keypoints.is_present(range.clone());
        let expected = |index: usize| !clip.landmarks[[index, range.start, 0]].is_nan();
        let frames_differing: Vec<_> =
            (0..clip.len()).filter(|&index| found(index) != expected(index)).collect();
        println!("{name}, {part}: presence differs in frames {frames_differing:?} of {}", clip.len());
        *differing = frames_differing.len();
        let distances = distances(clip, &frames, range.clone());
        if distances.is_empty() {
            continue;
        }
        let (mean, p99) = (mean(&distances), distances[distances.len() * 99 / 100]);
        let points = distances.len();
        println!("{name}, {part}: mean {mean:.3} px, 99th percentile {p99:.3} px, {points} points");
        groups[group].1.extend(distances);
    }
    for (limit, distances) in groups.iter().filter(|(_, distances)| !distances.is_empty()) {
        let mean = mean(distances);
        assert!(mean <= *limit, "{name}: a part deviates by {mean} px on average, not {limit}");
    }
    let world = frames.iter().enumerate().flat_map(|(index, frame)| {
        frame.world.iter().flat_map(move |world| {
            world.iter().enumerate().filter_map(move |(landmark, found)| {
                let reference: [f32; 4] = std::array::from_fn(|value| clip.world[[index, landmark, value]]);
                let distance = (0..3).map(|axis| (found[axis] - reference[axis]).powi(2)).sum::<f32>().sqrt();
                (reference[3] > 0.5).then_some(distance * 1000.0)
            })
        })
    });
    let world: Vec<f32> = world.collect();
    println!("{name}, world: mean {:.2} mm", mean(&world));
    assert!(mean(&world) < 10.0);
    parts
}

/// The limits are the noise that other arithmetic than TFLite's puts into the loop of region, 8-bit crop and landmarks: the
/// last bits of a region decide the rounding of some pixels, and whatever they were, the loop makes the same noise of them.
/// Only bit-identical networks would be without it. Where a score lies at a threshold, it decides: in frame 8 of the squats
/// the reference's left hand has a presence of 0.529, and 0.1 px of noise in its region moves that by 0.024 (standard
/// deviation).
#[test]
fn moving_people_agree_with_mediapipe() {
    let mut frames = 0;
    let mut differing = [0; 4];
    for name in ["avatar", "squats"] {
        let Some(clip) = Clip::open(name) else { return };
        let parts = compare(name, &clip, [0.6, 0.6, 0.12]);
        frames += clip.len();
        for (sum, (_, _, count)) in differing.iter_mut().zip(parts) {
            *sum += count;
        }
    }
    for ((part, ..), differing) in parts().into_iter().zip(differing) {
        assert!(
            differing * 100 <= frames * 2,
            "presence of the {part} differs in {differing} of {frames} frames"
        );
    }
}

#[test]
fn a_portrait_agrees_with_mediapipe() {
    let Some(clip) = Clip::open("astronaut") else { return };
    let parts = compare("astronaut", &clip, [0.1, 0.1, 0.05]);
    assert!(parts.iter().all(|(_, _, differing)| *differing == 0), "{parts:?}");
}

#[test]
fn a_drawn_person_agrees_with_mediapipe() {
    let parts = compare("drawn person", &Clip::drawn(), [0.6, 0.6, 0.12]);
    assert!(parts.iter().all(|(_, _, differing)| *differing == 0), "{parts:?}");
}

/// Parts that do not run are absent and change nothing about the others.
#[test]
fn the_body_is_the_same_without_hands_and_face() {
    let clip = Clip::drawn();
    let mut whole = tracker(Parts::ALL);
    let mut body = tracker(Parts { hands: false, face: false });
    for index in 0..5 {
        let picture = clip.picture(index);
        let time = index as i64 * FRAME_TIME;
        let whole = whole.process(&picture.frame(), time, &Cancel::new()).expect("not cancelled");
        let body = body.process(&picture.frame(), time, &Cancel::new()).expect("not cancelled");
        assert!(whole.keypoints.is_present(LEFT_HAND) && whole.keypoints.is_present(FACE));
        assert_eq!(whole.keypoints.part(POSE), body.keypoints.part(POSE));
        assert!(body.keypoints.part(POSE.end..COUNT).iter().all(|landmark| landmark[0].is_nan()));
    }
}
