//! The face: region from the body, detection, choice between it and the last frame's face, 468 landmarks.

use std::sync::LazyLock;

use crate::functions::sin_cos;
use crate::keypoints::Landmark;
use dactyl_kernels::{Cancel, RunError};

use crate::crop::{Border, Cutout, Range, cut};
use crate::detection::{Detector, Layer, anchors};
use crate::frame::RgbFrame;
use crate::landmarks::{project, sigmoid};
use crate::networks::FaceNetworks;
use crate::pose::BODY;
use crate::region::{PictureSize, Point, Region, TrackingLimits, Transform};
use crate::scratch::{self, Scratch};

/// Landmarks of a face.
pub(crate) const FACE: usize = 468;
/// Side of the detector's input.
const DETECTOR_SIDE: usize = 128;
/// Side of the landmark network's input.
const SIDE: usize = 192;
/// Score from which a detection counts.
const MIN_SCORE: f32 = 0.5;
/// Probability that a face must exceed.
const MIN_PRESENCE: f32 = 0.5;
/// Body landmarks of the head: nose, eyes, ears, mouth.
const HEAD: std::ops::Range<usize> = 0..11;
/// Body landmarks of the right and the left eye.
const BODY_EYES: [usize; 2] = [5, 2];
/// Face landmarks of the outer corners of the right and the left eye.
const EYES: [usize; 2] = [33, 263];

const DETECTOR_LAYERS: [Layer; 2] = [Layer { stride: 8, anchors: 2 }, Layer { stride: 16, anchors: 6 }];
const FROM_POSE: Transform = Transform { shift_y: 0.0, scale: 3.0 };
const FROM_DETECTION: Transform = Transform { shift_y: -0.1, scale: 2.0 };
const FROM_LANDMARKS: Transform = Transform { shift_y: 0.0, scale: 1.5 };
const LIMITS: TrackingLimits =
    TrackingLimits { rotation_degrees: 15.0, translation: 0.1, scale: 0.3, margin: 0.2 };

/// What happened on the way to the face landmarks; `None` where a step did not run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaceTrace {
    /// Region that the body gave.
    pub region_from_pose: Option<Region>,
    /// Score of the best detection in it.
    pub detection_score: Option<f32>,
    /// Region that the detection gave.
    pub region_from_detection: Option<Region>,
    /// Region that the last frame's landmarks gave.
    pub region_from_previous: Option<Region>,
    /// Region that the landmark network looked at.
    pub region: Option<Region>,
    /// Probability that a face is there.
    pub presence: Option<f32>,
}

/// Anchors of the detector.
static ANCHORS: LazyLock<Vec<Point>> = LazyLock::new(|| anchors(DETECTOR_SIDE, &DETECTOR_LAYERS));

/// One frame, with what the face needs of it.
pub(crate) struct FaceInput<'a> {
    pub frame: &'a RgbFrame<'a>,
    pub picture: PictureSize,
    /// The body, unless the face is followed without it.
    pub body: Option<&'a [Landmark; BODY]>,
    /// The face in the last frame.
    pub previous: Option<&'a [Landmark; FACE]>,
    pub networks: &'a FaceNetworks,
    pub cancel: &'a Cancel,
}

/// Finds or follows the face; without a body it is followed where it was.
pub(crate) fn track(
    input: &FaceInput<'_>,
    trace: &mut FaceTrace,
) -> Result<Option<[Landmark; FACE]>, RunError> {
    let picture = input.picture;
    let previous = input.previous.map(|landmarks| {
        let eyes = EYES.map(|index| flat(&landmarks[index]));
        let region = Region::from_landmarks(landmarks.iter().map(flat), eyes, picture);
        (region.transformed(FROM_LANDMARKS, picture), landmarks)
    });
    let found = match input.body {
        Some(body) => find(input, body, trace)?,
        None => None,
    };
    let region = match (found, &previous) {
        (Some(found), Some((region, points)))
            if found.confirms(region, points.iter().map(flat), &LIMITS, picture) =>
        {
            *region
        }
        (Some(found), _) => found,
        (None, Some((region, _))) if input.body.is_none() => *region,
        (None, _) => return Ok(None),
    };
    trace.region_from_previous = previous.map(|(region, _)| region);
    trace.region = Some(region);
    landmarks(input, &region, trace)
}

