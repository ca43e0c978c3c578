//! One hand: region from the body, re-crop, choice between it and the last frame's hand, 21 landmarks.

use crate::keypoints::Landmark;
use dactyl_kernels::{Cancel, RunError};

use crate::crop::{Border, Cutout, Range, cut};
use crate::frame::RgbFrame;
use crate::landmarks::{project, remove_padding};
use crate::networks::HandNetworks;
use crate::pose::BODY;
use crate::region::{DOWN, PictureSize, Point, Region, TrackingLimits, Transform};
use crate::scratch::{self, Scratch};

/// Landmarks of a hand.
pub(crate) const HAND: usize = 21;
/// Side of the re-crop network's input.
const RECROP_SIDE: usize = 256;
/// Side of the landmark network's input.
const SIDE: usize = 224;
/// Smoothed visibility that the wrist must exceed.
const MIN_WRIST_VISIBILITY: f32 = 0.1;
/// Probability that a hand must exceed.
const MIN_PRESENCE: f32 = 0.5;
/// The network gives depth in units of this share of its width.
const DEPTH_SHARE: f32 = 0.4;

const FROM_POSE: Transform = Transform { shift_y: -0.1, scale: 2.7 };
const FROM_RECROP: Transform = Transform { shift_y: -0.1, scale: 1.0 };
const FROM_LANDMARKS: Transform = Transform { shift_y: -0.1, scale: 2.0 };
const LIMITS: TrackingLimits =
    TrackingLimits { rotation_degrees: 40.0, translation: 0.2, scale: 0.4, margin: 0.1 };

/// The person's left or right hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

impl Side {
    /// Body landmarks: wrist, little finger, index finger.
    fn body(self) -> [usize; 3] {
        match self {
            Self::Left => [15, 17, 19],
            Self::Right => [16, 18, 20],
        }
    }
}

/// What happened on the way to a hand's landmarks; `None` where a step did not run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HandTrace {
    /// Region that the body gave.
    pub region_from_pose: Option<Region>,
    /// The re-crop network's two points on the picture.
    pub recrop_points: Option<[Point; 2]>,
    /// Region that the re-crop network gave.
    pub region_from_recrop: Option<Region>,
    /// Region that the last frame's landmarks gave.
    pub region_from_previous: Option<Region>,
    /// Region that the landmark network looked at.
    pub region: Option<Region>,
    /// Probability that a hand is there.
    pub presence: Option<f32>,
    /// Probability that it looks like a right hand, in a picture that is not mirrored.
    pub handedness: Option<f32>,
}

/// One frame, with what a hand needs of it.
pub(crate) struct HandInput<'a> {
    pub frame: &'a RgbFrame<'a>,
    pub picture: PictureSize,
    /// The body, unless the hand is followed without it.
    pub body: Option<&'a [Landmark; BODY]>,
    /// The hand in the last frame.
    pub previous: Option<&'a [Landmark; HAND]>,
    pub networks: &'a HandNetworks,
    pub cancel: &'a Cancel,
}

impl HandInput<'_> {
    /// Where the last frame's landmarks say that the hand is now, and these landmarks.
    pub(crate) fn expected(&self) -> Option<(Region, [Point; HAND])> {
        self.previous.map(|landmarks| {
            let points = landmarks.each_ref().map(flat);
            let region = Region::from_hand(&points, self.picture);
            (region.transformed(FROM_LANDMARKS, self.picture), points)
        })
    }
}

/// A hand that was looked for where the last frame's landmarks say, before the body was known.
pub(crate) struct Guess {
    region: Region,
    presence: Option<f32>,
    handedness: Option<f32>,
    landmarks: Option<[Landmark; HAND]>,
}

/// Looks for the hand where it is expected; nothing without one in the last frame. The body of `input` is not read.
pub(crate) fn guess(input: &HandInput<'_>) -> Result<Option<Guess>, RunError> {
    let Some((region, _)) = input.expected() else { return Ok(None) };
    let mut trace = HandTrace::default();
    let landmarks = landmarks(input, &region, &mut trace)?;
    Ok(Some(Guess { region, presence: trace.presence, handedness: trace.handedness, landmarks }))
}

