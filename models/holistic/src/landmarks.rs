//! From a landmark network's output to landmarks on the picture.

use crate::functions::{exp, sin_cos};
use crate::keypoints::Landmark;

use crate::crop::Cutout;
use crate::region::Region;

/// The logistic function, in float32.
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Side of the square heatmaps.
const HEATMAP: usize = 64;
/// Cells on each side of the centre: a window of 9 x 9. The graph's text says 7 x 7, but its option is lost on the way
/// to the wheel's C++ code, which then takes its default.
const REACH: usize = 4;
/// Least confidence within the window for which the heatmap is believed.
const MIN_CONFIDENCE: f32 = 0.5;

/// Moves x and y of each landmark (normalised to the crop) to the centre of mass of its heatmap round it.
///
/// `heatmaps` is 64 x 64 x `channels`, row-major, logits; channel i belongs to landmark i. Landmarks outside the
/// crop and landmarks without confidence stay.
pub fn refine(landmarks: &mut [Landmark], heatmaps: &[f32], channels: usize) {
    let side = HEATMAP as f32;
    for (channel, landmark) in landmarks.iter_mut().enumerate() {
        // Truncated towards zero: -0.9 is still cell 0.
        let (column, row) = ((landmark[0] * side) as i32, (landmark[1] * side) as i32);
        let cells = 0..HEATMAP as i32;
        if landmark[0].is_nan() || landmark[1].is_nan() || !cells.contains(&column) || !cells.contains(&row) {
            continue;
        }
        let around = |center: i32| {
            let center = center as usize;
            center.saturating_sub(REACH)..(center + REACH + 1).min(HEATMAP)
        };
        let (mut sum, mut sum_x, mut sum_y, mut highest) = (0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
        for row in around(row) {
            for column in around(column) {
                let confidence = sigmoid(heatmaps[(row * HEATMAP + column) * channels + channel]);
                sum += confidence;
                highest = highest.max(confidence);
                sum_x += column as f32 * confidence;
                sum_y += row as f32 * confidence;
            }
        }
        if highest >= MIN_CONFIDENCE && sum > 0.0 {
            landmark[0] = sum_x / side / sum;
            landmark[1] = sum_y / side / sum;
        }
    }
}

/// Takes the padding out of coordinates normalised to the tensor; z scales as x.
pub fn remove_padding(landmark: &mut Landmark, cutout: &Cutout) {
    let (both_x, both_y) = (cutout.pad_x + cutout.pad_x, cutout.pad_y + cutout.pad_y);
    landmark[0] = (landmark[0] - cutout.pad_x) / (1.0 - both_x);
    landmark[1] = (landmark[1] - cutout.pad_y) / (1.0 - both_y);
    landmark[2] /= 1.0 - both_x;
}

/// Carries landmarks from the crop of `region` (0 to 1 on both axes) to the picture. z is scaled by the region's width.
///
/// The rotation comes before the scaling by axis, which is right only for regions that are square in pixels; all are.
pub fn project(landmarks: &mut [Landmark], region: &Region) {
    let (sin, cos) = sin_cos(region.rotation);
    for landmark in landmarks {
        let (x, y) = (landmark[0] - 0.5, landmark[1] - 0.5);
        landmark[0] = (cos * x - sin * y) * region.width + region.x;
        landmark[1] = (sin * x + cos * y) * region.height + region.y;
        landmark[2] *= region.width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heatmap(confident: &[(usize, usize)]) -> Vec<f32> {
        let mut heatmap = vec![-100.0; HEATMAP * HEATMAP];
        for (column, row) in confident {
            heatmap[row * HEATMAP + column] = 100.0;
        }
        heatmap
    }

    #[test]
    fn refinement_takes_the_centre_of_mass_in_whole_cells() {
        let mut landmarks = [[20.5 / 64.0, 30.5 / 64.0, 0.25, 0.75]];
        refine(&mut landmarks, &heatmap(&[(22, 28), (24, 28)]), 1);
        assert_eq!(landmarks, [[23.0 / 64.0, 28.0 / 64.0, 0.25, 0.75]]);
    }

    #[test]
    fn the_window_is_nine_cells_wide() {
        let seen = |column: usize| {
            let mut landmarks = [[20.5 / 64.0, 30.5 / 64.0, 0.0, 0.0]];
            refine(&mut landmarks, &heatmap(&[(column, 30)]), 1);
            landmarks[0][0] != 20.5 / 64.0
        };
        assert!(seen(16) && seen(24));
        assert!(!seen(15) && !seen(25));
    }

    #[test]
    fn landmarks_outside_the_crop_or_without_confidence_stay() {
        let mut landmarks = [[-0.1, 0.5, 1.0, 1.0], [1.0, 0.5, 1.0, 1.0], [f32::NAN, 0.5, 1.0, 1.0]];
        let everywhere = vec![100.0; HEATMAP * HEATMAP * 3];
        refine(&mut landmarks, &everywhere, 3);
        assert_eq!(landmarks[..2], [[-0.1, 0.5, 1.0, 1.0], [1.0, 0.5, 1.0, 1.0]]);
        let mut landmark = [[0.3, 0.3, 0.0, 0.0]];
        refine(&mut landmark, &heatmap(&[]), 1);
        assert_eq!(landmark, [[0.3, 0.3, 0.0, 0.0]]);
    }

    #[test]
    fn projection_turns_clockwise() {
        let region =
            Region { x: 0.5, y: 0.5, width: 0.2, height: 0.2, rotation: std::f32::consts::FRAC_PI_2 };
        let mut landmarks = [[1.0, 0.5, 2.0, 0.0]];
        project(&mut landmarks, &region);
        let [x, y, z, _] = landmarks[0];
        assert!((x - 0.5).abs() < 1e-6 && (y - 0.6).abs() < 1e-6 && (z - 0.4).abs() < 1e-6);
    }
}
