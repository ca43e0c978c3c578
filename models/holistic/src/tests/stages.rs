//! Every stage on its own against MediaPipe: it is given what MediaPipe gave to it, so that nothing builds up.
//!
//! Everything agrees to the last bit but the logistic function at the end of the hand network, which does to 1e-6.

use serde_json::Value;

use super::{Clip, FRAME_TIME, networks};
use crate::face::{self, FACE, FaceInput, FaceTrace};
use crate::filters::LandmarkSmoother;
use crate::frame::RgbFrame;
use crate::hands::{self, HAND, HandInput, HandTrace, Side};
use crate::keypoints::{FACE as FACE_RANGE, LEFT_HAND, Landmark, POSE, RIGHT_HAND};
use crate::options::Options;
use crate::pose::{self, BODY, PoseInput, PoseState, PoseTrace};
use crate::region::{DOWN, PictureSize, Point, Region, Transform, UP};
use dactyl_kernels::Cancel;

const CLIPS: [&str; 3] = ["avatar", "squats", "astronaut"];
/// Share, pixels of an input tensor, metres or probability by which a number may differ.
const SAME: f32 = 1e-6;

/// The largest of the deviations of one quantity, for the output of the test.
struct Largest {
    name: &'static str,
    limit: f32,
    found: f32,
    place: String,
    count: usize,
}

impl Largest {
    fn new(name: &'static str, limit: f32) -> Self {
        Self { name, limit, found: 0.0, place: String::new(), count: 0 }
    }

    fn add(&mut self, deviation: f32, place: &str) {
        if deviation.is_nan() || deviation > self.found {
            (self.found, self.place) = (deviation, place.to_owned());
        }
        self.count += 1;
    }

    fn region(&mut self, found: &Region, reference: &Region, place: &str) {
        let values = |region: &Region| [region.x, region.y, region.width, region.height, region.rotation];
        for (found, reference) in values(found).into_iter().zip(values(reference)) {
            // Relative, but not to a number that happens to lie near 0.
            self.add((found - reference).abs() / reference.abs().max(0.1), place);
        }
    }

    /// Points, in pixels of a tensor of `side` pixels that shows `region`.
    fn points<'a>(
        &mut self,
        points: impl Iterator<Item = (&'a Landmark, &'a Landmark)>,
        region: &Region,
        side: usize,
        place: &str,
    ) {
        for (found, reference) in points {
            let x = (found[0] - reference[0]) / region.width;
            let y = (found[1] - reference[1]) / region.height;
            self.add(x.hypot(y) * side as f32, place);
        }
    }

    fn finish(self) {
        let Self { name, limit, found, place, count } = self;
        println!("{name}: {count} values, largest deviation {found:.2e} ({place})");
        assert!(count > 0, "{name} was never compared");
        assert!(found <= limit, "{place}: {name} deviates by {found:e}, not {limit:e}");
    }
}

/// `[cx, cy, w, h, rotation]` or null.
fn region(value: &Value) -> Option<Region> {
    let numbers: Option<[f32; 5]> = serde_json::from_value(value.clone()).expect("a region or null");
    numbers.map(|[x, y, width, height, rotation]| Region { x, y, width, height, rotation })
}

/// A list of points of two or four numbers, or null.
fn points(value: &Value) -> Option<Vec<Landmark>> {
    let points: Option<Vec<Vec<f32>>> = serde_json::from_value(value.clone()).expect("points or null");
    Some(
        points?
            .iter()
            .map(|point| std::array::from_fn(|axis| point.get(axis).copied().unwrap_or(0.0)))
            .collect(),
    )
}

fn flat(landmark: Landmark) -> Point {
    [landmark[0], landmark[1]]
}

/// The reference's landmarks of one part of a frame; `None` where it is absent.
fn part<const N: usize>(clip: &Clip, frame: usize, start: usize) -> Option<[Landmark; N]> {
    let landmark = |index| std::array::from_fn(|value| clip.landmarks[[frame, start + index, value]]);
    let part: [Landmark; N] = std::array::from_fn(landmark);
    (!part[0][0].is_nan()).then_some(part)
}

