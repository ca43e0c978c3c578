//! A hand without a body: close to the camera, or on a phone, nothing else is in view. The palm detector finds it on the whole
//! picture, and then its own landmarks say where it is, as in MediaPipe Hands.

use std::sync::LazyLock;

use crate::keypoints::Landmark;
use dactyl_kernels::RunError;

use crate::crop::{Cutout, Range};
use crate::detection::{Detection, Detector, Layer, anchors};
use crate::hands::{self, HAND, HandInput, HandTrace, Side};
use crate::landmarks::remove_padding;
use crate::networks::NamedNetwork;
use crate::region::{PictureSize, Point, Region, Transform};

/// Side of the detector's input.
const DETECTOR_SIDE: usize = 192;
/// Score from which a detection counts.
const MIN_SCORE: f32 = 0.5;
/// The detector's keypoints between which a hand's axis lies: wrist, and root of the middle finger.
const AXIS: [usize; 2] = [0, 2];
/// Handedness above which a hand is a right one.
const RIGHT_HANDED: f32 = 0.5;

const DETECTOR_LAYERS: [Layer; 2] = [Layer { stride: 8, anchors: 2 }, Layer { stride: 16, anchors: 6 }];
const FROM_DETECTION: Transform = Transform { shift_y: -0.5, scale: 2.6 };

/// What happened on the way to a hand without a body; `None` where a step did not run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HandAloneTrace {
    /// Score of the best palm.
    pub detection_score: Option<f32>,
    /// Region that the palm gave.
    pub region_from_detection: Option<Region>,
    /// The hand; nothing comes from a pose or from re-cropping.
    pub hand: HandTrace,
}

/// Anchors of the detector.
static ANCHORS: LazyLock<Vec<Point>> = LazyLock::new(|| anchors(DETECTOR_SIDE, &DETECTOR_LAYERS));

/// Follows the hand that `input` has from the last frame, or finds one. The body of `input` is not read.
pub(crate) fn track(
    input: &HandInput<'_>,
    palm: &NamedNetwork,
    trace: &mut HandAloneTrace,
) -> Result<Option<(Side, [Landmark; HAND])>, RunError> {
    let region = match input.expected() {
        Some((region, _)) => {
            trace.hand.region_from_previous = Some(region);
            region
        }
        None => match detect(input, palm, trace)? {
            Some(region) => region,
            None => return Ok(None),
        },
    };
    trace.hand.region = Some(region);
    let landmarks = hands::landmarks(input, &region, &mut trace.hand)?;
    Ok(landmarks.zip(trace.hand.handedness).map(|(landmarks, handedness)| (side(handedness), landmarks)))
}

/// The hand that MediaPipe Holistic would call it. Both go by the picture: of a mirrored one they take the other hand.
fn side(handedness: f32) -> Side {
    if handedness > RIGHT_HANDED { Side::Right } else { Side::Left }
}

/// The region of the hand with the most certain palm on the whole picture.
fn detect(
    input: &HandInput<'_>,
    palm: &NamedNetwork,
    trace: &mut HandAloneTrace,
) -> Result<Option<Region>, RunError> {
    let cutout = Cutout::whole(input.picture);
    let detector = Detector {
        network: palm,
        side: DETECTOR_SIDE,
        range: Range::Unit,
        anchors: &ANCHORS,
        row: 18,
        min_score: MIN_SCORE,
    };
    let found = detector.best(input.frame, &cutout, input.cancel)?;
    let region = found.as_ref().map(|found| region_of(found, &cutout, input.picture));
    trace.detection_score = found.map(|found| found.score);
    trace.region_from_detection = region;
    Ok(region)
}

/// The palm's box, moved and enlarged along the hand's axis until the fingers are in it too.
fn region_of(found: &Detection, cutout: &Cutout, picture: PictureSize) -> Region {
    let without_padding = |[x, y]: Point| {
        let mut point = [x, y, 0.0, 0.0];
        remove_padding(&mut point, cutout);
        [point[0], point[1]]
    };
    let [left, top, right, bottom] = found.corners;
    let both = [cutout.pad_x + cutout.pad_x, cutout.pad_y + cutout.pad_y];
    let size = [(right - left) / (1.0 - both[0]), (bottom - top) / (1.0 - both[1])];
    let axis = AXIS.map(|index| without_padding(found.keypoints[index]));
    Region::from_box(without_padding([left, top]), size, axis, picture).transformed(FROM_DETECTION, picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn palm_anchors_are_as_many_as_the_detector_has_rows() {
        assert_eq!(ANCHORS.len(), 2016);
        assert_eq!(ANCHORS[1151], [23.5 / 24.0; 2]);
        assert_eq!(ANCHORS[1152], [0.5 / 12.0; 2]);
    }

    #[test]
    fn a_palm_that_points_up_has_its_region_above_it() {
        let mut keypoints = vec![[0.5, 0.5]; 7];
        // In a picture of twice the width, the tensor's upper and lower quarters are padding.
        (keypoints[0], keypoints[2]) = ([0.5, 0.6], [0.5, 0.4]);
        let found = Detection { score: 1.0, corners: [0.4, 0.4, 0.6, 0.6], keypoints };
        let picture = PictureSize::new(400, 200);
        let region = region_of(&found, &Cutout::whole(picture), picture);
        let expected = [0.5, 0.5 - 0.5 * 0.4, 0.2 * 2.6, 0.4 * 2.6, 0.0];
        let values = [region.x, region.y, region.width, region.height, region.rotation];
        for (value, expected) in values.into_iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6, "{region:?}");
        }
    }

    #[test]
    fn handedness_is_that_of_a_picture_that_is_not_mirrored() {
        assert_eq!([0.002, 0.5, 0.998].map(side), [Side::Left, Side::Left, Side::Right]);
    }
}
