//! Single-shot detectors: anchors, box decoding and weighted non-maximum suppression (as in BlazeFace).

use dactyl_kernels::{Cancel, RunError};

use crate::crop::{Border, Cutout, Range, cut};
use crate::frame::RgbFrame;
use crate::landmarks::sigmoid;
use crate::networks::NamedNetwork;
use crate::region::Point;
use crate::scratch::{self, Scratch};

/// Overlap from which two boxes are the same thing.
const SAME: f32 = 0.3;

/// Layers of equal stride: cells of `stride` pixels with `anchors` anchors each.
#[derive(Debug, Clone, Copy)]
pub struct Layer {
    /// Size of a cell in input pixels.
    pub stride: usize,
    /// Anchors in each cell.
    pub anchors: usize,
}

/// What a detector found best. Everything is normalised to its input tensor, padding included.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// 0 to 1.
    pub score: f32,
    /// Left, top, right, bottom.
    pub corners: [f32; 4],
    /// Keypoints in the network's order.
    pub keypoints: Vec<Point>,
}

impl Detection {
    fn area(&self) -> f32 {
        let [left, top, right, bottom] = self.corners;
        (right - left) * (bottom - top)
    }

    /// Intersection over union.
    fn overlap(&self, other: &Self) -> f32 {
        let [left, top, right, bottom] = self.corners;
        let (left, top) = (left.max(other.corners[0]), top.max(other.corners[1]));
        let (right, bottom) = (right.min(other.corners[2]), bottom.min(other.corners[3]));
        if left > right || top > bottom {
            return 0.0;
        }
        let shared = (right - left) * (bottom - top);
        let union = self.area() + other.area() - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }
}

/// Centres of the anchors of a square input: layers in order, rows, columns, anchors of the cell. All have size 1 x 1.
pub(crate) fn anchors(input: usize, layers: &[Layer]) -> Vec<Point> {
    let mut anchors = Vec::new();
    for layer in layers {
        let cells = input.div_ceil(layer.stride);
        let center = |index: usize| (index as f32 + 0.5) / cells as f32;
        for y in 0..cells {
            for x in 0..cells {
                anchors.extend(std::iter::repeat_n([center(x), center(y)], layer.anchors));
            }
        }
    }
    anchors
}

/// A detector: its network with what makes detections of what it gives.
pub(crate) struct Detector<'a> {
    /// Gives a row and a logit for each anchor.
    pub network: &'a NamedNetwork,
    /// Width and height of its input in pixels.
    pub side: usize,
    /// Of the input's values.
    pub range: Range,
    /// As [`anchors`] gives them.
    pub anchors: &'a [Point],
    /// Values of a row: 4 of the box, 2 of each keypoint.
    pub row: usize,
    /// Score from which a detection counts.
    pub min_score: f32,
}

impl Detector<'_> {
    /// The best detection in that part of the frame.
    pub(crate) fn best(
        &self,
        frame: &RgbFrame<'_>,
        cutout: &Cutout,
        cancel: &Cancel,
    ) -> Result<Option<Detection>, RunError> {
        let &Self { network, side, range, anchors, row, min_score } = self;
        scratch::with(|Scratch { tensor, large, small }| {
            let tensor = &mut tensor[..side * side * 3];
            let (rows, logits) = (&mut large[..anchors.len() * row], &mut small[..anchors.len()]);
            cut(frame, cutout, side, range, Border::Zero, tensor);
            network.run(&[tensor], &mut [rows, logits], cancel)?;
            Ok(best(rows, logits, anchors, side, min_score))
        })
    }
}

/// Decodes the raw rows (x, y, width, height, then keypoints, in pixels relative to the anchor) and gives the best
/// detection, averaged over all that overlap it. `None` if no score reaches `min_score`.
fn best(rows: &[f32], logits: &[f32], anchors: &[Point], input: usize, min_score: f32) -> Option<Detection> {
    let width = rows.len() / anchors.len();
    let mut found: Vec<Detection> = (rows.chunks_exact(width).zip(logits).zip(anchors))
        .filter_map(|((row, logit), anchor)| {
            let score = sigmoid(logit.clamp(-100.0, 100.0));
            (score >= min_score).then(|| decode(row, score, *anchor, input))
        })
        .filter(|detection| {
            let [left, top, right, bottom] = detection.corners;
            right - left >= 0.0 && bottom - top >= 0.0
        })
        .collect();
    found.sort_by(|one, other| other.score.total_cmp(&one.score));
    let best = found.first()?;
    Some(average(best, found.iter().filter(|other| best.overlap(other) > SAME)))
}