/// Calls `test` with every frame of every clip; false where there are none.
fn for_each_frame(mut test: impl FnMut(&Clip, usize, &RgbFrame<'_>, &str)) {
    for name in CLIPS {
        let Some(clip) = Clip::open(name) else { return };
        for index in 0..clip.len() {
            let picture = clip.picture(index);
            test(&clip, index, &picture.frame(), &format!("{name}, frame {index}"));
        }
    }
}

#[test]
fn a_detected_person_agrees_with_mediapipe() {
    let networks = networks();
    for name in CLIPS {
        let Some(clip) = Clip::open(name) else { return };
        let picture = clip.picture(0);
        let frame = picture.frame();
        let options = Options::default();
        let mut state = PoseState::default();
        let mut trace = PoseTrace::default();
        let input = PoseInput {
            frame: &frame,
            picture: PictureSize::new(frame.width, frame.height),
            time: FRAME_TIME,
            networks: &networks,
            options: &options,
            cancel: &Cancel::new(),
        };
        pose::track(&input, &mut state, &mut trace).expect("not cancelled");
        let stages = &clip.stages[0];
        let score = stages["pose_detection"]["score"].as_f64().expect("detected") as f32;
        let found_score = trace.detection_score.expect("detected");
        assert!((found_score - score).abs() < 1e-5, "{name}: score {found_score} instead of {score}");
        // The detector looks at the whole picture: its pixels are several of the picture's.
        let mut largest = Largest::new("region of the detected person", SAME);
        let found = trace.region_from_detection.expect("detected");
        largest.region(&found, &region(&stages["pose_roi_from_detection"]).expect("detected"), name);
        // The region from MediaPipe's own two points.
        let [center, end] =
            [0, 1].map(|index| flat(points(&stages["pose_detection"]["kp"]).expect("detected")[index]));
        let from_points = Region::from_alignment(center, end, UP, input.picture)
            .transformed(Transform { shift_y: 0.0, scale: 1.25 }, input.picture);
        let mut exact = Largest::new("region from the detection's points", SAME);
        exact.region(&from_points, &region(&stages["pose_roi_from_detection"]).expect("detected"), name);
        largest.finish();
        exact.finish();
    }
}

/// The landmark network, the heatmaps' refinement and the projection on MediaPipe's regions; the filters then run over
/// what comes out of these, so that body and world landmarks can be compared too.
#[test]
fn the_pose_in_given_regions_agrees_with_mediapipe() {
    let networks = networks();
    let options = Options::default();
    let mut state = PoseState::default();
    let mut auxiliary = Largest::new("auxiliary landmarks, tensor px", SAME);
    let mut body = Largest::new("body landmarks, tensor px", SAME);
    let mut depth = Largest::new("depth of the body, tensor px", SAME);
    let mut visibility = Largest::new("visibility", SAME);
    let mut world = Largest::new("world landmarks, m", SAME);
    let mut presence = Largest::new("pose presence", SAME);
    let mut next = Largest::new("next region", SAME);
    for_each_frame(|clip, index, frame, place| {
        if index == 0 {
            state = PoseState::default();
        }
        let stages = &clip.stages[index];
        let given = region(&stages["pose_roi"]).expect("a person in every frame");
        state.region = Some(given);
        let mut trace = PoseTrace::default();
        let input = PoseInput {
            frame,
            picture: PictureSize::new(frame.width, frame.height),
            time: (index as i64 + 1) * FRAME_TIME,
            networks: &networks,
            options: &options,
            cancel: &Cancel::new(),
        };
        let found = pose::track(&input, &mut state, &mut trace).expect("not cancelled");
        let found = found.expect("a person in every frame");
        let reference = stages["pose_presence"].as_f64().expect("ran") as f32;
        presence.add((trace.presence.expect("ran") - reference).abs(), place);
        let reference = points(&stages["aux_unfiltered"]).expect("ran");
        auxiliary.points(trace.auxiliary.iter().flatten().zip(&reference), &given, 256, place);
        next.region(
            &trace.next_region.expect("ran"),
            &region(&stages["pose_landmarks_roi"]).expect("ran"),
            place,
        );
        let reference: [Landmark; BODY] = part(clip, index, POSE.start).expect("in every frame");
        body.points(found.body.iter().zip(&reference), &given, 256, place);
        for (found, reference) in found.body.iter().zip(&reference) {
            depth.add((found[2] - reference[2]).abs() / given.width * 256.0, place);
            visibility.add((found[3] - reference[3]).abs(), place);
        }
        for (landmark, found) in found.world.iter().enumerate() {
            for (axis, found) in found[..3].iter().enumerate() {
                world.add((found - clip.world[[index, landmark, axis]]).abs(), place);
            }
        }
    });
    if body.count > 0 {
        for largest in [auxiliary, body, depth, visibility, world, presence, next] {
            largest.finish();
        }
    }
}

/// MediaPipe's points before the filter give its points after the filter, and these its next region.
#[test]
fn filters_and_next_region_on_given_points_are_mediapipe_s() {
    let mut smoother = LandmarkSmoother::<2>::default();
    let mut smoothed = Largest::new("filtered auxiliary landmarks", SAME);
    let mut next = Largest::new("next region from filtered landmarks", SAME);
    for_each_frame(|clip, index, frame, place| {
        if index == 0 {
            smoother = LandmarkSmoother::default();
        }
        let picture = PictureSize::new(frame.width, frame.height);
        let stages = &clip.stages[index];
        let given = points(&stages["aux_unfiltered"]).expect("a person in every frame");
        let mut found = [given[0], given[1]];
        let alignment =
            |points: &[Landmark]| Region::from_alignment(flat(points[0]), flat(points[1]), UP, picture);
        let object = alignment(&found).pixel_size(picture);
        let time = (index as i64 + 1) * FRAME_TIME;
        smoother.smooth_normalised(&mut found, time, object, picture, &pose::AUXILIARY_FILTER);
        let reference = points(&stages["aux_filtered"]).expect("a person in every frame");
        for (found, reference) in found.iter().zip(&reference) {
            for (found, reference) in found[..3].iter().zip(reference) {
                smoothed.add((found - reference).abs() / reference.abs().max(0.1), place);
            }
        }
        let found = alignment(&reference).transformed(Transform { shift_y: 0.0, scale: 1.25 }, picture);
        next.region(&found, &region(&stages["pose_landmarks_roi"]).expect("ran"), place);
        if index > 0 {
            let before = &clip.stages[index - 1]["pose_landmarks_roi"];
            assert_eq!(&stages["pose_roi"], before, "{place}: another region than the last frame left");
        }
    });
    if smoothed.count > 0 {
        for largest in [smoothed, next] {
            largest.finish();
        }
    }
}

/// MediaPipe's body and its hand of the last frame give its regions and its choice; its regions give what its re-crop
/// and hand networks see.
#[test]
fn hands_in_given_regions_agree_with_mediapipe() {
    let networks = networks();
    let networks = networks.hands.as_ref().expect("all parts");
    let mut from_pose = Largest::new("hand region from the pose", SAME);
    let mut recrop_points = Largest::new("re-crop points, tensor px", SAME);
    let mut from_points = Largest::new("hand region from re-crop points", SAME);
    let mut from_previous = Largest::new("hand region from the last frame", SAME);
    let mut presence = Largest::new("hand presence", SAME);
    let mut landmarks = Largest::new("hand landmarks, tensor px", SAME);
    let mut depth = Largest::new("depth of the hand, tensor px", SAME);
    for_each_frame(|clip, index, frame, place| {
        let picture = PictureSize::new(frame.width, frame.height);
        let body: [Landmark; BODY] = part(clip, index, POSE.start).expect("a person in every frame");
        let sides = [(Side::Left, "left", LEFT_HAND.start), (Side::Right, "right", RIGHT_HAND.start)];
        for (side, name, start) in sides {
            let place = &format!("{place}, {name} hand");
            let stage = |stage: &str| &clip.stages[index][format!("{name}_hand_{stage}")];
            let previous: Option<[Landmark; HAND]> =
                index.checked_sub(1).and_then(|last| part(clip, last, start));
            let (previous, cancel) = (previous.as_ref(), &Cancel::new());
            let input = HandInput { frame, picture, body: Some(&body), previous, networks, cancel };
            let mut trace = HandTrace::default();
            hands::track(&input, side, None, &mut trace).expect("not cancelled");

            let Some(given) = region(stage("roi_from_pose")) else {
                assert_eq!(trace.region_from_pose, None, "{place}: no region was expected");
                continue;
            };
            from_pose.region(&trace.region_from_pose.expect("ran"), &given, place);
            let reference = points(stage("recrop_points")).expect("ran");
            let found = trace.recrop_points.expect("ran").map(|[x, y]| [x, y, 0.0, 0.0]);
            recrop_points.points(found.iter().zip(&reference), &given, 256, place);

            let recropped = region(stage("roi_from_recrop")).expect("ran");
            let found = Region::from_alignment(flat(reference[0]), flat(reference[1]), DOWN, picture)
                .transformed(Transform { shift_y: -0.1, scale: 1.0 }, picture);
            from_points.region(&found, &recropped, place);
            let tracked = region(stage("roi_from_previous_landmarks"));
            assert_eq!(
                trace.region_from_previous.is_some(),
                tracked.is_some(),
                "{place}: the last frame's hand"
            );
            if let Some((found, tracked)) = trace.region_from_previous.as_ref().zip(tracked) {
                from_previous.region(found, &tracked, place);
            }
            let used = region(stage("roi_used")).expect("ran");
            let keeps = trace.region == trace.region_from_previous;
            assert_eq!(keeps, Some(used) == tracked, "{place}: the choice between last frame's and re-crop");

            let mut trace = HandTrace::default();
            let found = hands::landmarks(&input, &used, &mut trace).expect("not cancelled");
            let reference = stage("presence").as_f64().expect("ran") as f32;
            presence.add((trace.presence.expect("ran") - reference).abs(), place);
            let reference: Option<[Landmark; HAND]> = part(clip, index, start);
            assert_eq!(found.is_some(), reference.is_some(), "{place}: presence");
            if let Some((found, reference)) = found.zip(reference) {
                landmarks.points(found.iter().zip(&reference), &used, 224, place);
                for (found, reference) in found.iter().zip(&reference) {
                    // The network's own unit: 0.4 of the region's width.
                    depth.add((found[2] - reference[2]).abs() / used.width * 0.4 * 224.0, place);
                }
            }
        }
    });
    if presence.count > 0 {
        for largest in [from_pose, recrop_points, from_points, from_previous, presence, landmarks, depth] {
            largest.finish();
        }
    }
}

/// As for the hands.
#[test]
fn the_face_in_given_regions_agrees_with_mediapipe() {
    let networks = networks();
    let networks = networks.face.as_ref().expect("all parts");
    let mut from_pose = Largest::new("face region from the pose", SAME);
    let mut from_detection = Largest::new("face region from the detection", SAME);
    let mut from_previous = Largest::new("face region from the last frame", SAME);
    let mut presence = Largest::new("face presence", SAME);
    let mut landmarks = Largest::new("face landmarks, tensor px", SAME);
    let mut depth = Largest::new("depth of the face, tensor px", SAME);
    for_each_frame(|clip, index, frame, place| {
        let picture = PictureSize::new(frame.width, frame.height);
        let body: [Landmark; BODY] = part(clip, index, POSE.start).expect("a person in every frame");
        let stage = |stage: &str| &clip.stages[index][format!("face_{stage}")];
        let previous: Option<[Landmark; FACE]> =
            index.checked_sub(1).and_then(|last| part(clip, last, FACE_RANGE.start));
        let (previous, cancel) = (previous.as_ref(), &Cancel::new());
        let input = FaceInput { frame, picture, body: Some(&body), previous, networks, cancel };
        let mut trace = FaceTrace::default();
        face::track(&input, &mut trace).expect("not cancelled");

        let given = region(stage("roi_from_pose")).expect("a person in every frame");
        from_pose.region(&trace.region_from_pose.expect("ran"), &given, place);
        let detected = region(stage("roi_from_detection"));
        assert_eq!(trace.region_from_detection.is_some(), detected.is_some(), "{place}: detection");
        let Some(detected) = detected else { return };
        from_detection.region(&trace.region_from_detection.expect("just compared"), &detected, place);
        let tracked = region(stage("roi_from_previous_landmarks"));
        assert_eq!(trace.region_from_previous.is_some(), tracked.is_some(), "{place}: the last frame's face");
        if let Some((found, tracked)) = trace.region_from_previous.as_ref().zip(tracked) {
            from_previous.region(found, &tracked, place);
        }
        let used = region(stage("roi_used")).expect("ran");
        let keeps = trace.region == trace.region_from_previous;
        assert_eq!(
            keeps,
            Some(used) == tracked,
            "{place}: the choice between last frame's and detected region"
        );

        let mut trace = FaceTrace::default();
        let found = face::landmarks(&input, &used, &mut trace).expect("not cancelled");
        let reference = stage("presence").as_f64().expect("ran") as f32;
        presence.add((trace.presence.expect("ran") - reference).abs(), place);
        let reference: Option<[Landmark; FACE]> = part(clip, index, FACE_RANGE.start);
        assert_eq!(found.is_some(), reference.is_some(), "{place}: presence");
        if let Some((found, reference)) = found.zip(reference) {
            landmarks.points(found.iter().zip(&reference), &used, 192, place);
            for (found, reference) in found.iter().zip(&reference) {
                depth.add((found[2] - reference[2]).abs() / used.width * 192.0, place);
            }
        }
    });
    if presence.count > 0 {
        for largest in [from_pose, from_detection, from_previous, presence, landmarks, depth] {
            largest.finish();
        }
    }
}
