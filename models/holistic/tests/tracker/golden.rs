//! Landmarks of whole clips against MediaPipe's. `src/tests/stages.rs` compares what happens in between.

use std::ops::Range;

use dactyl_holistic::keypoints::{COUNT, FACE, LEFT_HAND, POSE, RIGHT_HAND};
use dactyl_holistic::{Cancel, Frame, Instructions, Parts};

use crate::reference::Clip;
use crate::{tracker, tracker_on};

/// MediaPipe's Python solution steps its filters by this many microseconds a frame.
const FRAME_TIME: i64 = 33_333;

fn track(instructions: Instructions, clip: &Clip) -> Vec<Frame> {
    let mut tracker = tracker_on(instructions, Parts::HOLISTIC);
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

/// Compares a clip on every kind of vectors that the processor has.
fn compare(name: &str, clip: &Clip) {
    for instructions in Instructions::all() {
        // Without vectors a frame takes seconds; that its sums are the same, the kernels' own tests show.
        if instructions != Instructions::Scalar {
            compare_on(instructions, &format!("{name} on {instructions:?}"), clip);
        }
    }
}

/// Every part is there in the same frames, and no landmark lies elsewhere. A deviation of one bit in a
/// region changes how some pixels are rounded, and the loop of region, 8-bit crop and landmarks makes tenths of a pixel
/// of it; so nothing but the same bits in every step comes near this.
fn compare_on(instructions: Instructions, name: &str, clip: &Clip) {
    let frames = track(instructions, clip);
    for (part, range) in
        [("pose", POSE), ("left hand", LEFT_HAND), ("right hand", RIGHT_HAND), ("face", FACE)]
    {
        let found = |index: usize| frames[index].keypoints.is_present(range.clone());
        let expected = |index: usize| !clip.landmarks[[index, range.start, 0]].is_nan();
        let frames_differing: Vec<_> =
            (0..clip.len()).filter(|&index| found(index) != expected(index)).collect();
        println!("{name}, {part}: presence differs in frames {frames_differing:?} of {}", clip.len());
        let distances = distances(clip, &frames, range.clone());
        if distances.is_empty() {
            continue;
        }
        let (mean, p99) = (mean(&distances), distances[distances.len() * 99 / 100]);
        let points = distances.len();
        println!("{name}, {part}: mean {mean:.3} px, 99th percentile {p99:.3} px, {points} points");
        assert_eq!(frames_differing, [0; 0], "{name}: presence of the {part}");
        let greatest = distances.last().copied().unwrap_or_default();
        assert!(greatest < 1e-4, "{name}: a landmark of the {part} lies {greatest} px from MediaPipe's");
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
    assert!(world.iter().all(|distance| *distance < 1e-3), "{name}: world landmarks");
}

#[test]
fn moving_people_agree_with_mediapipe() {
    for name in ["avatar", "squats"] {
        let Some(clip) = Clip::open(name) else { return };
        compare(name, &clip);
    }
}

#[test]
fn a_portrait_agrees_with_mediapipe() {
    let Some(clip) = Clip::open("astronaut") else { return };
    compare("astronaut", &clip);
}

#[test]
fn a_drawn_person_agrees_with_mediapipe() {
    compare("drawn person", &Clip::drawn());
}

/// Parts that do not run are absent and change nothing about the others.
#[test]
fn the_body_is_the_same_without_hands_and_face() {
    let clip = Clip::drawn();
    let mut whole = tracker(Parts::HOLISTIC);
    let mut body = tracker(Parts { hands: false, hands_alone: false, face: false });
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