fn decode(row: &[f32], score: f32, anchor: Point, input: usize) -> Detection {
    let size = input as f32;
    let (x, y) = (row[0] / size + anchor[0], row[1] / size + anchor[1]);
    let (width, height) = (row[2] / size, row[3] / size);
    let (left, top) = (x - width / 2.0, y - height / 2.0);
    // The right side is computed from the stored width, as the original's box format has one.
    let (width, height) = ((x + width / 2.0) - left, (y + height / 2.0) - top);
    let (points, _) = row[4..].as_chunks::<2>();
    Detection {
        score,
        corners: [left, top, left + width, top + height],
        keypoints: points.iter().map(|[x, y]| [x / size + anchor[0], y / size + anchor[1]]).collect(),
    }
}

/// `best` with corners and keypoints averaged over its cluster, weighted by score; itself if the cluster is empty (a
/// box without area does not even overlap itself).
fn average<'a>(best: &Detection, cluster: impl Iterator<Item = &'a Detection>) -> Detection {
    let mut total = 0.0;
    let mut corners = [0.0; 4];
    let mut keypoints = vec![[0.0; 2]; best.keypoints.len()];
    for detection in cluster {
        total += detection.score;
        for (sum, corner) in corners.iter_mut().zip(detection.corners) {
            *sum += corner * detection.score;
        }
        for (sum, point) in keypoints.as_flattened_mut().iter_mut().zip(detection.keypoints.as_flattened()) {
            *sum += point * detection.score;
        }
    }
    if total == 0.0 {
        return best.clone();
    }
    Detection {
        score: best.score,
        corners: corners.map(|sum| sum / total),
        keypoints: keypoints.into_iter().map(|point| point.map(|sum| sum / total)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSE: [Layer; 3] =
        [Layer { stride: 8, anchors: 2 }, Layer { stride: 16, anchors: 2 }, Layer { stride: 32, anchors: 6 }];

    #[test]
    fn pose_anchors_count_and_lie_in_order() {
        let anchors = anchors(224, &POSE);
        assert_eq!(anchors.len(), 2254);
        assert_eq!(anchors[0], [0.5 / 28.0, 0.5 / 28.0]);
        assert_eq!(anchors[1], anchors[0]);
        assert_eq!(anchors[2], [1.5 / 28.0, 0.5 / 28.0]);
        assert_eq!(anchors[2 * 28], [0.5 / 28.0, 1.5 / 28.0]);
        assert_eq!(anchors[1568], [0.5 / 14.0, 0.5 / 14.0]);
        assert_eq!(anchors[2253], [6.5 / 7.0, 6.5 / 7.0]);
    }

    /// Logit of a score.
    fn logit(score: f32) -> f32 {
        (score / (1.0 - score)).ln()
    }

    #[test]
    fn the_best_box_is_averaged_with_those_that_overlap_it() {
        let anchors = [[0.5, 0.5], [0.5, 0.5], [0.2, 0.2]];
        let rows = [
            [0.0, 0.0, 40.0, 40.0, 0.0, 0.0],
            [4.0, 0.0, 40.0, 40.0, 8.0, 0.0],
            [0.0, 0.0, 10.0, 10.0, 0.0, 0.0],
        ];
        let logits = [0.8, 0.4, 0.6].map(logit);
        let found = best(rows.as_flattened(), &logits, &anchors, 100, 0.3).expect("found");
        assert!((found.score - 0.8).abs() < 1e-6);
        // Weights 0.8 and 0.4: a third of the way from the first to the second.
        assert!((found.keypoints[0][0] - (0.5 + 0.08 / 3.0)).abs() < 1e-6);
        assert!((found.corners[0] - (0.3 + 0.04 / 3.0)).abs() < 1e-6);
    }

    #[test]
    fn scores_under_the_limit_and_impossible_boxes_are_dropped() {
        let anchors = [[0.5, 0.5]; 3];
        let rows = [
            [0.0, 0.0, -1.0, 40.0, 0.0, 0.0],
            [0.0, 0.0, f32::NAN, 40.0, 0.0, 0.0],
            [0.0, 0.0, 40.0, 40.0, 0.0, 0.0],
        ];
        let logits = [0.9, 0.9, 0.49].map(logit);
        assert_eq!(best(rows.as_flattened(), &logits, &anchors, 100, 0.5), None);
        assert!(best(rows.as_flattened(), &logits, &anchors, 100, 0.48).is_some());
    }

    #[test]
    fn a_box_without_area_is_given_unchanged() {
        let rows = [0.0, 0.0, 0.0, 0.0, 10.0, 10.0];
        let found = best(&rows, &[3.0], &[[0.5, 0.5]], 100, 0.5).expect("found");
        assert_eq!(found.corners, [0.5; 4]);
        assert_eq!(found.keypoints, [[0.6, 0.6]]);
    }
}