/// Finds or follows one hand; without a body it is followed where it was. `guess` saves the last step if it looked at the
/// right place.
pub(crate) fn track(
    input: &HandInput<'_>,
    side: Side,
    guess: Option<&Guess>,
    trace: &mut HandTrace,
) -> Result<Option<[Landmark; HAND]>, RunError> {
    let picture = input.picture;
    let previous = input.expected();
    let found = match input.body {
        Some(body) => find(input, side, body, trace)?,
        None => None,
    };
    let region = match (found, &previous) {
        (Some(found), Some((region, points)))
            if found.confirms(region, points.iter().copied(), &LIMITS, picture) =>
        {
            *region
        }
        (Some(found), _) => found,
        (None, Some((region, _))) if input.body.is_none() => *region,
        (None, _) => return Ok(None),
    };
    trace.region_from_previous = previous.map(|(region, _)| region);
    trace.region = Some(region);
    match guess {
        Some(guess) if guess.region == region => {
            (trace.presence, trace.handedness) = (guess.presence, guess.handedness);
            Ok(guess.landmarks)
        }
        _ => landmarks(input, &region, trace),
    }
}

/// The hand's region, found from the body; `None` if the wrist is hidden or the hand out of the picture.
fn find(
    input: &HandInput<'_>,
    side: Side,
    body: &[Landmark; BODY],
    trace: &mut HandTrace,
) -> Result<Option<Region>, RunError> {
    let [wrist, little, index] = side.body().map(|index| body[index]);
    if wrist[3] <= MIN_WRIST_VISIBILITY || wrist[3].is_nan() {
        return Ok(None);
    }
    let picture = input.picture;
    let rough = Region::from_wrist_and_knuckles(flat(&wrist), flat(&little), flat(&index), picture)
        .transformed(FROM_POSE, picture);
    trace.region_from_pose = Some(rough);
    if Cutout::letterboxed(&rough, picture).is_beside(picture) {
        return Ok(None);
    }
    let exact = recrop(input, &rough, trace)?;
    trace.region_from_recrop = Some(exact);
    Ok(Some(exact))
}

/// The hand's exact region within a rough one.
fn recrop(input: &HandInput<'_>, rough: &Region, trace: &mut HandTrace) -> Result<Region, RunError> {
    let picture = input.picture;
    let cutout = Cutout::letterboxed(rough, picture);
    let mut raw = [0.0; 4];
    scratch::with(|Scratch { tensor, .. }| {
        cut(input.frame, &cutout, RECROP_SIDE, Range::Unit, Border::Replicate, tensor);
        input.networks.recrop.run(&[tensor], &mut [&mut raw], input.cancel)
    })?;
    let side = RECROP_SIDE as f32;
    let mut points = [[raw[0] / side, raw[1] / side, 0.0, 0.0], [raw[2] / side, raw[3] / side, 0.0, 0.0]];
    for point in &mut points {
        remove_padding(point, &cutout);
    }
    project(&mut points, rough);
    let [center, end] = points.each_ref().map(flat);
    trace.recrop_points = Some([center, end]);
    // The second point lies towards the wrist, which is below the centre of an upright hand.
    Ok(Region::from_alignment(center, end, DOWN, picture).transformed(FROM_RECROP, picture))
}

/// The landmarks in `region`; `None` if the hand is not there.
pub(crate) fn landmarks(
    input: &HandInput<'_>,
    region: &Region,
    trace: &mut HandTrace,
) -> Result<Option<[Landmark; HAND]>, RunError> {
    let cutout = Cutout::letterboxed(region, input.picture);
    // The network would look at nothing but the smeared rim of the picture, where it never sees a hand.
    if cutout.is_beside(input.picture) {
        return Ok(None);
    }
    let (mut raw, mut presence, mut handedness) = ([0.0; HAND * 3], [0.0], [0.0]);
    // World landmarks, which nothing here reads.
    let mut world = [0.0; HAND * 3];
    let outputs = &mut [raw.as_mut_slice(), &mut presence, &mut handedness, &mut world];
    scratch::with(|Scratch { tensor, .. }| {
        let tensor = &mut tensor[..SIDE * SIDE * 3];
        cut(input.frame, &cutout, SIDE, Range::Unit, Border::Replicate, tensor);
        input.networks.landmark.run(&[tensor], outputs, input.cancel)
    })?;
    (trace.presence, trace.handedness) = (Some(presence[0]), Some(handedness[0]));
    if presence[0] <= MIN_PRESENCE || presence[0].is_nan() {
        return Ok(None);
    }
    let side = SIDE as f32;
    let (rows, _) = raw.as_chunks::<3>();
    let mut landmarks: [Landmark; HAND] = std::array::from_fn(|index| {
        let [x, y, z] = rows[index];
        [x / side, y / side, z / side / DEPTH_SHARE, 0.0]
    });
    for landmark in &mut landmarks {
        remove_padding(landmark, &cutout);
    }
    project(&mut landmarks, region);
    Ok(Some(landmarks))
}

fn flat(landmark: &Landmark) -> Point {
    [landmark[0], landmark[1]]
}
