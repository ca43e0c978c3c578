//! The body: detection, 33 landmarks, smoothing, the next frame's region.

use std::sync::LazyLock;

use crate::functions::sin_cos;
use crate::keypoints::Landmark;
use dactyl_kernels::{Cancel, RunError};

use crate::crop::{Border, Cutout, Range, cut};
use crate::detection::{Detection, Detector, Layer, anchors};
use crate::filters::{LandmarkSmoother, OneEuro, VisibilitySmoother};
use crate::frame::RgbFrame;
use crate::landmarks::{project, refine, remove_padding, sigmoid};
use crate::networks::Networks;
use crate::options::Options;
use crate::region::{PictureSize, Point, Region, Transform, UP};
use crate::scratch::{self, Scratch};

/// Body landmarks.
pub(crate) const BODY: usize = 33;
/// Rows of the network's output: body, two auxiliary landmarks, four that nobody reads.
const ROWS: usize = 39;
/// Side of the detector's input.
const DETECTOR_SIDE: usize = 224;
/// Side of the landmark network's input.
const SIDE: usize = 256;
/// Side of the heatmaps.
const HEATMAP_SIDE: usize = 64;

const DETECTOR_LAYERS: [Layer; 3] =
    [Layer { stride: 8, anchors: 2 }, Layer { stride: 16, anchors: 2 }, Layer { stride: 32, anchors: 6 }];
const ENLARGED: Transform = Transform { shift_y: 0.0, scale: 1.25 };

const BODY_FILTER: OneEuro = OneEuro { min_cutoff: 0.05, beta: 80.0, derivative_cutoff: 1.0 };
pub(crate) const AUXILIARY_FILTER: OneEuro = OneEuro { min_cutoff: 0.01, beta: 10.0, derivative_cutoff: 1.0 };
const WORLD_FILTER: OneEuro = OneEuro { min_cutoff: 0.1, beta: 40.0, derivative_cutoff: 1.0 };

/// What the pose keeps from frame to frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PoseState {
    /// Where the person is expected; `None` after a frame without one.
    pub region: Option<Region>,
    body: LandmarkSmoother<BODY>,
    auxiliary: LandmarkSmoother<2>,
    // The three below outlive a loss of the person, as in the original.
    world: LandmarkSmoother<BODY>,
    body_visibility: VisibilitySmoother<BODY>,
    world_visibility: VisibilitySmoother<BODY>,
}

/// A person's body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pose {
    /// On the picture, smoothed.
    pub body: [Landmark; BODY],
    /// Metres from the middle of the hips, smoothed.
    pub world: [Landmark; BODY],
}

/// What happened on the way to the body landmarks; `None` where a step did not run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PoseTrace {
    /// Score of the best detection.
    pub detection_score: Option<f32>,
    /// Region that the detection gave.
    pub region_from_detection: Option<Region>,
    /// Region that the landmark network looked at.
    pub region: Option<Region>,
    /// Probability that a person is there.
    pub presence: Option<f32>,
    /// Auxiliary landmarks before smoothing.
    pub auxiliary: Option<[Landmark; 2]>,
    /// The next frame's region.
    pub next_region: Option<Region>,
}

/// Anchors of the detector.
static ANCHORS: LazyLock<Vec<Point>> = LazyLock::new(|| anchors(DETECTOR_SIDE, &DETECTOR_LAYERS));

/// One frame, with what it needs.
pub(crate) struct PoseInput<'a> {
    pub frame: &'a RgbFrame<'a>,
    pub picture: PictureSize,
    /// Microseconds.
    pub time: i64,
    pub networks: &'a Networks,
    pub options: &'a Options,
    pub cancel: &'a Cancel,
}

/// Finds or follows the person. `state` is left half changed by an error: the caller gives a copy.
pub(crate) fn track(
    input: &PoseInput<'_>,
    state: &mut PoseState,
    trace: &mut PoseTrace,
) -> Result<Option<Pose>, RunError> {
    let pose = match state.region.take() {
        Some(region) => landmarks(input, &region, state, trace)?,
        None => match detect(input, trace)? {
            Some(region) => landmarks(input, &region, state, trace)?,
            None => None,
        },
    };
    if pose.is_none() {
        state.body = LandmarkSmoother::default();
        state.auxiliary = LandmarkSmoother::default();
    }
    Ok(pose)
}