/// The face's region, found from the head of the body; `None` if the detector sees no face there.
fn find(
    input: &FaceInput<'_>,
    body: &[Landmark; BODY],
    trace: &mut FaceTrace,
) -> Result<Option<Region>, RunError> {
    let picture = input.picture;
    let eyes = BODY_EYES.map(|index| flat(&body[index]));
    let head =
        Region::from_landmarks(body[HEAD].iter().map(flat), eyes, picture).transformed(FROM_POSE, picture);
    trace.region_from_pose = Some(head);
    let found = detect(input, &head, trace)?;
    trace.region_from_detection = found;
    Ok(found)
}

/// The face's region within that of the head.
fn detect(input: &FaceInput<'_>, head: &Region, trace: &mut FaceTrace) -> Result<Option<Region>, RunError> {
    let picture = input.picture;
    let cutout = Cutout::letterboxed(head, picture);
    let detector = Detector {
        network: &input.networks.detection,
        side: DETECTOR_SIDE,
        range: Range::Symmetric,
        anchors: &ANCHORS,
        row: 16,
        min_score: MIN_SCORE,
    };
    let found = detector.best(input.frame, &cutout, input.cancel)?;
    trace.detection_score = found.as_ref().map(|found| found.score);
    Ok(found.map(|found| {
        let points: Vec<Point> =
            found.keypoints.iter().map(|point| on_picture(*point, &cutout, picture)).collect();
        Region::from_keypoints(&points, [points[0], points[1]], picture).transformed(FROM_DETECTION, picture)
    }))
}

/// A point of the padded tensor on the picture: MediaPipe multiplies it with a matrix of float32 whose offsets hold the
/// half by which it lies from the centre.
fn on_picture([x, y]: Point, cutout: &Cutout, picture: PictureSize) -> Point {
    let (sin, cos) = sin_cos(cutout.rotation);
    let ([width, height], [center_x, center_y]) = (cutout.size, cutout.center);
    let (per_column, per_row) = (1.0 / picture.width, 1.0 / picture.height);
    let offset_x = (-0.5 * width * cos + 0.5 * height * sin + center_x) * per_column;
    let offset_y = (-0.5 * height * cos - 0.5 * width * sin + center_y) * per_row;
    [
        x * (width * cos * per_column) + y * (-height * sin * per_column) + offset_x,
        x * (width * sin * per_row) + y * (height * cos * per_row) + offset_y,
    ]
}

/// The landmarks in `region`; `None` if the face is not there.
pub(crate) fn landmarks(
    input: &FaceInput<'_>,
    region: &Region,
    trace: &mut FaceTrace,
) -> Result<Option<[Landmark; FACE]>, RunError> {
    let cutout = Cutout::stretched(region, input.picture);
    let (mut raw, mut logit) = ([0.0; FACE * 3], [0.0]);
    scratch::with(|Scratch { tensor, .. }| {
        let tensor = &mut tensor[..SIDE * SIDE * 3];
        cut(input.frame, &cutout, SIDE, Range::Unit, Border::Replicate, tensor);
        input.networks.landmark.run(&[tensor], &mut [&mut raw, &mut logit], input.cancel)
    })?;
    let presence = sigmoid(logit[0]);
    trace.presence = Some(presence);
    if presence <= MIN_PRESENCE || presence.is_nan() {
        return Ok(None);
    }
    let side = SIDE as f32;
    let (rows, _) = raw.as_chunks::<3>();
    let mut landmarks: [Landmark; FACE] = std::array::from_fn(|index| {
        let [x, y, z] = rows[index];
        [x / side, y / side, z / side, 0.0]
    });
    project(&mut landmarks, region);
    Ok(Some(landmarks))
}

fn flat(landmark: &Landmark) -> Point {
    [landmark[0], landmark[1]]
}