/// The region of the most certain person on the whole picture.
fn detect(input: &PoseInput<'_>, trace: &mut PoseTrace) -> Result<Option<Region>, RunError> {
    let cutout = Cutout::whole(input.picture);
    let detector = Detector {
        network: &input.networks.pose_detection,
        side: DETECTOR_SIDE,
        range: Range::Symmetric,
        anchors: &ANCHORS,
        row: 12,
        min_score: input.options.min_detection_confidence,
    };
    let found = detector.best(input.frame, &cutout, input.cancel)?;
    let region = found.as_ref().map(|found| region_of(found, &cutout, input.picture));
    trace.detection_score = found.map(|found| found.score);
    trace.region_from_detection = region;
    Ok(region)
}

/// The first two keypoints: middle of the hips, and a point whose distance and direction give the body's.
fn region_of(found: &Detection, cutout: &Cutout, picture: PictureSize) -> Region {
    let [center, end] = [0, 1].map(|index| {
        let [x, y] = found.keypoints[index];
        let mut point = [x, y, 0.0, 0.0];
        remove_padding(&mut point, cutout);
        [point[0], point[1]]
    });
    Region::from_alignment(center, end, UP, picture).transformed(ENLARGED, picture)
}

/// The landmarks in `region`, and the next region in `state`; `None` if the person is not there.
fn landmarks(
    input: &PoseInput<'_>,
    region: &Region,
    state: &mut PoseState,
    trace: &mut PoseTrace,
) -> Result<Option<Pose>, RunError> {
    let picture = input.picture;
    let cutout = Cutout::letterboxed(region, picture);
    let mut raw = [0.0; ROWS * 5];
    let mut presence = [0.0];
    let mut raw_world = [0.0; ROWS * 3];
    let mut all = [[0.0; 4]; ROWS];
    let is_there = scratch::with(|Scratch { tensor, large, .. }| {
        let heatmaps = &mut large[..HEATMAP_SIDE * HEATMAP_SIDE * ROWS];
        cut(input.frame, &cutout, SIDE, Range::Unit, Border::Replicate, tensor);
        let outputs = &mut [raw.as_mut_slice(), &mut presence, heatmaps, &mut raw_world];
        input.networks.pose_landmark.run(&[tensor], outputs, input.cancel)?;
        if presence[0] <= input.options.min_tracking_confidence || presence[0].is_nan() {
            return Ok(false);
        }
        let side = SIDE as f32;
        let (rows, _) = raw.as_chunks::<5>();
        for (landmark, [x, y, z, visibility, _]) in all.iter_mut().zip(rows) {
            *landmark = [x / side, y / side, z / side, sigmoid(*visibility)];
        }
        refine(&mut all, heatmaps, ROWS);
        Ok::<_, RunError>(true)
    })?;
    trace.region = Some(*region);
    trace.presence = Some(presence[0]);
    if !is_there {
        return Ok(None);
    }
    for landmark in &mut all {
        remove_padding(landmark, &cutout);
    }
    project(&mut all, region);
    let mut body: [Landmark; BODY] = std::array::from_fn(|index| all[index]);
    let mut auxiliary: [Landmark; 2] = std::array::from_fn(|index| all[BODY + index]);
    let mut world = world_landmarks(&raw_world, &body, region.rotation);
    trace.auxiliary = Some(auxiliary);

    let object = alignment(&auxiliary, picture).pixel_size(picture);
    state.auxiliary.smooth_normalised(&mut auxiliary, input.time, object, picture, &AUXILIARY_FILTER);
    state.region = Some(alignment(&auxiliary, picture).transformed(ENLARGED, picture));
    trace.next_region = state.region;
    state.body_visibility.smooth(&mut body);
    state.body.smooth_normalised(&mut body, input.time, object, picture, &BODY_FILTER);
    state.world_visibility.smooth(&mut world);
    state.world.smooth(&mut world, input.time, 1.0, &WORLD_FILTER);
    Ok(Some(Pose { body, world }))
}

fn alignment(auxiliary: &[Landmark; 2], picture: PictureSize) -> Region {
    let [center, end] = auxiliary.map(|[x, y, ..]| [x, y]);
    Region::from_alignment(center, end, UP, picture)
}

/// World landmarks turned from the crop's direction to the picture's.
fn world_landmarks(raw: &[f32; ROWS * 3], body: &[Landmark; BODY], rotation: f32) -> [Landmark; BODY] {
    let (sin, cos) = sin_cos(rotation);
    let (rows, _) = raw.as_chunks::<3>();
    std::array::from_fn(|index| {
        let [x, y, z] = rows[index];
        [cos * x - sin * y, sin * x + cos * y, z, body[index][3]]
    })
}
